package agent

import (
	"context"
	"fmt"
	"slices"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// Rename gives an account another name, in the ledger at once and on each key that can; a key that is not plugged in
// follows with Resume, one whose firmware cannot rename keeps the old name under the same account.
func (a *Agent) Rename(ctx context.Context, who Caller, account string, r api.RenameRequest) (api.Report, error) {
	acc, err := a.findRecorded(ctx, account, "rename")
	if err != nil {
		return api.Report{}, err
	}
	name := acc.oath
	name.Issuer, name.Name = r.Issuer, r.Name
	if err := a.checkNewName(acc, name); err != nil {
		return api.Report{}, err
	}
	what := fmt.Sprintf("rename %s to %s", acc.Label(), name.Label())
	err = a.change(who, what, func(d *draft) error {
		row := d.accounts[acc.ID]
		row.Issuer, row.Name = r.Issuer, r.Name
		if err := d.putAccount(row); err != nil {
			return err
		}
		for _, c := range d.copiesOf(acc.ID) {
			if err := d.intendRename(c, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return api.Report{}, err
	}
	return a.carryOut(ctx, who, acc, intentRename, ""), nil
}

// intendRename plans the rename of one copy, in place of an earlier one that was not carried out.
func (d *draft) intendRename(c ledger.Copy, name oath.Account) error {
	for _, i := range d.intentsOf(c.Account) {
		if i.Kind == intentRename && i.Key == c.Key && i.CredID == c.CredID {
			if err := d.dropIntent(i.ID); err != nil {
				return err
			}
		}
	}
	name.Type, name.Period = c.Type, c.Period
	if c.State == string(api.CopyMissing) || c.CredID == name.ID() {
		return nil
	}
	return d.putIntent(ledger.Intent{
		ID: ledger.NewID(), Kind: intentRename, Key: c.Key, CredID: c.CredID, NewCredID: name.ID(),
		Account: c.Account, Seed: c.Seed, Touch: c.Touch, CreatedAt: now(),
	})
}

// checkNewName refuses a name that no key could hold, that means something else, or that is taken.
func (a *Agent) checkNewName(acc *accountView, name oath.Account) error {
	if name.Digits == 0 {
		name.Digits = 6 // an unproven copy has not told; the name does not depend on it
	}
	if err := name.Validate(); err != nil {
		e := wrap(api.CodeBadRequest, err, "cannot rename %s", acc.Label())
		e.Hint = "choose another name"
		return e
	}
	if name.Steam() != acc.Steam {
		return refuse(api.CodeBadRequest, "choose another issuer", "cannot rename %s: the issuer \"Steam\" stands for another form of code", acc.Label())
	}
	taken := slices.ContainsFunc(a.view.Load().namesakes(name), func(other *accountView) bool { return other.ID != acc.ID })
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.book.copiesOf(acc.ID) {
		other, there := a.book.copies[copyRef{c.Key, name.ID()}]
		taken = taken || there && other.Account != acc.ID
	}
	if taken {
		return refuse(api.CodeExists, "choose another name", "cannot rename %s: %s is another account", acc.Label(), name.Label())
	}
	return nil
}

// carryOut finishes an account's intents of one kind, as far as the keys are plugged in.
func (a *Agent) carryOut(ctx context.Context, who Caller, acc *accountView, kind, key string) api.Report {
	f := &finishing{a: a, who: who, steps: teller{step: func(api.Step) {}}}
	report := f.finish(ctx, func(i ledger.Intent) bool {
		return i.Account == acc.ID && i.Kind == kind && (key == "" || i.Key == key)
	})
	a.events.publish(api.Event{Kind: api.EventAccounts, Account: acc.ID, Label: acc.Label()})
	return report
}

// Remove deletes an account from one key, or from all (""), which forgets what the escrow has of it too. Without force it refuses
// to delete the last copy that is proved, or the last one of all; a seed in the escrow is one.
func (a *Agent) Remove(ctx context.Context, who Caller, account, key string, force bool) (api.Report, error) {
	acc, err := a.findRecorded(ctx, account, "remove")
	if err != nil {
		return api.Report{}, err
	}
	where, on := "all keys", ""
	if key != "" {
		k, err := a.view.Load().findKey(key)
		if err != nil {
			return api.Report{}, err
		}
		where, on = k.Label, k.ID
	}
	chosen := func(s source) bool { return on == "" || s.Key == on }
	if on != "" && !slices.ContainsFunc(acc.sources, chosen) {
		return api.Report{}, refuse(api.CodeNotFound, "it is "+acc.note(), "cannot remove %s from %s: it is not there", acc.Label(), where)
	}
	if err := acc.mayGo(where, on, force, chosen); err != nil {
		return api.Report{}, err
	}
	err = a.change(who, fmt.Sprintf("remove %s from %s", acc.Label(), where), func(d *draft) error {
		if on == "" {
			if err := d.dropEscrow(acc.ID); err != nil {
				return err
			}
		}
		return d.intendRemoval(acc.ID, on)
	})
	if err != nil {
		return api.Report{}, err
	}
	return a.carryOut(ctx, who, acc, intentDelete, on), nil
}

// mayGo refuses a removal that would leave nothing of worth.
func (acc *accountView) mayGo(where, on string, force bool, chosen func(source) bool) error {
	switch {
	case force:
	case acc.Escrow == api.EscrowLive && on == "":
		return refuse(api.CodeLastCopy, "use --force to forget it, or --keep to take it off the keys and leave its seed in the escrow",
			"cannot remove %s: that would destroy its seed in the escrow too", acc.Label())
	case acc.Escrow != api.EscrowLive && lastCopies(acc, chosen):
		return refuse(api.CodeLastCopy, "use --force if the account is closed, or its seed is kept elsewhere",
			"cannot remove %s from %s: that would destroy the last copy", acc.Label(), where)
	}
	return nil
}

// Withdraw takes an account off all keys, and leaves its seed in the escrow, where it must be.
func (a *Agent) Withdraw(ctx context.Context, who Caller, account string) (api.Report, error) {
	acc, err := a.findRecorded(ctx, account, "remove")
	if err != nil {
		return api.Report{}, err
	}
	if acc.Escrow != api.EscrowLive {
		return api.Report{}, refuse(api.CodeNoEscrow, "add it once more, with the seed, and it will be", "cannot keep %s: its seed is not in the escrow", acc.Label())
	}
	err = a.change(who, fmt.Sprintf("take %s off all keys, its seed stays in the escrow", acc.Label()), func(d *draft) error {
		return d.intendRemoval(acc.ID, "")
	})
	if err != nil {
		return api.Report{}, err
	}
	return a.carryOut(ctx, who, acc, intentDelete, ""), nil
}

// lastCopies reports whether nothing of worth would remain: no proved (or written) copy where there was one, no copy at all
// where there was none.
func lastCopies(acc *accountView, chosen func(source) bool) bool {
	valuable := source.sure
	if !slices.ContainsFunc(acc.sources, valuable) {
		valuable = source.there
	}
	lost, left := 0, 0
	for _, s := range acc.sources {
		switch {
		case !valuable(s):
		case chosen(s):
			lost++
		default:
			left++
		}
	}
	return lost > 0 && left == 0
}

// intendRemoval turns the copies, and what open attempts may have left, into intents to delete. What is
// missing already is forgotten.
func (d *draft) intendRemoval(account, key string) error {
	for _, i := range d.intentsOf(account) {
		if key != "" && i.Key != key {
			continue
		}
		if err := d.dropIntent(i.ID); err != nil {
			return err
		}
		if left := leftBehind(i); left != "" {
			if err := d.intendDelete(ledger.Copy{Key: i.Key, CredID: left, Account: account, Seed: i.Seed, Touch: i.Touch}); err != nil {
				return err
			}
		}
	}
	for _, c := range d.copiesOf(account) {
		if key != "" && c.Key != key {
			continue
		}
		forget := d.intendDelete
		if c.State == string(api.CopyMissing) || d.keys[c.Key].State == string(api.KeyLost) {
			forget = func(c ledger.Copy) error { return d.dropCopy(copyRef{c.Key, c.CredID}) }
		}
		if err := forget(c); err != nil {
			return err
		}
	}
	return d.dropIfEmpty(account)
}

func (d *draft) intendDelete(c ledger.Copy) error {
	return d.putIntent(ledger.Intent{
		ID: ledger.NewID(), Kind: intentDelete, Key: c.Key, CredID: c.CredID,
		Account: c.Account, Seed: c.Seed, Touch: c.Touch, CreatedAt: now(),
	})
}

// leftBehind is the credential that an attempt may have left on the key, beside the copy in the ledger.
func leftBehind(i ledger.Intent) string {
	switch i.Kind {
	case intentPut:
		return i.CredID
	case intentRename:
		return i.NewCredID
	}
	return ""
}
