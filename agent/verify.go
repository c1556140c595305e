package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// verification proves copies on the keys that are plugged in.
type verification struct {
	a   *Agent
	who Caller
	// account narrows it to one, key to one; "" means all.
	account, key string
	touch        bool

	mu   sync.Mutex
	step func(api.Step)
	// before are the copies as the ledger had them; failed what went wrong, by key.
	before []ledger.Copy
	failed map[string]error
}

// Verify proves copies: one CALCULATE ALL for each key, and with r.Touch one touch for each credential that
// needs it. With r.Current it declares which of several accounts of one name is the valid one.
func (a *Agent) Verify(ctx context.Context, who Caller, r api.VerifyRequest, step func(api.Step)) (api.Report, error) {
	if r.Current != "" {
		return a.declareCurrent(ctx, who, r)
	}
	j := &verification{a: a, who: who, touch: r.Touch, step: step, failed: map[string]error{}}
	if err := j.narrow(ctx, r); err != nil {
		return api.Report{}, err
	}
	a.mu.Lock()
	for _, c := range a.book.copies {
		if (j.account == "" || c.Account == j.account) && (j.key == "" || c.Key == j.key) {
			j.before = append(j.before, c)
		}
	}
	workers := map[string]*worker{}
	for _, w := range a.workers {
		if w.state.key != "" && (j.key == "" || w.state.key == j.key) {
			workers[w.state.key] = w
		}
	}
	a.mu.Unlock()
	j.run(ctx, workers)
	return j.report(), nil
}

func (j *verification) narrow(ctx context.Context, r api.VerifyRequest) error {
	if r.Key != "" {
		k, err := j.a.view.Load().findKey(r.Key)
		if err != nil {
			return err
		}
		if k.State != api.KeyAdopted {
			return refuse(api.CodeNotAdopted, fmt.Sprintf("run \"oathctl key adopt %s\"", k.Label), "cannot verify %s: it is not adopted", k.Label)
		}
		if !k.Present {
			return j.a.absent(k.ID)
		}
		j.key = k.ID
	}
	if r.Account == "" {
		return nil
	}
	acc, err := j.a.findFresh(ctx, r.Account)
	if err != nil {
		return err
	}
	if !acc.recorded {
		return refuse(api.CodeNotAdopted, fmt.Sprintf("run \"oathctl key adopt %s\"", acc.sources[0].KeyLabel), "cannot verify %s: its key is not adopted", acc.Label())
	}
	j.account = acc.ID
	return nil
}

// run looks at all keys in parallel.
func (j *verification) run(ctx context.Context, workers map[string]*worker) {
	var keys sync.WaitGroup
	for key, w := range workers {
		keys.Go(func() {
			if err := j.verifyKey(ctx, w, key); err != nil {
				j.mu.Lock()
				j.failed[key] = err
				j.mu.Unlock()
			}
		})
	}
	keys.Wait()
}

// verifyKey probes the whole key, then asks one by one what CALCULATE ALL could not tell.
func (j *verification) verifyKey(ctx context.Context, w *worker, key string) error {
	if err := j.a.inspect(ctx, w, true); err != nil {
		return err
	}
	for _, c := range j.unanswered(key) {
		if err := j.proveOne(ctx, w, c); fatal(err) {
			return err
		}
	}
	return nil
}

// unanswered lists the TOTP copies that have no fresh proof. What may need a touch is among them only if the
// user agreed to touch.
func (j *verification) unanswered(key string) []ledger.Copy {
	j.a.mu.Lock()
	defer j.a.mu.Unlock()
	w := j.a.workerOf(key)
	var list []ledger.Copy
	for _, c := range j.a.book.copiesOn(key) {
		wanted := j.account == "" || c.Account == j.account
		if wanted && c.Type == oath.TOTP && c.State != string(api.CopyMissing) && j.touch && (c.Touch || !j.proved(w, c)) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(x, y ledger.Copy) int { return slices.Compare([]byte(x.CredID), []byte(y.CredID)) })
	return list
}

// proved reports whether the look that has just been taken proved the copy. Callers hold the agent's mu.
func (j *verification) proved(w *worker, c ledger.Copy) bool {
	return w != nil && c.State == string(api.CopyProved) && w.state.probed
}

// proveOne asks one credential, which may wait for a touch, and files the answer.
func (j *verification) proveOne(ctx context.Context, w *worker, c ledger.Copy) error {
	a := j.a
	cred := credential{Entry: ykoath.Entry{ID: c.CredID, Type: c.Type, Algorithm: c.Algorithm}, touch: c.Touch, touchKnown: true}
	y := a.yardstick()
	tell := func() { cred.touch = true; j.tell(api.StepWaitTouch, c) }
	result := make(chan error, 1)
	w.submit(job{
		work: func(card hw.Card) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s, err := a.open(w, card)
			if err != nil {
				return err
			}
			return a.touching(j.who, c.Key, c.Account, c.CredID, c.Touch, tell, func() (err error) {
				var acc oath.Account
				cred.prints, acc, err = y.ask(s, c.CredID, cred.account())
				cred.digits = acc.Digits
				return err
			})
		},
		done: func(err error) {
			a.noticed(w, err)
			if err == nil {
				err = a.fileProof(ctx, c.Key, cred)
			}
			result <- err
		},
	})
	err := <-result
	if err == nil {
		j.tell(api.StepProved, c)
	} else {
		j.note(c, err)
	}
	return err
}

func (a *Agent) fileProof(ctx context.Context, key string, cred credential) error {
	var stopped *ledger.Copy
	err := a.observe(ctx, func(d *draft) (err error) {
		stopped, err = d.place(key, cred)
		return err
	})
	if err == nil && stopped != nil {
		a.reportStopped([]ledger.Copy{*stopped})
	}
	return err
}

func (j *verification) tell(kind api.StepKind, c ledger.Copy) {
	s := api.Step{Kind: kind, Key: c.Key, Account: c.Account, Label: c.CredID}
	if k := j.a.view.Load().keys[c.Key]; k != nil {
		s.KeyLabel = k.Label
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.step(s)
}

func (j *verification) note(c ledger.Copy, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed[c.Key+"\x00"+c.CredID] = err
}

// report compares every copy with what it was.
func (j *verification) report() api.Report {
	v := j.a.view.Load()
	r := api.Report{Complete: true}
	for _, acc := range v.accountList {
		if !acc.recorded || j.account != "" && acc.ID != j.account {
			continue
		}
		account := api.AccountReport{Account: acc.ID, Label: acc.Label(), Wanted: acc.Wanted, Proved: acc.Proved, LostWith: v.lostWith(acc.ID)}
		for _, s := range acc.sources {
			if j.key == "" || s.Key == j.key {
				account.Outcomes = append(account.Outcomes, j.outcome(s))
			}
		}
		account.Outcomes = append(account.Outcomes, j.stopped(v, acc)...)
		for _, o := range account.Outcomes {
			r.Complete = r.Complete && o.Error == nil
		}
		if len(account.Outcomes) > 0 {
			r.Accounts = append(r.Accounts, account)
		}
	}
	return r
}

func (j *verification) outcome(s source) api.Outcome {
	o := api.Outcome{Key: s.Key, KeyLabel: s.KeyLabel, Soft: s.Soft, State: s.State, Existed: true}
	err := errors.Join(j.failed[s.Key], j.failed[s.Key+"\x00"+s.CredentialID])
	switch {
	case err != nil:
		o.Error = cardError(err, "cannot prove %s on %s", s.CredentialID, s.KeyLabel)
	case s.State == api.CopyMissing:
		o.Error = refuse(api.CodeNotFound, "\"oathctl remove NAME --key K\" forgets the copy", "cannot prove %s: it is no longer on %s", s.CredentialID, s.KeyLabel)
	case s.State == api.CopyUnproven && s.Present:
		o.Error = refuse(api.CodeTouchTimeout, "run \"oathctl verify --touch\" and touch the key when it blinks", "cannot prove %s on %s without a touch", s.CredentialID, s.KeyLabel)
	case !s.Present:
		o.Error = j.a.absent(s.Key).(*api.Error)
	case s.Locked:
		o.Error = refuse(api.CodeLocked, fmt.Sprintf("run \"oathctl password unlock %s\"", s.KeyLabel), "cannot prove %s: %s is locked", s.CredentialID, s.KeyLabel)
	}
	return o
}

// stopped finds the copies that were this account's before and now answer with another seed.
func (j *verification) stopped(v *view, acc *accountView) []api.Outcome {
	var list []api.Outcome
	for _, c := range j.before {
		there := slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == c.Key && s.CredentialID == c.CredID })
		if c.Account != acc.ID || c.Seed == "" || there {
			continue
		}
		k := v.keys[c.Key]
		list = append(list, api.Outcome{Key: c.Key, KeyLabel: k.Label, Soft: k.Soft, State: api.CopyMismatch,
			Error: refuse(api.CodeProofFailed, "write it again with \"oathctl add\", or declare the valid one with \"oathctl verify --current KEY\"",
				"cannot prove %s on %s: it answers with another seed than before", c.CredID, k.Label)})
	}
	return list
}

// declareCurrent marks the account that a key holds as the valid one of its name, and the others as superseded.
func (a *Agent) declareCurrent(ctx context.Context, who Caller, r api.VerifyRequest) (api.Report, error) {
	v := a.view.Load()
	k, err := v.findKey(r.Current)
	if err != nil {
		return api.Report{}, err
	}
	same := v.sameName(r.Account)
	i := slices.IndexFunc(same, func(acc *accountView) bool {
		return slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == k.ID && s.proved })
	})
	if i < 0 {
		return api.Report{}, refuse(api.CodeNotFound, "run \"oathctl verify\" with the key plugged in",
			"cannot declare which %q is valid: %s has no proved copy of that name", r.Account, k.Label)
	}
	err = a.change(ctx, who, fmt.Sprintf("declare %s on %s the valid one", same[i].Label(), k.Label), func(d *draft) error {
		for n, acc := range same {
			row := d.accounts[acc.ID]
			row.Superseded = n != i
			if err := d.putAccount(row); err != nil {
				return err
			}
		}
		return nil
	})
	return api.Report{Complete: true}, err
}

// sameName lists the adopted accounts that are named so exactly, or as the one with that id is.
func (v *view) sameName(selector string) []*accountView {
	label := selector
	if acc := v.accounts[selector]; acc != nil {
		label = acc.Label()
	}
	for _, index := range v.names[1:] {
		if hits := index[label]; len(hits) > 0 {
			return slices.DeleteFunc(slices.Clone(hits), func(acc *accountView) bool { return !acc.recorded })
		}
	}
	return nil
}
