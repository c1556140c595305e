package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// finishing closes open intents: after a crash, a pulled key, or as the second half of a rename or removal.
type finishing struct {
	a   *Agent
	who Caller
	// discard drops attempts to write what can't be written without its seed.
	discard bool
	// opens says that what is absent is written from the escrow next: it is no failure yet.
	opens bool
	steps teller
	// labels are the names of the accounts before anything is done: some will be gone.
	labels map[string]string

	mu       sync.Mutex
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

// finish closes the intents that match, all keys in parallel, one transaction for each key.
func (f *finishing) finish(ctx context.Context, match func(ledger.Intent) bool) api.Report {
	var keys sync.WaitGroup
	for key, intents := range f.gather(match) {
		keys.Go(func() { f.finishKey(ctx, key, intents) })
	}
	keys.Wait()
	f.steps.finish()
	return f.report()
}

// gather sorts the intents by key, in an order that does not change, and notes what their accounts are called.
func (f *finishing) gather(match func(ledger.Intent) bool) map[string][]ledger.Intent {
	byKey := map[string][]ledger.Intent{}
	f.labels = map[string]string{}
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	for _, i := range f.a.book.intents {
		if match(i) {
			byKey[i.Key] = append(byKey[i.Key], i)
			f.labels[i.Account] = f.a.book.label(i)
		}
	}
	for _, intents := range byKey {
		// What is to be deleted makes room, and frees the name that another is to get.
		slices.SortFunc(intents, func(x, y ledger.Intent) int {
			return cmp.Or(boolCompare(x.Kind != intentDelete, y.Kind != intentDelete), strings.Compare(x.CredID, y.CredID), strings.Compare(x.ID, y.ID))
		})
	}
	return byKey
}

// label is what people call the account of an intent.
func (b *book) label(i ledger.Intent) string {
	if row, ok := b.accounts[i.Account]; ok {
		return oath.Account{Issuer: row.Issuer, Name: row.Name}.Label()
	}
	return i.CredID
}

func (f *finishing) finishKey(ctx context.Context, key string, intents []ledger.Intent) {
	w := f.a.presentWorker(key)
	if w == nil {
		f.conclude(nil, f.away(intents, f.a.absentThen(key, "\"oathctl resume\" finishes it")))
		return
	}
	var done []finished
	err := f.a.visit(ctx, w, key, func(v *visit) error {
		for _, i := range intents {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			one := f.finishOne(v, i)
			done = append(done, one)
			if fatal(one.err) {
				return one.err
			}
		}
		return nil
	}, func(v *visit, err error) error {
		f.conclude(v, done)
		return err
	})
	if err != nil {
		f.conclude(nil, pending(intents[len(done):], err))
	}
	if slices.ContainsFunc(done, func(one finished) bool { return one.state == api.CopyMismatch }) {
		_ = f.a.inspect(ctx, w, true) // finds out what is there; what goes wrong is shown as the key's trouble
	}
}

// pending are intents that nothing could be done about.
func pending(intents []ledger.Intent, err error) []finished {
	list := make([]finished, len(intents))
	for n, i := range intents {
		list[n] = finished{intent: i, state: api.CopyPending, err: err}
	}
	return list
}

// away are intents on a key that is not plugged in.
func (f *finishing) away(intents []ledger.Intent, err error) []finished {
	list := pending(intents, err)
	for n, i := range intents {
		if f.discard && i.Kind == intentPut {
			list[n] = discarded(i)
		}
	}
	return list
}

// discarded drops an attempt whose seed is gone; what is on the key stays there.
func discarded(i ledger.Intent) finished {
	return finished{intent: i, state: api.CopyMissing, settle: asItIs}
}

// asItIs settles an intent that changes nothing in the ledger.
func asItIs(*draft) error { return nil }

func (f *finishing) finishOne(v *visit, i ledger.Intent) finished {
	switch i.Kind {
	case intentDelete:
		return f.finishDelete(v, i)
	case intentRename:
		return f.finishRename(v, i)
	}
	return f.finishPut(v, i)
}

// identify tells whether a credential is the one that an intent is about. Without asking that much of a person as a
// touch, or where the key refuses to answer, it goes by name, type and algorithm.
func (f *finishing) identify(v *visit, e ykoath.Entry, i ledger.Intent, touch bool) (sameness, int, error) {
	seed, acc, known := f.expected(e, i)
	if e.Type != acc.Type || e.Algorithm != acc.Algorithm {
		return different, 0, nil
	}
	if !known || e.Type == oath.HOTP || i.Touch && !touch {
		return incomparable, 0, nil
	}
	about := api.Event{Key: i.Key, Account: i.Account, Label: f.labels[i.Account]}
	t := f.a.expectTouch(v.w, i.Touch, about, only(f.who), func() { f.say(api.StepWaitTouch, i, nil) })
	got, digits, err := f.a.yardstick().ask(v.Session, e.ID, acc)
	t.end()
	if err != nil {
		return incomparable, 0, err
	}
	return got.compare(printsOf(seed)), digits, nil
}

// expected returns the seed and the account that an intent is about, as the ledger knows them.
func (f *finishing) expected(e ykoath.Entry, i ledger.Intent) (ledger.Seed, oath.Account, bool) {
	acc := oath.ParseID(e.Type, e.ID)
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	if row, ok := f.a.book.accounts[i.Account]; ok {
		acc.Type, acc.Algorithm, acc.Digits, acc.Period = row.Type, row.Algorithm, row.Digits, row.Period
	} else {
		acc.Algorithm = e.Algorithm
	}
	seed, known := f.a.book.seeds[i.Seed]
	return seed, acc, known
}

// conclude writes down what was found, in one commit. v is nil where no card was asked.
func (f *finishing) conclude(v *visit, done []finished) {
	if err := f.save(v, done); err != nil {
		for n := range done {
			done[n].err, done[n].settle = err, nil
		}
	}
	f.mu.Lock()
	f.outcomes = append(f.outcomes, done...)
	f.mu.Unlock()
	for _, one := range done {
		if one.err != nil && !(f.opens && one.state == api.CopyMissing) {
			f.say(api.StepFailed, one.intent, f.explain(one))
		}
	}
}

func (f *finishing) save(v *visit, done []finished) error {
	var names []string
	for _, one := range done {
		if one.settle != nil {
			names = append(names, fmt.Sprintf("%s %s on %s", one.intent.Kind, one.intent.CredID, f.a.keyLabel(one.intent.Key)))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return f.a.change(f.who, "finished: "+strings.Join(names, ", "), func(d *draft) error {
		for _, one := range done {
			if err := d.close(one); err != nil {
				return err
			}
		}
		if v == nil {
			return nil
		}
		return d.relist(v)
	})
}

// close settles an intent, if it can be.
func (d *draft) close(one finished) error {
	if one.settle == nil {
		return nil
	}
	if err := one.settle(d); err != nil {
		return err
	}
	if err := d.dropIntent(one.intent.ID); err != nil {
		return err
	}
	return d.dropIfEmpty(one.intent.Account)
}

func (f *finishing) say(kind api.StepKind, i ledger.Intent, err *api.Error) {
	f.steps.tell(api.Step{Kind: kind, Key: i.Key, KeyLabel: f.a.keyLabel(i.Key), Account: i.Account, Label: f.labels[i.Account], Error: err})
}

func (f *finishing) explain(one finished) *api.Error {
	verb := map[string]string{intentPut: "finish", intentDelete: "remove", intentRename: "rename"}[one.intent.Kind]
	return cardError(one.err, "cannot %s %s on %s", verb, one.intent.CredID, f.a.keyLabel(one.intent.Key))
}

// report sorts the outcomes by account.
func (f *finishing) report() api.Report {
	v := f.a.view.Load()
	r := api.Report{Accounts: []api.AccountReport{}, Complete: true}
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
		o := api.Outcome{Key: i.Key, KeyLabel: f.a.keyLabel(i.Key), State: one.state}
		if k := v.keys[i.Key]; k != nil {
			o.Soft = k.Soft
		}
		if one.err != nil {
			o.Error, r.Complete = f.explain(one), false
		}
		if one.warning != "" {
			r.Accounts[n].Warnings = append(r.Accounts[n].Warnings, one.warning)
		}
		r.Accounts[n].Outcomes = append(r.Accounts[n].Outcomes, o)
	}
	return r
}

func (f *finishing) account(v *view, i ledger.Intent) api.AccountReport {
	acc := v.accounts[i.Account]
	switch {
	case acc != nil && acc.Superseded: // nobody wants copies of it
		return api.AccountReport{Account: acc.ID, Label: acc.Label()}
	case acc != nil:
		return api.AccountReport{Account: acc.ID, Label: acc.Label(), Wanted: acc.Wanted, Proved: acc.Proved, LostWith: v.lostWith(acc)}
	}
	return api.AccountReport{Account: i.Account, Label: f.labels[i.Account]}
}
