package agent

import (
	"slices"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// reconcile brings the ledger in line with what a key showed: new credentials become copies, copies that
// are no longer there go missing, proofs are dated, and copies with one fingerprint become one
// account. It returns the copies, as they were, that now answer with another seed.
func (d *draft) reconcile(key string, found look) ([]ledger.Copy, error) {
	if err := d.meet(key, found); err != nil || found.state.locked || found.state.trouble != nil {
		return nil, err
	}
	var stopped []ledger.Copy
	for _, c := range found.credentials {
		if !c.prints.known() && d.undecided(copyRef{key, c.ID}) {
			continue // resume will tell what it is
		}
		old, err := d.place(key, c)
		if err != nil {
			return nil, err
		}
		if old != nil {
			stopped = append(stopped, *old)
		}
	}
	return stopped, d.markMissing(key, found.credentials)
}

// meet updates the key's own row.
func (d *draft) meet(key string, found look) error {
	k, s := d.keys[key], found.state
	k.LastSeen = now()
	if serial := s.serial(); serial != 0 {
		k.Serial = serial
	}
	if s.selected {
		k.Firmware, k.PasswordSet, k.Vendor, k.Capacity = s.firmware(), s.info.PasswordSet(), s.info.Vendor(), s.info.Features().Capacity
		k.DeviceIDs = withDeviceID(k.DeviceIDs, s.info.DeviceID())
	}
	if found.examined && s.trouble == nil {
		k.Listing, k.ProvedAt = digestOf(s.listing), now()
	}
	return d.putKey(k)
}

// withDeviceID returns the list with id as the newest; "" is no id.
func withDeviceID(ids []string, id string) []string {
	if id == "" {
		return ids
	}
	older := slices.DeleteFunc(slices.Clone(ids), func(old string) bool { return old == id })
	return append(older, id)
}

// place files one credential of a key. It returns the copy as it was if that one's seed is no longer there; its
// account stays even without a copy, for coverage to say that it is lost.
func (d *draft) place(key string, c credential) (*ledger.Copy, error) {
	ref := copyRef{key, c.ID}
	row := d.rowFor(ref, c)
	if err := d.assign(&row, c); err != nil {
		return nil, err
	}
	old, had := d.copies[ref]
	if err := d.putCopy(row); err != nil || !had || old.Account == row.Account {
		return nil, err
	}
	if old.Seed == "" {
		return nil, d.dropIfEmpty(old.Account)
	}
	return &old, nil
}

// rowFor starts from the copy as it was. A credential of another kind under the same id is another one.
func (d *draft) rowFor(ref copyRef, c credential) ledger.Copy {
	row, had := d.copies[ref]
	if !had || row.Type != c.Type || row.Algorithm != c.Algorithm {
		row = ledger.Copy{Key: ref.key, CredID: ref.cred, Period: c.account().Period, Type: c.Type, Algorithm: c.Algorithm}
	}
	if c.digits != 0 {
		row.Digits = c.digits
	}
	return row
}

// assign finds the account that the copy belongs to, and what is known of its seed.
func (d *draft) assign(row *ledger.Copy, c credential) (err error) {
	switch rewritten := c.touchKnown && c.touch != row.Touch; {
	case c.prints.known():
		row.State, row.ProvedAt = string(api.CopyProved), now()
		row.Account, row.Seed, err = d.ownerOf(c.prints, *row)
	case row.Account == "":
		row.State = string(api.CopyUnproven)
		row.Account, err = d.newAccount(*row, "")
	case row.State == string(api.CopyMissing), row.State == string(api.CopyProved) && rewritten:
		row.State = string(api.CopyUnproven) // a credential of this name is there, and nobody knows which
	}
	if c.touchKnown {
		row.Touch = c.touch
	}
	return err
}

// ownerOf finds the account and the seed of a copy that answered. An account that consisted of this one
// unproven copy takes the seed, so that it keeps its id.
func (d *draft) ownerOf(p prints, row ledger.Copy) (account, seed string, err error) {
	s, err := d.learnSeed(p)
	if err != nil {
		return "", "", err
	}
	if a, ok := d.accountOfSeed(s.ID); ok {
		return a.ID, s.ID, nil
	}
	if a, ok := d.accounts[row.Account]; ok && a.Seed == "" {
		a.Seed, a.Digits = s.ID, row.Digits
		return a.ID, s.ID, d.putAccount(a)
	}
	account, err = d.newAccount(row, s.ID)
	return account, s.ID, err
}

// newAccount makes an account named as the credential is.
func (d *draft) newAccount(row ledger.Copy, seed string) (string, error) {
	acc := credentialAccount(row)
	a := ledger.Account{
		ID: ledger.NewID(), Seed: seed, Issuer: acc.Issuer, Name: acc.Name, Type: acc.Type, Algorithm: acc.Algorithm,
		Digits: acc.Digits, Period: acc.Period, WantCopies: wantCopies(acc.Type, d.wanted), CreatedAt: now(),
	}
	return a.ID, d.putAccount(a)
}

// markMissing finds the copies that the ledger has and the key no longer does. One that another program renamed is
// there under its new name, and gone under the old; what we had begun ourselves, resume finishes.
func (d *draft) markMissing(key string, there []credential) (err error) {
	present := func(c ledger.Copy) bool {
		return slices.ContainsFunc(there, func(t credential) bool { return t.ID == c.CredID })
	}
	copies := d.copiesOn(key)
	for _, c := range copies {
		renamed := func(o ledger.Copy) bool {
			return o.Seed == c.Seed && o.Seed != "" && o.State == string(api.CopyProved) && present(o)
		}
		switch {
		case present(c):
		case slices.ContainsFunc(copies, renamed) && !d.intended(c):
			err = d.dropCopy(copyRef{key, c.CredID})
		case c.State != string(api.CopyMissing):
			c.State = string(api.CopyMissing)
			err = d.putCopy(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// intended reports whether something was begun with a copy, and not finished.
func (b *book) intended(c ledger.Copy) bool {
	for _, i := range b.intents {
		if i.Key == c.Key && i.CredID == c.CredID {
			return true
		}
	}
	return false
}

// now is the moment as the ledger keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// credentialAccount is the public half of a copy, as its credential id tells it.
func credentialAccount(c ledger.Copy) oath.Account {
	acc := oath.ParseID(c.Type, c.CredID)
	acc.Algorithm, acc.Digits = c.Algorithm, c.Digits
	return acc
}
