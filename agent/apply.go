package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// applying carries a plan out.
type applying struct {
	provision
	waitSeconds int
	// left are the steps that are still to be done, all the items that are to be written, of which the provision has those that can be
	// written next.
	left []api.PlanStep
	all  []*item
	// enough is how many proved copies of an account have to be left when one is removed.
	enough map[string]int
	// reports are on what was proved and what was removed.
	reports []api.Report
}

// Apply carries out a plan that was shown: copies are proved, or written from the escrow and proved; where one moves, the old one is
// removed once the new one is proved. The secret is the opener's, or none without one; it is wiped.
//
// Everything is checked before the first key is written to. What was broken off is planned again, or finished by Resume.
func (a *Agent) Apply(ctx context.Context, who Caller, r api.ApplyRequest, secrets []*oath.Secret, step func(api.Step)) (api.Report, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, len(r.Lengths())); err != nil {
		return api.Report{}, err
	}
	plan, err := a.Plan(r.Plan)
	if err != nil {
		return api.Report{}, err
	}
	if plan.ID != r.ID {
		return api.Report{}, refuse(api.CodeConflict, "look at it again: \"oathctl plan\"", "cannot carry out the plan: what it was made of has changed since it was shown, and it would be another one now")
	}
	j := &applying{provision: provision{a: a, who: who, verb: "plan: write", steps: teller{step: step}}, waitSeconds: r.WaitSeconds, left: plan.Steps}
	defer j.wipeAll()
	if err := j.fetchAll(ctx, r, secrets); err != nil {
		return api.Report{}, err
	}
	if err := j.work(ctx, r.Plan.Copies); err != nil {
		return api.Report{}, err
	}
	return j.conclusion(plan.Steps), nil
}

// fetchAll takes the seeds of all that is to be written out of the escrow, once it is known that no key is locked.
func (j *applying) fetchAll(ctx context.Context, r api.ApplyRequest, secrets []*oath.Secret) error {
	homes := homesIn(j.left)
	for _, s := range j.left {
		if err := j.checkTargets([]string{s.Key}); err != nil {
			return err
		}
	}
	if len(homes) == 0 {
		return nil
	}
	if r.Opener == nil {
		return refuse(api.CodeLocked, "say what opens the escrow: \"oathctl plan --with …\"", "cannot carry out the plan: it writes copies, whose seeds are in the escrow")
	}
	o := opening{a: j.a, who: j.who, purpose: "carry out a plan", opener: *r.Opener, secret: secrets[0], steps: &j.steps}
	err := j.fetch(ctx, o, homes)
	j.all = j.items
	return err
}

// homesIn says by account to which keys steps write.
func homesIn(steps []api.PlanStep) map[string][]string {
	homes := map[string][]string{}
	for _, s := range steps {
		if s.Kind == api.PlanPut {
			homes[s.Account] = append(homes[s.Account], s.Key)
		}
	}
	return homes
}

// wipeAll forgets the seeds of all items.
func (j *applying) wipeAll() {
	j.items = append(j.items, j.all...)
	j.wipe()
}

// work does the steps: first the proofs, then in turn all that can be written, and all that can be removed then.
func (j *applying) work(ctx context.Context, copies int) error {
	proof := func(s api.PlanStep) bool { return s.Kind == api.PlanProve }
	for _, s := range j.left {
		if proof(s) {
			j.proveThere(ctx, s)
		}
	}
	j.left = slices.DeleteFunc(slices.Clone(j.left), proof)
	j.expect(copies)
	for first := true; len(j.left) > 0; first = false {
		puts, removes := j.next()
		if err := j.put(ctx, puts); err != nil && first {
			return err
		} else if err != nil {
			j.failAll(err)
		}
		j.steps.finish()
		if err := j.remove(ctx, removes); err != nil {
			return err
		}
	}
	return nil
}

// expect notes how many proved copies each account has, or is to have.
func (j *applying) expect(copies int) {
	v := j.a.view.Load()
	j.enough = map[string]int{}
	for _, s := range j.left {
		if acc := v.accounts[s.Account]; acc != nil { // a proof may have shown that it is another's copy
			j.enough[s.Account] = min(len(v.keysThatCount(acc)), cmp.Or(copies, acc.Wanted))
		}
	}
}

// proveThere has a key answer for a copy that is on it.
func (j *applying) proveThere(ctx context.Context, s api.PlanStep) {
	j.await(ctx, s.Key, j.waitSeconds)
	j.steps.finish()
	report, err := j.a.Verify(ctx, j.who, api.VerifyRequest{Account: s.Account, Key: s.Key, Touch: true}, j.steps.step)
	if err != nil {
		report = j.refused(s, api.CopyUnproven, cardError(err, "cannot prove %s on %s", s.Label, s.KeyLabel))
	}
	j.reports = append(j.reports, report)
}

// refused reports on a step that could not be done.
func (j *applying) refused(s api.PlanStep, state api.CopyState, err *api.Error) api.Report {
	o := api.Outcome{Key: s.Key, KeyLabel: s.KeyLabel, State: state, Error: err}
	if k := j.a.view.Load().keys[s.Key]; k != nil {
		o.Soft = k.Soft
	}
	return api.Report{Accounts: []api.AccountReport{{Account: s.Account, Label: s.Label, Outcomes: []api.Outcome{o}}}}
}

// next takes out of what is left what can be done next: what is to be written where nothing has to go before, and what is to be
// removed once that is there.
func (j *applying) next() (puts, removes []api.PlanStep) {
	var left []api.PlanStep
	crowded, incomplete := map[string]bool{}, map[string]bool{}
	for _, s := range j.left {
		switch {
		case s.Kind == api.PlanPut && !crowded[s.Key]:
			puts = append(puts, s)
		case s.Kind == api.PlanPut:
			left, incomplete[s.Account] = append(left, s), true
		case incomplete[s.Account]:
			left, crowded[s.Key] = append(left, s), true
		default:
			removes, crowded[s.Key] = append(removes, s), true
		}
	}
	j.left = left
	return puts, removes
}

// put writes copies. An error means that none was written.
func (j *applying) put(ctx context.Context, puts []api.PlanStep) error {
	homes := homesIn(puts)
	j.items = slices.DeleteFunc(slices.Clone(j.all), func(it *item) bool { return homes[it.id] == nil })
	for _, it := range j.items {
		it.targets = homes[it.id]
	}
	if len(j.items) == 0 {
		return nil
	}
	if err := j.check(); err != nil {
		return err
	}
	if err := j.intend(); err != nil {
		return err
	}
	j.write(ctx, j.waitSeconds)
	return nil
}

// failAll notes why what was to be written next was not.
func (j *applying) failAll(err error) {
	for _, it := range j.items {
		for _, key := range it.targets {
			j.conclude(key, attempt{it: it, err: err})
		}
	}
}

// remove deletes the copies whose successors are proved, and leaves the others where they are.
func (j *applying) remove(ctx context.Context, removes []api.PlanStep) error {
	removes, held := j.replaced(removes)
	for _, s := range held {
		j.reports = append(j.reports, j.refused(s, api.CopyProved, refuse(api.CodeConflict, "look at the plan again: \"oathctl plan\"",
			"cannot remove %s from %s: what is to replace it is not proved", s.Label, s.KeyLabel)))
	}
	if len(removes) == 0 {
		return nil
	}
	names, gone := make([]string, len(removes)), map[copyRef]bool{}
	for i, s := range removes {
		names[i] = fmt.Sprintf("%s from %s", s.Label, s.KeyLabel)
		gone[copyRef{s.Key, s.Account}] = true
	}
	err := j.a.change(j.who, "plan: remove "+strings.Join(names, ", "), func(d *draft) error {
		for _, s := range removes {
			if err := d.intendRemoval(s.Account, s.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range removes {
		j.await(ctx, s.Key, j.waitSeconds)
	}
	j.steps.finish()
	f := &finishing{a: j.a, who: j.who, steps: teller{step: j.steps.step}}
	j.reports = append(j.reports, f.finish(ctx, func(i ledger.Intent) bool { return i.Kind == intentDelete && gone[copyRef{i.Key, i.Account}] }))
	j.a.events.publish(api.Event{Kind: api.EventAccounts})
	return nil
}

// replaced parts the copies that can be removed from those whose account would have too few proved ones then.
func (j *applying) replaced(removes []api.PlanStep) (free, held []api.PlanStep) {
	v, going := j.a.view.Load(), map[string][]string{}
	for _, s := range removes {
		acc := v.accounts[s.Account]
		if acc == nil {
			continue // there is nothing left of it
		}
		out := append(going[s.Account], s.Key)
		left := slices.DeleteFunc(v.keysThatCount(acc), func(key string) bool { return slices.Contains(out, key) })
		if len(left) < j.enough[s.Account] {
			held = append(held, s)
			continue
		}
		free, going[s.Account] = append(free, s), out
	}
	return free, held
}

// conclusion reports on all that was done.
func (j *applying) conclusion(steps []api.PlanStep) api.Report {
	homes := homesIn(steps)
	for _, it := range j.all {
		it.targets = homes[it.id]
	}
	report := api.Report{Accounts: []api.AccountReport{}, Complete: true}
	if j.items = j.all; len(j.items) > 0 {
		report = j.report()
	}
	for _, more := range j.reports {
		join(&report, more)
	}
	return report
}

// join adds to a report what another says of its accounts.
func join(report *api.Report, more api.Report) {
	report.Complete = report.Complete && more.Complete
	for _, acc := range more.Accounts {
		i := slices.IndexFunc(report.Accounts, func(known api.AccountReport) bool { return known.Account == acc.Account })
		if i < 0 {
			report.Accounts = append(report.Accounts, acc)
			continue
		}
		known := &report.Accounts[i]
		known.Outcomes, known.Warnings = append(known.Outcomes, acc.Outcomes...), append(known.Warnings, acc.Warnings...)
	}
}
