package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// planWords writes a plan down: its steps, then what stays undone, then what would help.
func (r *rig) planWords(req api.PlanRequest) (words []string) {
	r.t.Helper()
	plan, err := r.Plan(req)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range plan.Steps {
		words = append(words, fmt.Sprintf("%s %s %s", s.Kind, s.Label, s.KeyLabel))
	}
	for _, u := range plan.Unmet {
		words = append(words, fmt.Sprintf("%s lacks %d (%s)", u.Label, u.Missing, u.Reason))
	}
	for _, c := range plan.Helps {
		words = append(words, strings.TrimSpace("or "+c.Words+" "+strings.Join(c.Accounts, ", ")))
	}
	return words
}

func (r *rig) wantPlan(req api.PlanRequest, want ...string) {
	r.t.Helper()
	if got := r.planWords(req); !slices.Equal(got, want) {
		r.t.Errorf("plan\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// two asks for two copies of all, those that were asked for on one key as well.
var two = api.PlanRequest{Copies: 2}

func TestPlan(t *testing.T) {
	s := newSafe(t)
	s.wantPlan(two)
	s.mustAdd(totp("Apple", "me"))
	s.mustAddTo(totp("Box", "me"), "main")
	s.wantPlan(api.PlanRequest{})
	s.wantPlan(two, "put Box:me spare")
	s.wantPlan(api.PlanRequest{Copies: 2, Without: []string{"spare"}},
		"Apple:me lacks 1 (keys)", "Box:me lacks 1 (keys)", "or one more key", "or 2 accounts fewer Apple:me, Box:me")
	s.fresh(3, "third")
	s.wantPlan(api.PlanRequest{Copies: 2, Without: []string{"spare"}}, "put Apple:me third", "put Box:me third")
	s.wantPlan(api.PlanRequest{Copies: 3}, "put Box:me spare", "put Apple:me third", "put Box:me third")

	// Both copies of Apple are in one building then.
	s.kept("main", "home", "")
	s.kept("spare", "home", "")
	s.kept("third", "bank", "")
	s.wantPlan(two, "put Apple:me third", "put Box:me third", "remove Apple:me spare")
	s.wantPlan(api.PlanRequest{Copies: 2, Sites: api.ApartSpread}, "put Apple:me third", "put Box:me third", "remove Apple:me spare")
	s.wantPlan(api.PlanRequest{Copies: 2, Sites: api.ApartIgnore}, "put Box:me spare")

	// What is done is planned no more.
	if _, err := s.restore(api.RestoreRequest{To: []string{"third"}, Accounts: []string{"Apple", "Box"}}); err != nil {
		t.Fatal(err)
	}
	s.wantPlan(two)
}

func TestPlanRefuses(t *testing.T) {
	r, _, _ := twoKeys(t)
	for name, req := range map[string]api.PlanRequest{
		"sites": {Sites: "together"}, "holders": {Holders: "together"}, "copies": {Copies: -1},
	} {
		_, err := r.Plan(req)
		if e := wantCode(t, err, api.CodeBadRequest); e == nil {
			t.Error(name)
		}
	}
	_, err := r.Plan(api.PlanRequest{Without: []string{"nobody"}})
	wantCode(t, err, api.CodeNotFound)
}

// TestPlanWithoutSeeds: what only keys have cannot be planned onto others.
func TestPlanWithoutSeeds(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAddTo(totp("Alone", "me"), "main")
	r.mustAddTo(hotp("Counter", "me"), "main")
	r.wantPlan(two, "Alone:me lacks 1 (seed)")
}

// TestPlanOfWhatIsNotProved: a copy that nobody knows is proved first.
func TestPlanOfWhatIsNotProved(t *testing.T) {
	r, main, _ := twoKeys(t)
	program{t: t, k: main}.put(totp("Unknown", "me"), seedB, 0x02)
	r.replug(main)
	r.wantPlan(two, "prove Unknown:me main", "Unknown:me lacks 1 (seed)")
}

// TestPlanKnowsKeys: their room, what their firmware can do, whether they are here, and which names are taken there.
func TestPlanKnowsKeys(t *testing.T) {
	s := newSafe(t)
	old := newKey(t, softkey.Options{Personality: "neo", Serial: 4})
	s.adoptNew(old, "old")
	nitro := newKey(t, softkey.Options{Personality: "nitrokey-3", Serial: 5})
	s.adoptNew(nitro, "nitro")
	s.mustAddTo(with(totp("Long", "me"), func(a *api.NewAccount) { a.Algorithm = "SHA512" }), "main")
	s.mustAddTo(touched(totp("Touch", "me")), "main")
	s.mustAddTo(totp("Name", "me"), "main")
	program{t: t, k: old}.put(totp("Name", "me"), seedB, 0)
	s.replug(old)
	want := []string{
		"Long:me lacks 1 (keys)", "Name:me lacks 1 (seed)", "or one account fewer Long:me", "or one more key with SHA-512", "put Name:me nitro", "put Touch:me nitro",
	}
	for _, away := range []*softkey.Key{nil, nitro, old} {
		if away != nil {
			s.remove(away)
		}
		got := s.planWords(api.PlanRequest{Copies: 2, Without: []string{"spare"}})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d keys are here: %q", len(s.bay.Keys()), got)
		}
	}
}
