package agent

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// vaulted is the part of the book that is about the escrow. The payloads stay on disk.
type vaulted struct {
	// vault is nil where there is none, or none that can be read: trouble says why.
	vault   *escrow.Vault
	trouble error
	// drills holds when each recipient last opened it, by its public half.
	drills map[string]time.Time
	// escrow tells what is in it, edition counts its changes: what was read under an earlier edition may be stale.
	escrow  map[escrowRef]ledger.Escrowed
	edition int
	// rotations are the accounts that are getting another seed.
	rotations map[string]ledger.Rotation
}

// escrowRef is the identity of a payload.
type escrowRef struct {
	account string
	kind    escrow.Kind
}

func newVaulted(b *ledger.Book) vaulted {
	v := vaulted{drills: map[string]time.Time{}, rotations: map[string]ledger.Rotation{}, escrow: make(map[escrowRef]ledger.Escrowed, len(b.Escrow))}
	if b.Vault != nil {
		v.vault, v.trouble = escrow.ParseVault(b.Vault)
	}
	for recipient, at := range b.Drills {
		v.drills[recipient] = at
	}
	for _, r := range b.Rotations {
		v.rotations[r.Account] = r
	}
	for _, e := range b.Escrow {
		v.escrow[escrowRef{e.Account, escrow.Kind(e.Kind)}] = e
	}
	return v
}

// keptInEscrow reports whether the escrow has something of an account that is to be kept.
func (b *book) keptInEscrow(account string) bool {
	for _, kind := range []escrow.Kind{escrow.Seed, escrow.Runbook} {
		if b.escrow[escrowRef{account, kind}].State == string(api.EscrowLive) {
			return true
		}
	}
	return false
}

// edited says that the escrow is another than it was.
func (d *draft) edited() {
	was := d.edition
	d.undo = append(d.undo, func() { d.edition = was })
	d.edition++
}

// putVault takes another vault in place of the one that was.
func (d *draft) putVault(v *escrow.Vault) error {
	was := d.vault
	d.undo = append(d.undo, func() { d.vault = was })
	d.vault = v
	d.edited()
	stay := make([]string, len(v.Recipients))
	here := map[string]bool{}
	for i, r := range v.Recipients {
		stay[i], here[r.Public] = r.Public, true
	}
	for recipient := range d.drills {
		if !here[recipient] {
			drop(d, d.drills, recipient)
		}
	}
	return d.tx.PutVault(v.Marshal(), stay)
}

func (d *draft) putDrill(recipient string, at time.Time) error {
	put(d, d.drills, recipient, at)
	return d.tx.PutDrill(recipient, at)
}

// putEscrow keeps a payload as an account's.
func (d *draft) putEscrow(account string, row escrow.Row, state string, at time.Time) error {
	entry, err := json.Marshal(row.Entry)
	if err != nil {
		return err
	}
	e := ledger.Escrowed{Account: account, Kind: string(row.Entry.Kind), State: state, ChangedAt: at}
	put(d, d.escrow, escrowRef{account, row.Entry.Kind}, e)
	d.edited()
	return d.tx.PutEscrow(ledger.EscrowRow{Escrowed: e, Entry: entry, Ciphertext: row.Ciphertext})
}

// seal encrypts a payload and keeps it.
func (d *draft) seal(e escrow.Entry, content *oath.Secret, state api.EscrowState) error {
	row, err := d.vault.Seal(e, content)
	if err != nil {
		return vaultError(err, "cannot put it into the escrow")
	}
	return d.putEscrow(e.ID, row, string(state), now())
}

// escrowItem puts the seed of an item into the escrow, where there is one and it is not there yet. It is pending
// until a key has proved it; a seed that a key has proved before is known by its fingerprint.
func (d *draft) escrowItem(it *item) error {
	was := d.escrow[escrowRef{it.id, escrow.Seed}]
	if d.vault == nil || was.State == string(api.EscrowLive) || was.State != "" && it.fromEscrow {
		return nil
	}
	state := api.EscrowPending
	if len(it.have) > 0 {
		state = api.EscrowLive
	}
	return d.seal(escrow.Entry{Kind: escrow.Seed, ID: it.id, Account: it.account, Counter: it.counter, Touch: it.touch}, it.seed, state)
}

// enliven says that a key has proved the seed that the escrow has of an account.
func (d *draft) enliven(account string) error {
	ref := escrowRef{account, escrow.Seed}
	e := d.escrow[ref]
	if e.State != string(api.EscrowPending) {
		return nil
	}
	e.State, e.ChangedAt = string(api.EscrowLive), now()
	put(d, d.escrow, ref, e)
	return d.tx.SetEscrow(e)
}

// dropEscrow forgets all that the escrow has of an account.
func (d *draft) dropEscrow(account string) error {
	for _, kind := range []escrow.Kind{escrow.Seed, escrow.Runbook} {
		if err := d.dropPayload(escrowRef{account, kind}); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) dropPayload(ref escrowRef) error {
	if _, there := d.escrow[ref]; !there {
		return nil
	}
	drop(d, d.escrow, ref)
	d.edited()
	return d.tx.DeleteEscrow(ref.account, string(ref.kind))
}

// moveEscrow makes what the escrow has of an account another's, where that has nothing of the kind; both are known to have
// one seed.
func (d *draft) moveEscrow(from, to string) error {
	for _, kind := range []escrow.Kind{escrow.Seed, escrow.Runbook} {
		if err := d.movePayload(escrowRef{from, kind}, to); err != nil {
			return err
		}
	}
	return d.dropEscrow(from)
}

// movePayload makes a payload another account's, if that has none of the kind.
func (d *draft) movePayload(ref escrowRef, to string) error {
	into := escrowRef{to, ref.kind}
	e, there := d.escrow[ref]
	if _, taken := d.escrow[into]; taken || !there {
		return nil
	}
	e.Account = to
	drop(d, d.escrow, ref)
	put(d, d.escrow, into, e)
	d.edited()
	return d.tx.MoveEscrow(ref.account, string(ref.kind), to)
}

// inEscrow reports whether the escrow has an account's seed.
func (a *Agent) inEscrow(account string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, there := a.book.escrow[escrowRef{account, escrow.Seed}]
	return there
}

// escrowLacks reports whether there is an escrow, and one of the items not in it.
func (a *Agent) escrowLacks(items []*item) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, it := range items {
		for _, seed := range a.book.seedsOf(it.prints) {
			state := a.book.escrow[escrowRef{a.book.owners[seed], escrow.Seed}].State
			if a.book.vault != nil && state != string(api.EscrowLive) {
				return true
			}
		}
	}
	return false
}

// escrowWarnings says what it means for a new account that there is no escrow, or none that works.
func (a *Agent) escrowWarnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.book.trouble != nil:
		return []string{"the escrow cannot be used, so these accounts are not in it: " + a.book.trouble.Error()}
	case a.book.vault == nil:
		return []string{noEscrow}
	}
	return nil
}

// viewEscrow shows what the escrow has of each account.
func (a *Agent) viewEscrow(v *view) {
	for ref, e := range a.book.escrow {
		acc := v.accounts[ref.account]
		switch {
		case acc == nil:
		case ref.kind == escrow.Seed:
			acc.Escrow = api.EscrowState(e.State)
		case ref.kind == escrow.Runbook:
			acc.RunbookAt = e.ChangedAt
		}
	}
	for _, r := range a.book.rotations {
		if acc := v.accounts[r.Account]; acc != nil {
			acc.Rotating = r.Successor
		}
	}
}

// How long people may put things off, in days.
const (
	drillDays   = 90
	runbookDays = 180
)

// reminders are what people put off.
func (a *Agent) reminders(v *view) []string {
	var list []string
	for _, name := range a.untried() {
		list = append(list, fmt.Sprintf("%s was not tried for %d days: run \"oathctl escrow drill\"", name, drillDays))
	}
	for _, acc := range v.accountList {
		if !acc.RunbookAt.IsZero() && time.Since(acc.RunbookAt) > runbookDays*24*time.Hour {
			list = append(list, fmt.Sprintf("the runbook of %s is older than %d days: see whether it is still true, then \"oathctl runbook set\"", acc.Label(), runbookDays))
		}
	}
	return list
}

// untried names the recipients that have not opened the escrow for too long. A new one has as long as one that was tried.
func (a *Agent) untried() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.book.vault == nil {
		return nil
	}
	var names []string
	for _, r := range a.book.vault.Recipients {
		last := a.book.drills[r.Public]
		if last.IsZero() {
			last = r.Added
		}
		if time.Since(last) > drillDays*24*time.Hour {
			names = append(names, recipientName(r))
		}
	}
	return names
}

// recipientName is what people call a recipient.
func recipientName(r escrow.Recipient) string {
	switch {
	case r.Name != "":
		return r.Name
	case r.Kind() == escrow.KindPassphrase:
		return "the passphrase"
	}
	return r.Public
}

// currentVault returns the vault, or why there is none to use.
func (a *Agent) currentVault() (*escrow.Vault, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.book.usableVault()
}

func (b *book) usableVault() (*escrow.Vault, error) {
	switch {
	case b.trouble != nil:
		e := vaultError(b.trouble, "cannot use the escrow")
		e.Hint = "put a backup of the ledger in its place, or install the newer oathd again; nothing was changed"
		return nil, e
	case b.vault == nil:
		return nil, refuse(api.CodeNoEscrow, "run \"oathctl escrow init\"", "cannot use the escrow: there is none yet")
	}
	return b.vault, nil
}
