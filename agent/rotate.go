package agent

import (
	"cmp"
	"context"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// What an account's next seed is called until the service takes its codes, and its last one from then on.
const (
	nextName = " (new)"
	lastName = " (old)"
)

// Rotate begins to give an account another seed: it is written beside the old one, as an account of its own with a temporary
// name. The one secret is the seed; it is wiped. May be repeated with the same seed until it is on all keys.
func (a *Agent) Rotate(ctx context.Context, who Caller, account string, r api.RotateRequest, secrets []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Report{}, err
	}
	acc, err := a.findRecorded(ctx, account, "rotate")
	if err != nil {
		return api.Report{}, err
	}
	items, err := a.newItems([]api.NewAccount{acc.next(r.New)}, secrets)
	if err != nil {
		return api.Report{}, err
	}
	if err := a.mayRotate(acc, items[0]); err != nil {
		return api.Report{}, err
	}
	a.recheck(ctx)
	p := &provision{a: a, who: who, items: items, verb: "rotate: add", steps: teller{step: step}}
	if err := p.choose(api.AddRequest{To: acc.keysToRotate(r.To)}); err != nil {
		return api.Report{}, err
	}
	if err := p.check(); err != nil {
		return api.Report{}, rotatesAlready(acc, err)
	}
	p.also = func(d *draft) error {
		return d.putRotation(ledger.Rotation{Account: acc.ID, Successor: items[0].id, BegunAt: now()})
	}
	if err := p.intend(); err != nil {
		return api.Report{}, err
	}
	p.write(ctx, r.WaitSeconds)
	p.steps.finish()
	return p.report(), nil
}

// rotatesAlready says what to do next where the new seed is on all the keys.
func rotatesAlready(acc *accountView, err error) error {
	if api.CodeOf(err) != api.CodeExistsSame {
		return err
	}
	return refuse(api.CodeExistsSame, "give the service a code of it, then end the rotation: \"oathctl rotate NAME --done\", or --give-up",
		"cannot rotate %s: its new seed is on the keys already", acc.Label())
}

// next is the account's next self: what was left out is as it is now.
func (acc *accountView) next(n api.NewAccount) api.NewAccount {
	n.Issuer, n.Name, n.Alias = acc.Issuer, acc.Name+nextName, ""
	n.Type, n.Algorithm = cmp.Or(n.Type, acc.Type), cmp.Or(n.Algorithm, acc.Algorithm)
	n.Digits, n.Period = cmp.Or(n.Digits, acc.Digits), cmp.Or(n.Period, acc.oath.Period)
	return n
}

// keysToRotate are those that were named, or those that have the account.
func (acc *accountView) keysToRotate(named []string) []string {
	if len(named) > 0 {
		return named
	}
	var keys []string
	for _, s := range acc.sources {
		if s.sure() {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// mayRotate refuses a second rotation beside one that is under way, and a seed that is not new.
func (a *Agent) mayRotate(acc *accountView, it *item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	rotation, under := a.book.rotations[acc.ID]
	for _, seed := range a.book.seedsOf(it.prints) {
		owner := a.book.owners[seed]
		other := a.view.Load().accounts[owner]
		switch {
		case owner == acc.ID:
			return refuse(api.CodeExistsSame, "have the service make a new one", "cannot rotate %s: this is the seed that it has", acc.Label())
		case owner == rotation.Successor && under:
			return nil
		case other != nil:
			return refuse(api.CodeExistsSame, "have the service make a new one", "cannot rotate %s: this is the seed of %s", acc.Label(), other.Label())
		}
	}
	if under {
		return refuse(api.CodeConflict, "finish the one that is under way, or give it up", "cannot rotate %s: another new seed is on its keys already", acc.Label())
	}
	return nil
}

// RotateEnd ends a rotation: the service has taken the new codes, so the old seed is removed and the new one gets its place; or the
// new one is removed again. Keys that are not plugged in follow with Resume.
func (a *Agent) RotateEnd(ctx context.Context, who Caller, account string, r api.RotateEndRequest) (api.Report, error) {
	acc, err := a.findRecorded(ctx, account, "rotate")
	if err != nil {
		return api.Report{}, err
	}
	v := a.view.Load()
	next := v.accounts[acc.Rotating]
	if next == nil {
		return api.Report{}, refuse(api.CodeNotFound, "\"oathctl rotate NAME\" begins one", "cannot end the rotation of %s: none is under way", acc.Label())
	}
	what, end := "the service took the new seed of "+acc.Label()+": remove the old one", (*draft).succeed
	if r.GiveUp {
		what, end = "give up the new seed of "+acc.Label(), (*draft).abandon
	} else if next.Proved == 0 {
		return api.Report{}, refuse(api.CodeProofFailed, "plug a key in and begin the rotation again, or give it up", "cannot end the rotation of %s: its new seed is on no key", acc.Label())
	}
	if err := a.change(who, what, func(d *draft) error { return end(d, acc.ID, next.ID) }); err != nil {
		return api.Report{}, err
	}
	f := &finishing{a: a, who: who, steps: teller{step: func(api.Step) {}}}
	report := f.finish(ctx, func(i ledger.Intent) bool {
		return (i.Account == acc.ID || i.Account == next.ID) && i.Kind != intentPut
	})
	a.events.publish(api.Event{Kind: api.EventAccounts, Account: acc.ID, Label: acc.Label()})
	return report, nil
}

func (d *draft) putRotation(r ledger.Rotation) error {
	put(d, d.rotations, r.Account, r)
	return d.tx.PutRotation(r)
}

func (d *draft) dropRotation(r ledger.Rotation) error {
	drop(d, d.rotations, r.Account)
	return d.tx.DeleteRotation(r.Account)
}

// abandon removes the next seed from everywhere.
func (d *draft) abandon(account, next string) error {
	if err := d.dropRotation(d.rotations[account]); err != nil {
		return err
	}
	if err := d.dropEscrow(next); err != nil {
		return err
	}
	return d.intendRemoval(next, "")
}

// succeed has the two accounts change places: the one that people know, with its id, alias and runbook, gets the next seed and its
// copies, which are to be renamed; the other gets the last seed and its copies, which are to be deleted, and goes with them.
func (d *draft) succeed(account, next string) error {
	for _, i := range d.intentsOf(next) {
		if i.Kind == intentPut {
			return refuse(api.CodeConflict, "run \"oathctl resume\" first", "cannot remove the old seed: it is not known whether the new one is on %s", d.keys[i.Key].Label)
		}
	}
	if err := d.dropRotation(d.rotations[account]); err != nil {
		return err
	}
	if err := d.swapSeeds(account, next); err != nil {
		return err
	}
	if err := d.intendRemoval(next, ""); err != nil {
		return err
	}
	row := d.accounts[account]
	name := oath.Account{Issuer: row.Issuer, Name: row.Name, Type: row.Type, Period: row.Period}
	for _, c := range d.copiesOf(account) {
		if err := d.intendRename(c, name); err != nil {
			return err
		}
	}
	return nil
}

// swapSeeds gives each of two accounts the other's seed, copies and intents. The escrow forgets the last seed.
func (d *draft) swapSeeds(account, next string) error {
	row, other := d.accounts[account], d.accounts[next]
	other.Name, other.Superseded = row.Name+lastName, true
	row.Seed, other.Seed = other.Seed, row.Seed
	row.Type, other.Type = other.Type, row.Type
	row.Algorithm, other.Algorithm = other.Algorithm, row.Algorithm
	row.Digits, other.Digits = other.Digits, row.Digits
	row.Period, other.Period = other.Period, row.Period
	was, is := d.copiesOf(account), d.copiesOf(next)
	old := d.intentsOf(account)
	if err := d.putAccount(row); err != nil {
		return err
	}
	if err := d.putAccount(other); err != nil {
		return err
	}
	if err := d.dropPayload(escrowRef{account, escrow.Seed}); err != nil {
		return err
	}
	if err := d.movePayload(escrowRef{next, escrow.Seed}, account); err != nil {
		return err
	}
	for _, i := range old {
		i.Account = next
		if err := d.putIntent(i); err != nil {
			return err
		}
	}
	return d.handOver(was, next, is, account)
}

// handOver gives two lists of copies to other accounts.
func (d *draft) handOver(was []ledger.Copy, next string, is []ledger.Copy, account string) error {
	for _, c := range was {
		c.Account = next
		if err := d.putCopy(c); err != nil {
			return err
		}
	}
	for _, c := range is {
		c.Account = account
		if err := d.putCopy(c); err != nil {
			return err
		}
	}
	return nil
}
