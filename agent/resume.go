package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// finishing closes open intents: after a crash, a pulled key, or as the second half of a rename or removal.
type finishing struct {
	a       *Agent
	who     Caller
	discard bool

	mu       sync.Mutex
	step     func(api.Step)
	outcomes []finished
}

// finished is what became of one intent.
type finished struct {
	intent ledger.Intent
	state  api.CopyState
	err    error
	// warning is for people, where the intent is settled all the same.
	warning string
	// settle brings the ledger in line; nil while the intent stays open.
	settle func(*draft) error
}

// Resume looks at every open intent: a copy that landed is proved and kept, one that is absent needs its seed again
// ("scan the code again"), and what is foreign is left alone. Removals and renames are carried out.
func (a *Agent) Resume(ctx context.Context, who Caller, r api.ResumeRequest, step func(api.Step)) (api.Report, error) {
	f := &finishing{a: a, who: who, discard: r.Discard, step: step}
	f.run(ctx, func(ledger.Intent) bool { return true })
	return f.report(), nil
}

// run finishes the intents that match, all keys in parallel, one transaction for each key.
func (f *finishing) run(ctx context.Context, match func(ledger.Intent) bool) {
	byKey := map[string][]ledger.Intent{}
	f.a.mu.Lock()
	for _, i := range f.a.book.intents {
		if match(i) {
			byKey[i.Key] = append(byKey[i.Key], i)
		}
	}
	f.a.mu.Unlock()
	var keys sync.WaitGroup
	for key, intents := range byKey {
		slices.SortFunc(intents, func(x, y ledger.Intent) int { return strings.Compare(x.CredID+x.ID, y.CredID+y.ID) })
		keys.Go(func() { f.finishKey(ctx, key, intents) })
	}
	keys.Wait()
}

func (f *finishing) finishKey(ctx context.Context, key string, intents []ledger.Intent) {
	w := f.a.presentWorker(key)
	if w == nil {
		f.conclude(ctx, f.unreachable(intents, f.a.absent(key)))
		return
	}
	var done []finished
	ended := make(chan struct{})
	w.submit(job{
		work: func(card hw.Card) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s, err := f.a.open(w, card)
			if err != nil {
				return err
			}
			listing, err := s.List()
			if err != nil {
				return err
			}
			for _, i := range intents {
				one := f.finishOne(s, listing, i)
				done = append(done, one)
				if fatal(one.err) {
					return one.err
				}
			}
			return nil
		},
		done: func(err error) {
			defer close(ended)
			f.a.noticed(w, err)
			if err != nil {
				done = append(done, f.unreachable(intents[len(done):], err)...)
			}
			f.conclude(ctx, done)
		},
	})
	<-ended
	if slices.ContainsFunc(done, func(one finished) bool { return one.settle != nil }) {
		_ = f.a.inspect(ctx, w, false) // what goes wrong here is shown as the key's trouble
	}
}

// unreachable are intents on a key that could not be asked.
func (f *finishing) unreachable(intents []ledger.Intent, err error) []finished {
	list := make([]finished, len(intents))
	for n, i := range intents {
		list[n] = finished{intent: i, state: api.CopyPending, err: err}
		if f.discard && i.Kind == intentPut {
			list[n] = f.discarded(i)
		}
	}
	return list
}

func (f *finishing) finishOne(s *ykoath.Session, listing []ykoath.Entry, i ledger.Intent) finished {
	switch i.Kind {
	case intentDelete:
		return f.finishDelete(s, listing, i)
	case intentRename:
		return f.finishRename(s, listing, i)
	}
	return f.finishPut(s, listing, i)
}

func find(listing []ykoath.Entry, id string) (ykoath.Entry, bool) {
	n := slices.IndexFunc(listing, func(e ykoath.Entry) bool { return e.ID == id })
	if n < 0 {
		return ykoath.Entry{}, false
	}
	return listing[n], true
}

// finishPut tells whether a broken PUT landed. It never deletes and never writes.
func (f *finishing) finishPut(s *ykoath.Session, listing []ykoath.Entry, i ledger.Intent) finished {
	e, there := find(listing, i.CredID)
	if !there {
		if f.discard {
			return f.discarded(i)
		}
		return finished{intent: i, state: api.CopyMissing, err: refuse(api.CodeNotFound,
			"add the account again with the service's QR code, or drop the attempt with \"oathctl resume --discard\"", "cannot finish %s: it did not reach the key, and without an escrow its seed is gone", i.CredID)}
	}
	row := ledger.Copy{Key: i.Key, CredID: i.CredID, Account: i.Account, Type: e.Type, Algorithm: e.Algorithm, Touch: i.Touch, Seed: i.Seed, State: string(api.CopyWritten), ProvedAt: now()}
	acc, same, err := f.compare(s, e, i)
	if err != nil {
		return finished{intent: i, state: api.CopyPending, err: err}
	}
	if !same {
		if f.discard {
			return f.discarded(i)
		}
		return finished{intent: i, state: api.CopyMismatch, err: refuse(api.CodeProofFailed,
			"another program wrote it; drop the attempt with \"oathctl resume --discard\"", "cannot finish %s: the key holds another seed under this name", i.CredID)}
	}
	if e.Type == oath.TOTP {
		row.State = string(api.CopyProved)
	}
	row.Digits, row.Period = acc.Digits, acc.Period
	return finished{intent: i, state: api.CopyState(row.State), settle: func(d *draft) error {
		if row.Digits == 0 {
			row.Digits = d.accounts[row.Account].Digits
		}
		return d.putCopy(row)
	}}
}

// compare asks whether a credential has the seed that the intent names. HOTP can't be asked, and an intent
// without a seed has nothing to compare; both count as the same.
func (f *finishing) compare(s *ykoath.Session, e ykoath.Entry, i ledger.Intent) (oath.Account, bool, error) {
	acc := oath.ParseID(e.Type, e.ID)
	acc.Algorithm = e.Algorithm
	if e.Type == oath.HOTP || i.Seed == "" {
		return acc, true, nil
	}
	f.a.mu.Lock()
	seed, y := f.a.book.seeds[i.Seed], f.a.book.yardstick()
	f.a.mu.Unlock()
	var got prints
	tell := func() { f.tell(api.StepWaitTouch, i) }
	err := f.a.touching(f.who, i.Key, i.Account, i.CredID, i.Touch, tell, func() (err error) {
		got, acc, err = y.ask(s, e.ID, acc)
		return err
	})
	same, _ := got.matches(seed)
	return acc, same, err
}

// finishDelete removes the credential if it is the one that was meant.
func (f *finishing) finishDelete(s *ykoath.Session, listing []ykoath.Entry, i ledger.Intent) finished {
	gone := finished{intent: i, state: api.CopyMissing, settle: func(d *draft) error {
		c, ok := d.copies[copyRef{i.Key, i.CredID}]
		if !ok {
			return nil
		}
		return d.dropCopy(c)
	}}
	e, there := find(listing, i.CredID)
	if !there {
		return gone
	}
	// A touch only to delete would be too much to ask; what needs one is told by name and type.
	if !i.Touch {
		_, same, err := f.compare(s, e, i)
		if err != nil {
			return finished{intent: i, state: api.CopyPending, err: err}
		}
		if !same {
			return finished{intent: i, state: api.CopyMismatch, err: refuse(api.CodeProofFailed,
				"look at it with \"oathctl verify\"", "cannot remove %s: the key holds another seed under this name", i.CredID)}
		}
	}
	if err := s.Delete(i.CredID); err != nil {
		return finished{intent: i, state: api.CopyPending, err: err}
	}
	return gone
}

// finishRename renames, or finds it done. A key that can't keeps the old name; the account has the new one.
func (f *finishing) finishRename(s *ykoath.Session, listing []ykoath.Entry, i ledger.Intent) finished {
	_, before := find(listing, i.CredID)
	_, after := find(listing, i.NewCredID)
	renamed := finished{intent: i, state: api.CopyProved, settle: func(d *draft) error {
		c, ok := d.copies[copyRef{i.Key, i.CredID}]
		if !ok {
			return nil
		}
		if err := d.dropCopy(c); err != nil {
			return err
		}
		c.CredID = i.NewCredID
		return d.putCopy(c)
	}}
	kept := finished{intent: i, state: api.CopyProved, settle: func(*draft) error { return nil }}
	switch {
	case !before && after:
		return renamed
	case !before:
		kept.warning = fmt.Sprintf("%s is no longer on %s", i.CredID, f.label(i.Key))
		return kept
	case !s.Info().Features().Rename:
		kept.warning = fmt.Sprintf("%s keeps the name %s: its firmware cannot rename", f.label(i.Key), i.CredID)
		return kept
	}
	if err := s.Rename(i.CredID, i.NewCredID); err != nil {
		if fatal(err) {
			return finished{intent: i, state: api.CopyPending, err: err}
		}
		kept.err = err
		return kept
	}
	return renamed
}

// discarded drops an intent whose seed is gone; what is on the key stays there.
func (f *finishing) discarded(i ledger.Intent) finished {
	return finished{intent: i, state: api.CopyMissing, settle: func(*draft) error { return nil }}
}

// conclude writes down what was found on one key, in one commit.
func (f *finishing) conclude(ctx context.Context, done []finished) {
	if err := f.save(ctx, done); err != nil {
		for n := range done {
			done[n].err, done[n].settle = err, nil
		}
	}
	f.mu.Lock()
	f.outcomes = append(f.outcomes, done...)
	f.mu.Unlock()
}

func (f *finishing) save(ctx context.Context, done []finished) error {
	var names []string
	for _, one := range done {
		if one.settle != nil {
			names = append(names, fmt.Sprintf("%s %s on %s", one.intent.Kind, one.intent.CredID, f.label(one.intent.Key)))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return f.a.change(ctx, f.who, "finished: "+strings.Join(names, ", "), func(d *draft) error {
		for _, one := range done {
			if one.settle == nil {
				continue
			}
			if err := one.settle(d); err != nil {
				return err
			}
			if err := d.dropIntent(one.intent.ID); err != nil {
				return err
			}
			if err := d.dropIfEmpty(one.intent.Account); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *finishing) label(key string) string {
	if k := f.a.view.Load().keys[key]; k != nil {
		return k.Label
	}
	return key
}

func (f *finishing) tell(kind api.StepKind, i ledger.Intent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step(api.Step{Kind: kind, Key: i.Key, KeyLabel: f.label(i.Key), Account: i.Account, Label: i.CredID})
}

// report sorts the outcomes by account.
func (f *finishing) report() api.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.a.view.Load()
	r := api.Report{Complete: true}
	index := map[string]int{}
	slices.SortStableFunc(f.outcomes, func(x, y finished) int { return strings.Compare(x.intent.CredID, y.intent.CredID) })
	for _, one := range f.outcomes {
		i := one.intent
		n, ok := index[i.Account]
		if !ok {
			n = len(r.Accounts)
			index[i.Account] = n
			r.Accounts = append(r.Accounts, f.account(v, i))
		}
		o := api.Outcome{Key: i.Key, KeyLabel: f.label(i.Key), State: one.state}
		if k := v.keys[i.Key]; k != nil {
			o.Soft = k.Soft
		}
		if one.err != nil {
			o.Error = cardError(one.err, "cannot finish %s on %s", i.CredID, o.KeyLabel)
			r.Complete = false
		}
		if one.warning != "" {
			r.Accounts[n].Warnings = append(r.Accounts[n].Warnings, one.warning)
		}
		r.Accounts[n].Outcomes = append(r.Accounts[n].Outcomes, o)
	}
	return r
}

func (f *finishing) account(v *view, i ledger.Intent) api.AccountReport {
	if acc := v.accounts[i.Account]; acc != nil {
		return api.AccountReport{Account: acc.ID, Label: acc.Label(), Wanted: acc.Wanted, Proved: acc.Proved, LostWith: v.lostWith(acc.ID)}
	}
	return api.AccountReport{Account: i.Account, Label: i.CredID}
}
