package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// apply carries out the plan for a request, with the recovery paper.
func (s *safe) apply(req api.PlanRequest) (api.Report, error) {
	s.t.Helper()
	plan, err := s.Plan(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.applyThat(api.ApplyRequest{Plan: req, ID: plan.ID, Opener: &onPaper})
}

func (s *safe) applyThat(r api.ApplyRequest) (api.Report, error) {
	var brought []*oath.Secret
	if r.Opener != nil {
		brought = secrets(s.paper)
	}
	return s.Apply(s.t.Context(), tester, r, brought, s.step)
}

// mustApply wants a plan to be carried out whole, after which there is nothing to plan.
func (s *safe) mustApply(req api.PlanRequest) api.Report {
	s.t.Helper()
	report, err := s.apply(req)
	if err != nil || !report.Complete {
		s.t.Fatalf("%v, %+v", err, report)
	}
	s.wantPlan(req)
	if n := s.Status().OpenIntents; n != 0 {
		s.t.Errorf("%d intents are open", n)
	}
	s.intact()
	return report
}

// wantOn wants an account to be proved on these keys, and on no other.
func (s *safe) wantOn(label string, keys ...string) {
	s.t.Helper()
	want := map[string]api.CopyState{}
	for _, key := range keys {
		want[key] = api.CopyProved
	}
	if got := states(s.account(label)); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s is %v, want %v", label, got, want)
	}
}

func TestApply(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(totp("Apple", "me"))
	s.mustAddTo(totp("Box", "me"), "main")
	if report := s.mustApply(two); len(report.Accounts) != 1 || report.Accounts[0].Proved != 1 || report.Accounts[0].Wanted != 1 {
		t.Errorf("%+v", report)
	}
	s.wantOn("Box:me", "main", "spare")

	// Both are in one building; one copy of each moves.
	s.fresh(3, "third")
	s.kept("main", "home", "")
	s.kept("spare", "home", "")
	s.kept("third", "bank", "")
	report := s.mustApply(two)
	s.wantOn("Apple:me", "main", "third")
	s.wantOn("Box:me", "main", "third")
	if ids := (program{t: t, k: s.spare}).ids(); len(ids) != 0 {
		t.Errorf("spare holds %q", ids)
	}
	if o := report.Accounts[0].Outcomes; len(o) != 2 || o[0].State != api.CopyProved || o[1].State != api.CopyMissing {
		t.Errorf("%+v", o)
	}
	if report := s.mustApply(two); len(report.Accounts) != 0 {
		t.Errorf("with nothing to do: %+v", report)
	}
}

// TestApplyInTurns: the last account that needs a new key finds it full, so that another one has to leave first.
func TestApplyInTurns(t *testing.T) {
	s := newSafe(t)
	old := newKey(t, softkey.Options{Personality: "neo", Serial: 4})
	s.adoptNew(old, "old")
	room := s.key("spare").Capacity
	filler := make([]api.NewAccount, room)
	for i := range filler {
		filler[i] = totp(fmt.Sprint("Filler ", i), "me")
	}
	if report, err := s.add(api.AddRequest{Accounts: filler, To: []string{"spare"}}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.mustAddTo(touched(totp("Touch", "me")), "main")
	req := api.PlanRequest{}
	s.remove(s.main)
	if _, err := s.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	s.wantPlan(req, "put Filler 0:me old", "remove Filler 0:me spare", "put Touch:me spare")
	s.mustApply(req)
	s.wantOn("Filler 0:me", "old")
	if !s.account("Touch:me").Touch {
		t.Error("it needs no touch")
	}
}

func TestApplyRefuses(t *testing.T) {
	s := newSafe(t)
	s.mustAddTo(totp("Box", "me"), "main")
	plan, err := s.Plan(two)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.applyThat(api.ApplyRequest{Plan: two, ID: plan.ID})
	wantCode(t, err, api.CodeLocked)
	_, err = s.applyThat(api.ApplyRequest{Plan: two, Opener: &onPaper})
	wantCode(t, err, api.CodeConflict)
	_, err = s.applyThat(api.ApplyRequest{Plan: api.PlanRequest{Copies: -1}, Opener: &onPaper})
	wantCode(t, err, api.CodeBadRequest)
	_, err = s.Apply(t.Context(), tester, api.ApplyRequest{Plan: two, ID: plan.ID, Opener: &onPaper}, nil, s.step)
	wantCode(t, err, api.CodeBadRequest)
	_, err = s.Apply(t.Context(), tester, api.ApplyRequest{Plan: two, ID: plan.ID, Opener: &onPaper}, secrets(otherPaper(t)), s.step)
	wantCode(t, err, api.CodeNotFound)

	s.mustAddTo(totp("Other", "me"), "main")
	_, err = s.applyThat(api.ApplyRequest{Plan: two, ID: plan.ID, Opener: &onPaper})
	wantCode(t, err, api.CodeConflict)
	s.lock("spare")
	s.restart()
	_, err = s.apply(two)
	wantCode(t, err, api.CodeLocked)
	if ids := (program{t: t, k: s.spare, password: "open sesame"}).ids(); len(ids) != 0 || s.Status().OpenIntents != 0 {
		t.Errorf("spare holds %q", ids)
	}
}

// TestApplyProves: what is only believed to be there is proved first; it takes no escrow.
func TestApplyProves(t *testing.T) {
	s := newSafe(t)
	program{t: t, k: s.main}.put(totp("Unknown", "me"), seedB, needsTouch)
	s.replug(s.main)
	req := api.PlanRequest{Copies: 1}
	s.wantPlan(req, "prove Unknown:me main")
	plan, err := s.Plan(req)
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.applyThat(api.ApplyRequest{Plan: req, ID: plan.ID})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.wantOn("Unknown:me", "main")
}

func TestApplyWhatIsNotThere(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(totp("Apple", "me"))
	s.fresh(3, "third")
	s.kept("main", "home", "")
	s.kept("spare", "home", "")
	s.kept("third", "bank", "")
	s.remove(s.spare) // from which the copy is to go
	s.wantPlan(two, "put Apple:me third", "remove Apple:me spare")
	report, err := s.apply(two)
	if err != nil || report.Complete || s.Status().OpenIntents != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
	s.wantPlan(two) // what is on its way out is not counted, nor planned again
	s.insert(s.spare)
	if report := s.resume(api.ResumeRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
	s.wantOn("Apple:me", "main", "third")
}

// TestApplyKeepsWhatIsNotReplaced: the new copy does not come about, so the old one stays.
func TestApplyKeepsWhatIsNotReplaced(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(totp("Apple", "me"))
	third := s.fresh(3, "third")
	s.kept("main", "home", "")
	s.kept("spare", "home", "")
	s.kept("third", "bank", "")
	s.remove(third)
	report, err := s.apply(two)
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if got := states(s.account("Apple:me")); got["main"] != api.CopyProved || got["spare"] != api.CopyProved {
		t.Errorf("%v", got)
	}
	kept := slices.ContainsFunc(report.Accounts[0].Outcomes, func(o api.Outcome) bool {
		return o.KeyLabel == "spare" && o.Error != nil && strings.Contains(o.Error.Message, "is not proved")
	})
	if !kept {
		t.Errorf("%+v", report.Accounts[0].Outcomes)
	}
	s.wantPlan(two, "put Apple:me third", "remove Apple:me spare")
	s.insert(third)
	s.mustApply(two)
	s.wantOn("Apple:me", "main", "third")
}

// TestApplyAsksForKeys: with one USB port each key is asked for when it is needed.
func TestApplyAsksForKeys(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(totp("Apple", "me"))
	third := s.fresh(3, "third")
	s.kept("main", "home", "")
	s.kept("spare", "home", "")
	s.kept("third", "bank", "")
	for _, k := range []*softkey.Key{s.main, s.spare, third} {
		s.remove(k)
	}
	s.onAny = func(step api.Step) {
		if step.Kind == api.StepWaitKey {
			s.bay.Insert(map[string]*softkey.Key{"main": s.main, "spare": s.spare, "third": third}[step.KeyLabel])
		}
	}
	plan, err := s.Plan(two)
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.applyThat(api.ApplyRequest{Plan: two, ID: plan.ID, Opener: &onPaper, WaitSeconds: -1})
	if err != nil || !report.Complete || s.told(api.StepWaitKey) != 2 {
		t.Fatalf("%v, %+v, asked %d times", err, report, s.told(api.StepWaitKey))
	}
	s.wantOn("Apple:me", "main", "third")
}

// TestApplyWithAKeyThatFails: the key that gets a copy, or the one that gives it up, is pulled out before each command, or dead after
// it. At no moment is the account on fewer than two keys, and another plan has the rest.
func TestApplyWithAKeyThatFails(t *testing.T) {
	ready := func() (*safe, map[string]*softkey.Key) {
		s := newSafe(t)
		s.mustAdd(first)
		keys := map[string]*softkey.Key{"spare": s.spare, "third": s.fresh(3, "third")}
		s.kept("main", "home", "")
		s.kept("spare", "home", "")
		s.kept("third", "bank", "")
		forget(s.spare, keys["third"])
		return s, keys
	}
	s, keys := ready()
	s.mustApply(two)
	for label, whole := range keys {
		for n := range len(whole.APDUs()) {
			for _, fault := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
				s, keys := ready()
				k := keys[label]
				k.Fail(softkey.Fault{Kind: fault, After: n})
				if report, err := s.apply(two); err == nil && report.Complete {
					t.Fatalf("%s, kind %d at %d: it succeeded with a dead key", label, fault, n)
				}
				k.Heal()
				s.await(api.EventKeyOut)
				s.insert(k)
				if acc := s.account("GitHub:me"); acc.Proved < 2 {
					t.Errorf("%s, kind %d at %d: %v", label, fault, n, states(acc))
				}
				if _, err := s.ResumeWith(t.Context(), tester, api.ResumeRequest{Opener: &onPaper}, secrets(s.paper), s.step); err != nil {
					t.Fatal(err)
				}
				s.mustApply(two)
				if got := states(s.account("GitHub:me")); got["main"] != api.CopyProved || got["third"] != api.CopyProved {
					t.Errorf("%s, kind %d at %d: %v", label, fault, n, got)
				}
			}
		}
	}
}
