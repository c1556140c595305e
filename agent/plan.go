package agent

import (
	"github.com/oathd/oathd/agent/place"
	"github.com/oathd/oathd/ipc/api"
)

// Plan says how every account could have as many copies as are wanted, each in another place. It changes nothing.
func (a *Agent) Plan(r api.PlanRequest) (api.Plan, error) {
	v, p, err := a.problem(r)
	if err != nil {
		return api.Plan{}, err
	}
	plan := place.Make(p)
	answer := api.Plan{Steps: []api.PlanStep{}, Keys: plan.Keys}
	for _, s := range plan.Steps {
		answer.Steps = append(answer.Steps, v.planStep(s))
	}
	answer.ID = planID(answer.Steps)
	for _, u := range plan.Unmet {
		answer.Unmet = append(answer.Unmet, api.PlanUnmet{
			Account: u.Account, Label: v.accounts[u.Account].Label(), Missing: u.Missing, Reason: api.PlanReason(u.Reason),
		})
	}
	for _, c := range place.Changes(p, plan.Unmet) {
		answer.Helps = append(answer.Helps, v.planChange(c))
	}
	return answer, nil
}

func (v *view) planStep(s place.Step) api.PlanStep {
	return api.PlanStep{
		Kind: api.PlanStepKind(s.Kind), Key: s.Key, KeyLabel: v.keys[s.Key].Label, Account: s.Account, Label: v.accounts[s.Account].Label(),
	}
}

// planID tells a plan from others.
func planID(steps []api.PlanStep) string {
	if len(steps) == 0 {
		return ""
	}
	parts := []string{"plan"}
	for _, s := range steps {
		parts = append(parts, string(s.Kind), s.Account, s.Key)
	}
	return derivedID(parts...)
}

func (v *view) planChange(c place.Change) api.PlanChange {
	change := api.PlanChange{Kind: string(c.Kind), N: c.N, Words: c.String()}
	for _, id := range c.Accounts {
		change.Accounts = append(change.Accounts, v.accounts[id].Label())
	}
	return change
}
