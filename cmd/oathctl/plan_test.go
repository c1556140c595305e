package main

import (
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

func TestPlanLines(t *testing.T) {
	expect(t, "nothing", planLines(api.Plan{}, 80), "Nothing to do: every account has its copies.")
	expect(t, "no room", planLines(api.Plan{Keys: 1, Unmet: []api.PlanUnmet{{Label: "D:me", Missing: 1, Reason: api.LacksRoom}}}, 80),
		"There is no room:", "  D:me (1 copy missing)")
	p := api.Plan{
		Keys: 3,
		Steps: []api.PlanStep{
			{Kind: api.PlanProve, KeyLabel: "daily", Key: "1", Label: "A:me"},
			{Kind: api.PlanPut, KeyLabel: "spare", Key: "2", Label: "A:me"},
			{Kind: api.PlanPut, KeyLabel: "spare", Key: "2", Label: "B:me"},
			{Kind: api.PlanPut, KeyLabel: "third", Key: "3", Label: "B:me"},
			{Kind: api.PlanRemove, KeyLabel: "third", Key: "3", Label: "C:me"},
		},
		Unmet: []api.PlanUnmet{
			{Label: "D:me", Missing: 1, Reason: api.LacksRoom}, {Label: "E:me", Missing: 1, Reason: api.LacksSeed}, {Label: "F:me", Missing: 2, Reason: api.LacksRoom},
		},
		Helps: []api.PlanChange{{Words: "one more key at another site"}, {Words: "2 accounts fewer", Accounts: []string{"D:me", "F:me"}}},
	}
	expect(t, "plan", planLines(p, 80),
		"Prove on daily:",
		"  A:me",
		"Write to spare:",
		"  A:me",
		"  B:me",
		"Write to third:",
		"  B:me",
		"Then remove from third:",
		"  C:me",
		"",
		"Nobody has the seed but the keys, so that no copy can be made; add it from where",
		"it is kept, or enrol anew at the service:",
		"  E:me (1 copy missing)",
		"",
		"There is no room:",
		"  D:me (1 copy missing)",
		"  F:me (2 copies missing)",
		"",
		"What would help, any one of these:",
		"  - one more key at another site",
		"  - 2 accounts fewer: D:me, F:me",
		"",
		"1 copy to prove, 3 copies to write, 1 copy to remove, 3 keys hold them then.")
}
