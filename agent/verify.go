package agent

import (
	"cmp"
	"context"
	"slices"
	"strings"
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
	steps        teller
	// before are the copies as the ledger had them.
	before []ledger.Copy

	// mu guards failed: what went wrong with a copy or, where the credential id is "", with a whole key.
	mu     sync.Mutex
	failed map[copyRef]error
}

// Verify proves copies: one CALCULATE ALL for each key, and with r.Touch one touch for each credential that
// needs it. With r.Current it declares which of several accounts of one name is the valid one.
func (a *Agent) Verify(ctx context.Context, who Caller, r api.VerifyRequest, step func(api.Step)) (api.Report, error) {
	if r.Current != "" {
		return a.declareCurrent(who, r)
	}
	a.recheck(ctx)
	j := &verification{a: a, who: who, touch: r.Touch, steps: teller{step: step}, failed: map[copyRef]error{}}
	if err := j.narrow(ctx, r); err != nil {
		return api.Report{}, err
	}
	a.mu.Lock()
	j.before = a.book.copiesWhere(j.concerns)
	a.mu.Unlock()
	workers := a.workersWhere(func(w *worker) bool { return w.state.key != "" && (j.key == "" || w.state.key == j.key) })
	j.run(workers, func(w *worker) error { return j.verifyKey(ctx, w) })
	// What has just been learned of keys that only truncate may be the same as what others hold.
	a.mu.Lock()
	full, t4 := a.book.halves()
	a.mu.Unlock()
	if full && t4 {
		j.run(workers, func(w *worker) error { return a.inspect(ctx, w, true) })
	}
	j.steps.finish()
	return j.report(), nil
}

// concerns reports whether a copy is to be verified.
func (j *verification) concerns(c ledger.Copy) bool {
	return (j.account == "" || c.Account == j.account) && (j.key == "" || c.Key == j.key)
}

func (j *verification) narrow(ctx context.Context, r api.VerifyRequest) error {
	if r.Key != "" {
		k, err := j.a.view.Load().findAdopted(r.Key, "verify")
		if err != nil {
			return err
		}
		if !k.Present {
			return j.a.absent(k.ID)
		}
		j.key = k.ID
	}
	if r.Account == "" {
		return nil
	}
	acc, err := j.a.findRecorded(ctx, r.Account, "verify")
	if err != nil {
		return err
	}
	j.account = acc.ID
	return nil
}

// run does something with all keys in parallel.
func (j *verification) run(workers []*worker, verify func(*worker) error) {
	var keys sync.WaitGroup
	for _, w := range workers {
		keys.Go(func() {
			if err := verify(w); err != nil {
				j.note(copyRef{key: j.a.keyOf(w)}, err)
			}
		})
	}
	keys.Wait()
}

// verifyKey probes the whole key, then asks one by one what CALCULATE ALL could not tell.
func (j *verification) verifyKey(ctx context.Context, w *worker) error {
	s := j.a.look(w, true)
	if err := s.wait(ctx); err != nil {
		return err
	}
	for _, c := range j.unanswered(w, s.proved) {
		if err := j.proveOne(ctx, w, c); silent(err) {
			return err
		}
	}
	return nil
}

// unanswered lists the TOTP copies on a key that this look has not proved: those that need no touch, as an earlier
// proof told, and, if the user agreed to touch, those that need one or may need one.
func (j *verification) unanswered(w *worker, proved map[string]bool) []ledger.Copy {
	j.a.mu.Lock()
	defer j.a.mu.Unlock()
	list := j.a.book.copiesWhere(func(c ledger.Copy) bool {
		quiet := c.State == string(api.CopyProved) && !c.Touch
		return c.Key == w.state.key && j.concerns(c) && c.Type == oath.TOTP && c.State != string(api.CopyMissing) &&
			!proved[c.CredID] && (quiet || j.touch)
	})
	slices.SortFunc(list, func(x, y ledger.Copy) int { return strings.Compare(x.CredID, y.CredID) })
	return list
}

// proveOne asks one credential, which may wait for a touch, and files the answer.
func (j *verification) proveOne(ctx context.Context, w *worker, c ledger.Copy) error {
	cred := credential{Entry: ykoath.Entry{ID: c.CredID, Type: c.Type, Algorithm: c.Algorithm}, digits: c.Digits, touchKnown: true}
	err := w.do(ctx, func(card hw.Card) error {
		s, err := j.a.open(w, card)
		if err != nil {
			return err
		}
		about := api.Event{Key: c.Key, Account: c.Account, Label: c.CredID}
		t := j.a.expectTouch(w, c.Touch, about, only(j.who), func() { j.say(api.StepWaitTouch, c, nil) })
		cred.prints, cred.digits, err = j.a.yardstick().ask(s, c.CredID, cred.account())
		cred.touch = t.end()
		return err
	}, func(err error) error {
		j.a.noticed(w, err)
		if err != nil {
			return err
		}
		return j.a.fileProof(c.Key, cred)
	})
	if err != nil {
		j.note(copyRef{c.Key, c.CredID}, err)
		j.say(api.StepFailed, c, cardError(err, "cannot prove %s on %s", c.CredID, j.a.keyLabel(c.Key)))
		return err
	}
	j.say(api.StepProved, c, nil)
	return nil
}

func (a *Agent) fileProof(key string, cred credential) error {
	var stopped *ledger.Copy
	err := a.observe(func(d *draft) (err error) {
		stopped, err = d.place(key, cred)
		return err
	})
	if err == nil && stopped != nil {
		a.reportStopped([]ledger.Copy{*stopped})
	}
	return err
}

func (j *verification) say(kind api.StepKind, c ledger.Copy, err *api.Error) {
	j.steps.tell(api.Step{Kind: kind, Key: c.Key, KeyLabel: j.a.keyLabel(c.Key), Account: c.Account, Label: c.CredID, Error: err})
}

func (j *verification) note(ref copyRef, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed[ref] = err
}

// report compares every copy with what it was, but for those that went with a lost key.
func (j *verification) report() api.Report {
	v := j.a.view.Load()
	r := api.Report{Accounts: []api.AccountReport{}, Complete: true}
	for _, acc := range v.accountList {
		if !acc.recorded || j.account != "" && acc.ID != j.account {
			continue
		}
		account := api.AccountReport{Account: acc.ID, Label: acc.Label(), Wanted: acc.Wanted, Proved: acc.Proved, LostWith: v.lostWith(acc)}
		for _, s := range acc.sources {
			if !s.lost && (j.key == "" || s.Key == j.key) {
				account.Outcomes = append(account.Outcomes, j.outcome(acc, s))
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

func (j *verification) outcome(acc *accountView, s source) api.Outcome {
	o := api.Outcome{Key: s.Key, KeyLabel: s.KeyLabel, Soft: s.Soft, State: s.State, Existed: true}
	err := cmp.Or(j.failed[copyRef{key: s.Key}], j.failed[copyRef{s.Key, s.CredentialID}])
	switch {
	case s.State == api.CopyPending:
		o.Error = refuse(api.CodeConflict, "run \"oathctl resume\"", "cannot prove %s on %s: an attempt to write it was broken off", s.CredentialID, s.KeyLabel)
	case !s.Present:
		o.Error = cardError(j.a.absent(s.Key), "")
	case s.Locked:
		o.Error = lockedKey(s.KeyLabel, "cannot prove %s: %s is locked", s.CredentialID, s.KeyLabel)
	case err != nil:
		o.Error = cardError(err, "cannot prove %s on %s", s.CredentialID, s.KeyLabel)
	case s.State == api.CopyMissing:
		o.Error = refuse(api.CodeNotFound, "\"oathctl remove NAME --key K\" forgets the copy", "cannot prove %s: it is no longer on %s", s.CredentialID, s.KeyLabel)
	case s.State == api.CopyUnproven && acc.oath.Type == oath.TOTP:
		o.Error = refuse(api.CodeTouchTimeout, "run \"oathctl verify --touch\" and touch the key when it blinks", "cannot prove %s on %s without a touch", s.CredentialID, s.KeyLabel)
	}
	return o
}

// has reports whether a copy is the account's.
func (acc *accountView) has(c ledger.Copy) bool {
	return slices.ContainsFunc(acc.sources, func(s source) bool { return s.Key == c.Key && s.CredentialID == c.CredID })
}

// stopped finds the copies that were this account's before and now answer with another seed.
func (j *verification) stopped(v *view, acc *accountView) []api.Outcome {
	var list []api.Outcome
	for _, c := range j.before {
		if c.Account != acc.ID || c.Seed == "" || acc.has(c) || !slices.ContainsFunc(v.accountList, func(other *accountView) bool { return other.has(c) }) {
			continue // what no account has was renamed
		}
		k := v.keys[c.Key]
		list = append(list, api.Outcome{Key: c.Key, KeyLabel: k.Label, Soft: k.Soft, State: api.CopyMismatch,
			Error: refuse(api.CodeProofFailed, "write it again with \"oathctl add\", or declare the valid one with \"oathctl verify --current KEY\"",
				"cannot prove %s on %s: it answers with another seed than before", c.CredID, k.Label)})
	}
	return list
}
