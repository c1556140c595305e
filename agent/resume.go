package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// Resume looks at every open intent: a copy that landed is proved and kept, one that is absent needs its seed again
// ("scan the code again"), and what is foreign is left alone. Removals and renames are carried out.
func (a *Agent) Resume(ctx context.Context, who Caller, r api.ResumeRequest, step func(api.Step)) (api.Report, error) {
	return a.resume(ctx, &finishing{a: a, who: who, discard: r.Discard, steps: teller{step: step}})
}

func (a *Agent) resume(ctx context.Context, f *finishing) (api.Report, error) {
	a.recheck(ctx)
	report := f.finish(ctx, func(ledger.Intent) bool { return true })
	a.events.publish(api.Event{Kind: api.EventAccounts})
	return report, nil
}

// finishPut tells whether a broken PUT landed. It never deletes and never writes.
func (f *finishing) finishPut(v *visit, i ledger.Intent) finished {
	e, there := v.find(i.CredID)
	if !there && !f.discard && f.a.inEscrow(i.Account) {
		return finished{intent: i, state: api.CopyMissing, err: refuse(api.CodeLocked, "the escrow has its seed: run \"oathctl resume --with …\"",
			"cannot finish %s: it did not reach %s", i.CredID, f.a.keyLabel(i.Key))}
	}
	if !there {
		return f.lost(i, api.CopyMissing, refuse(api.CodeNotFound,
			"scan the code again, that is, add the account anew with what the service shows; \"oathctl resume --discard\" drops the attempt",
			"cannot finish %s: it did not reach %s, and without an escrow its seed is gone", i.CredID, f.a.keyLabel(i.Key)))
	}
	is, digits, err := f.identify(v, e, i, true)
	if err != nil {
		return finished{intent: i, state: api.CopyPending, err: err}
	}
	if is == different {
		return f.lost(i, api.CopyMismatch, refuse(api.CodeProofFailed,
			"another program wrote it; \"oathctl resume --discard\" drops the attempt", "cannot finish %s: %s holds another seed under this name", i.CredID, f.a.keyLabel(i.Key)))
	}
	row := ledger.Copy{
		Key: i.Key, CredID: i.CredID, Account: i.Account, Type: e.Type, Algorithm: e.Algorithm,
		Digits: digits, Period: oath.ParseID(e.Type, e.ID).Period, Touch: i.Touch, Seed: i.Seed, State: string(landed(e.Type, is)),
	}
	if is == same {
		f.say(api.StepProved, i, nil)
	}
	return finished{intent: i, state: api.CopyState(row.State), settle: func(d *draft) error {
		if row.Digits == 0 {
			row.Digits = d.accounts[row.Account].Digits
		}
		return d.keepCopy(row)
	}}
}

// landed is the state of a copy that a broken PUT left, or seems to have left.
func landed(t oath.Type, is sameness) api.CopyState {
	switch {
	case t == oath.HOTP:
		return api.CopyWritten
	case is == same:
		return api.CopyProved
	}
	return api.CopyUnproven
}

// lost is an attempt that can't be finished. It stays open until the user drops it.
func (f *finishing) lost(i ledger.Intent, state api.CopyState, err error) finished {
	if f.discard {
		return discarded(i)
	}
	return finished{intent: i, state: state, err: err}
}

// finishDelete removes the credential if it is the one that was meant.
func (f *finishing) finishDelete(v *visit, i ledger.Intent) finished {
	ref := copyRef{i.Key, i.CredID}
	gone := finished{intent: i, state: api.CopyMissing, settle: func(d *draft) error { return d.dropCopy(ref) }}
	e, there := v.find(i.CredID)
	if !there {
		return gone
	}
	is, _, err := f.identify(v, e, i, false)
	if fatal(err) {
		return finished{intent: i, state: api.CopyPending, err: err}
	}
	if is == different && f.a.becomes(i.Key, i.CredID) {
		return gone // and what got its name since is meant to have it
	}
	if is == different {
		gone.state, gone.err = api.CopyMismatch, refuse(api.CodeProofFailed, "it is an account of its own now: \"oathctl accounts\" shows it",
			"cannot remove %s: %s holds another seed under this name, which was left alone", i.CredID, f.a.keyLabel(i.Key))
		return gone
	}
	if err := v.Delete(i.CredID); err != nil {
		return finished{intent: i, state: api.CopyPending, err: err}
	}
	v.removed(i.CredID)
	return gone
}

// becomes reports whether another credential on the key is to get that id.
func (a *Agent) becomes(key, cred string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range a.book.intents {
		if i.Kind == intentRename && i.Key == key && i.NewCredID == cred {
			return true
		}
	}
	return false
}

// finishRename renames, or finds it done. A key that can't keeps the old name; the account has the new one.
func (f *finishing) finishRename(v *visit, i ledger.Intent) finished {
	old, before := v.find(i.CredID)
	renamed, after := v.find(i.NewCredID)
	done := finished{intent: i, state: f.stateOf(i), settle: func(d *draft) error { return d.moveCopy(i, false) }}
	kept := finished{intent: i, state: f.stateOf(i), settle: asItIs}
	switch {
	case !before && after:
		is, _, err := f.identify(v, renamed, i, false)
		switch {
		case fatal(err):
			return finished{intent: i, state: api.CopyPending, err: err}
		case is == same:
			return finished{intent: i, state: api.CopyProved, settle: func(d *draft) error { return d.moveCopy(i, true) }}
		case is == incomparable:
			return done
		}
		fallthrough
	case !before:
		kept.state, kept.warning = api.CopyMissing, fmt.Sprintf("%s is no longer on %s", i.CredID, f.a.keyLabel(i.Key))
		return kept
	}
	switch err := v.Rename(i.CredID, i.NewCredID); {
	case fatal(err):
		return finished{intent: i, state: api.CopyPending, err: err}
	case errors.Is(err, ykoath.ErrNotSupported):
		kept.warning = fmt.Sprintf("%s keeps the name %s: its firmware cannot rename", f.a.keyLabel(i.Key), i.CredID)
		return kept
	case err != nil:
		kept.err = err
		return kept
	}
	v.removed(i.CredID)
	old.ID = i.NewCredID
	v.added(old)
	return done
}

// stateOf is the state of the copy that an intent is about.
func (f *finishing) stateOf(i ledger.Intent) api.CopyState {
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	c, ok := f.a.book.copies[copyRef{i.Key, i.CredID}]
	if moved, seen := f.a.book.copies[copyRef{i.Key, i.NewCredID}]; seen && moved.Account == i.Account {
		c, ok = moved, true
	}
	if !ok {
		return api.CopyMissing
	}
	return api.CopyState(c.State)
}

// moveCopy gives a copy its new id. A look at the key may have found the new name already, and the old one missing; proved says that
// it has just answered for its account's seed.
func (d *draft) moveCopy(i ledger.Intent, proved bool) error {
	c, ok := d.copies[copyRef{i.Key, i.CredID}]
	if !ok {
		return nil
	}
	if err := d.dropCopy(copyRef{i.Key, i.CredID}); err != nil {
		return err
	}
	found, seen := d.copies[copyRef{i.Key, i.NewCredID}]
	if seen && found.Seed != "" {
		return nil // a proof has filed it
	}
	c.CredID = i.NewCredID
	switch {
	case proved:
		c.State, c.Seed, c.ProvedAt = string(api.CopyProved), d.accounts[c.Account].Seed, now()
	case c.State == string(api.CopyMissing):
		c.State = string(landed(c.Type, incomparable))
	}
	if err := d.putCopy(c); err != nil || !seen {
		return err
	}
	return d.dropIfEmpty(found.Account)
}
