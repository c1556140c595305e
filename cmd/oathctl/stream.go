package main

import (
	"context"
	"slices"

	"github.com/oathd/oathd/ipc/api"
)

// streamed is a request that is answered by steps and a report.
type streamed func(context.Context, func(api.Step)) (api.Report, error)

// follow sends a request, tells its steps as they come, prints the report and returns what it means for the
// exit status. If the user breaks off, the report is made of what was seen until then. existed is
// said of copies that were there before.
func (a *app) follow(ctx context.Context, existed string, request streamed) error {
	var seen tally
	report, err := request(ctx, func(s api.Step) {
		seen.add(s)
		a.tellStep(s)
	})
	if err != nil && ctx.Err() != nil && seen.made() {
		report, err = seen.report(), nil
	}
	if err != nil {
		return err
	}
	if err := a.term.answer(api.Line{Report: &report}, reportWords(report, existed)); err != nil {
		return err
	}
	return reportError(report)
}

func (a *app) tellStep(s api.Step) {
	if !a.term.json {
		a.term.say(stepWords(s)...)
		return
	}
	_ = a.term.document(api.Line{Step: &s}) // the report will meet the same error
}

// tally is what the steps of a stream have told so far.
type tally struct {
	accounts []api.AccountReport
	// keys are the ids of all keys that were named: each was to get a copy.
	keys []string
}

func (t *tally) add(s api.Step) {
	if !slices.Contains(t.keys, s.Key) {
		t.keys = append(t.keys, s.Key)
	}
	switch s.Kind {
	case api.StepWritten:
		t.outcome(s).State = api.CopyWritten
	case api.StepProved:
		t.outcome(s).State = api.CopyProved
	}
}

// outcome finds or makes the line for the step's account on the step's key.
func (t *tally) outcome(s api.Step) *api.Outcome {
	i := slices.IndexFunc(t.accounts, func(r api.AccountReport) bool { return r.Label == s.Label })
	if i < 0 {
		i = len(t.accounts)
		t.accounts = append(t.accounts, api.AccountReport{Account: s.Account, Label: s.Label})
	}
	r := &t.accounts[i]
	j := slices.IndexFunc(r.Outcomes, func(o api.Outcome) bool { return o.Key == s.Key })
	if j < 0 {
		j = len(r.Outcomes)
		r.Outcomes = append(r.Outcomes, api.Outcome{Key: s.Key, KeyLabel: s.KeyLabel})
	}
	return &r.Outcomes[j]
}

func (t *tally) made() bool { return len(t.accounts) > 0 }

// report tells the copies that are known to be made.
func (t *tally) report() api.Report {
	for i := range t.accounts {
		r := &t.accounts[i]
		r.Wanted = len(t.keys)
		for _, o := range r.Outcomes {
			if o.State == api.CopyProved {
				r.Proved++
			}
		}
		if len(r.Outcomes) == 1 {
			r.LostWith = []string{r.Outcomes[0].KeyLabel}
		}
	}
	return api.Report{
		Accounts: t.accounts,
		Warnings: []string{"broken off: this is what was made until then; oathctl resume looks at the rest"},
	}
}
