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
	k := d.keys[key]
	k.LastSeen, k.Firmware, k.PasswordSet = now(), found.state.firmware, found.state.info.PasswordSet()
	k.Vendor = found.state.info.Vendor()
	if id := found.state.info.DeviceID(); found.state.info.Salt != nil && !slices.Contains(k.DeviceIDs, id) {
		k.DeviceIDs = append(slices.Clone(k.DeviceIDs), id)
	}
	if found.state.info.Salt != nil {
		k.Capacity = found.state.info.Features().Capacity
	}
	if found.state.probed {
		k.Listing, k.ProvedAt = digestOf(found.state.listing), now()
	}
	return d.putKey(k)
}

// place files one credential of a key. It returns the copy as it was if its seed changed.
func (d *draft) place(key string, c credential) (*ledger.Copy, error) {
	old, had := d.copies[copyRef{key, c.ID}]
	row := d.rowFor(key, c, old, had)
	if !c.prints.known() {
		return nil, d.placeUnproven(row, had)
	}
	seed, err := d.learnSeed(c.prints)
	if err != nil {
		return nil, err
	}
	account, err := d.accountFor(seed, row, c)
	if err != nil {
		return nil, err
	}
	row.Account, row.Seed, row.State, row.ProvedAt = account, seed.ID, string(api.CopyProved), now()
	if err := d.putCopy(row); err != nil {
		return nil, err
	}
	if !had || old.Account == account {
		return nil, nil
	}
	if err := d.dropIfEmpty(old.Account); err != nil || old.Seed == "" || old.Seed == seed.ID {
		return nil, err
	}
	return &old, nil
}

// rowFor starts from the copy as it was and takes over what the credential told.
func (d *draft) rowFor(key string, c credential, old ledger.Copy, had bool) ledger.Copy {
	row := old
	acc := c.account()
	if !had {
		row = ledger.Copy{Key: key, CredID: c.ID, Period: acc.Period, State: string(api.CopyUnproven)}
	}
	row.Type, row.Algorithm = c.Type, c.Algorithm
	if c.digits != 0 {
		row.Digits = c.digits
	}
	if c.touchKnown {
		row.Touch = c.touch
	}
	return row
}

// placeUnproven keeps what was known of the copy; one that was never seen becomes an account of its own.
func (d *draft) placeUnproven(row ledger.Copy, had bool) error {
	if row.State == string(api.CopyMissing) {
		row.State = string(api.CopyUnproven)
	}
	if !had {
		account, err := d.newAccount(row, "")
		if err != nil {
			return err
		}
		row.Account = account
	}
	return d.putCopy(row)
}

// accountFor finds the account that a proved copy belongs to. An account that consisted of this one
// unproven copy takes the seed, so that it keeps its id.
func (d *draft) accountFor(seed ledger.Seed, row ledger.Copy, c credential) (string, error) {
	if a, ok := d.accountOfSeed(seed.ID); ok {
		return a.ID, nil
	}
	if a, ok := d.accounts[row.Account]; ok && a.Seed == "" {
		a.Seed, a.Digits = seed.ID, c.digits
		return a.ID, d.putAccount(a)
	}
	return d.newAccount(row, seed.ID)
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

// markMissing finds the copies that the ledger has and the key no longer does.
func (d *draft) markMissing(key string, there []credential) error {
	for _, c := range d.copiesOn(key) {
		present := slices.ContainsFunc(there, func(t credential) bool { return t.ID == c.CredID })
		if present || c.State == string(api.CopyMissing) {
			continue
		}
		c.State = string(api.CopyMissing)
		if err := d.putCopy(c); err != nil {
			return err
		}
	}
	return nil
}

// now is the moment as the ledger keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// credentialAccount is the public half of a copy, as its credential id tells it.
func credentialAccount(c ledger.Copy) oath.Account {
	acc := oath.ParseID(c.Type, c.CredID)
	acc.Algorithm, acc.Digits = c.Algorithm, c.Digits
	return acc
}
