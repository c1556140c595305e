package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// fakeEnroller stands for the child process; it keeps what it was asked for.
type fakeEnroller struct {
	slot piv.Slot
	err  error
	got  piv.Enrollment
	// pin and management are the secrets that came with it.
	pin, management string
}

func (f *fakeEnroller) Enroll(_ context.Context, in piv.Enrollment, progress func(piv.Step)) (piv.Slot, error) {
	f.got, f.pin, f.management = in, string(in.PIN.Bytes()), string(in.ManagementKey.Bytes())
	for _, step := range []piv.Step{piv.StepGenerate, piv.StepTouch, piv.StepCertificate} {
		progress(step)
	}
	return f.slot, f.err
}

// enrolling is the secrets of a set-up: PIN, management key, new PIN, PUK, new PUK.
func enrolling(texts ...string) []*oath.Secret {
	return secrets(append(texts, make([]string, 5-len(texts))...)...)
}

func TestEnroll(t *testing.T) {
	s := newSafe(t)
	shown, err := s.Enroll(t.Context(), tester, "main", api.EnrollRequest{}, enrolling(""))
	if err != nil || !shown.Reuse || shown.Slot != 0x82 || shown.Recipient == "" {
		t.Fatalf("a slot that is there: %v, %+v", err, shown)
	}
	_, err = s.Enroll(t.Context(), tester, "spare", api.EnrollRequest{}, enrolling("123456"))
	wantCode(t, err, api.CodeNotSupported) // nobody can set up soft keys of this process

	child := &fakeEnroller{slot: piv.Slot{ID: 0x82, Point: make([]byte, 65)}, err: piv.ErrManagementKey}
	r := newRigWith(t, agent.Options{Enroller: child})
	bare, _ := pair(t, "")
	r.adoptNew(bare, "bare")
	plan, err := r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{Plan: true}, enrolling(""))
	if err != nil || plan.Reuse || plan.Slot != 0x82 || len(plan.Steps) == 0 || plan.Recipient != "" || child.pin != "" {
		t.Fatalf("the plan: %v, %+v", err, plan)
	}
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{}, enrolling("123456", "management"))
	wantCode(t, err, api.CodeConflict)
	if child.pin != "123456" || child.management != "management" || child.got.Slot != 0x82 || child.got.Reader == "" {
		t.Errorf("the child was asked for %+v", child.got)
	}
	child.err = errors.New("odd")
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{}, enrolling("123456", "management"))
	wantCode(t, err, api.CodeCardError)
	r.remove(bare)
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{Plan: true}, enrolling(""))
	wantCode(t, err, api.CodeKeyAbsent)
	_, err = r.Enroll(t.Context(), tester, "nobody", api.EnrollRequest{}, enrolling(""))
	wantCode(t, err, api.CodeNotFound)
}

// TestEnrollChanges: PIN, PUK and management key are changed if that is asked for, of a key that has its slot too.
func TestEnrollChanges(t *testing.T) {
	s := newSafe(t)
	all := api.EnrollRequest{ChangePIN: true, ChangePUK: true, Protect: true}
	plan := all
	plan.Plan = true
	shown, err := s.Enroll(t.Context(), tester, "main", plan, enrolling(""))
	if err != nil || !shown.Reuse || len(shown.Steps) != 5 || len(shown.Warnings) != 0 {
		t.Fatalf("the plan: %v, %+v", err, shown)
	}
	for name, test := range map[string]struct {
		req     api.EnrollRequest
		secrets []string
		code    api.ErrorCode
	}{
		"too few secrets":     {all, nil, api.CodeBadRequest},
		"no new PIN":          {all, []string{"123456", "", "", "12345678", "13579111"}, api.CodeBadRequest},
		"no new PUK":          {all, []string{"123456", "", "246810", "12345678"}, api.CodeBadRequest},
		"a PUK for nothing":   {api.EnrollRequest{}, []string{"123456", "", "", "12345678", "13579111"}, api.CodeBadRequest},
		"a wrong PIN":         {all, []string{"654321", "", "246810", "12345678", "13579111"}, api.CodeWrongPassword},
		"a wrong PUK":         {all, []string{"123456", "", "246810", "87654321", "13579111"}, api.CodeWrongPassword},
		"a wrong key":         {api.EnrollRequest{Protect: true}, []string{"123456", strings.Repeat("k", 24)}, api.CodeConflict},
		"a key of odd length": {api.EnrollRequest{Protect: true}, []string{"123456", "k"}, api.CodeConflict},
	} {
		list := enrolling("")
		if list = list[:len(test.secrets)]; test.secrets != nil {
			list = enrolling(test.secrets...)
		}
		_, err := s.Enroll(t.Context(), tester, "main", test.req, list)
		if e := wantCode(t, err, test.code); strings.Contains(e.Message, "is changed") {
			t.Errorf("%s: %v", name, e)
		}
	}
	if _, err := s.Enroll(t.Context(), tester, "main", all, enrolling("123456", "", "246810", "12345678", "13579111")); err != nil {
		t.Fatal(err)
	}
	if log := s.intact(); !slices.Contains(log, "change PUK, PIN, management key of main") {
		t.Errorf("%q", log)
	}
	_, err = s.drill(withMain, hwtest.FactoryPIN)
	wantCode(t, err, api.CodeWrongPassword)
	if _, err := s.drill(withMain, "246810"); err != nil {
		t.Error(err)
	}
	state, err := piv.Look(s.main)
	if err != nil || !state.ProtectedManagementKey || state.DefaultPUK != piv.No || len(state.Escrow) != 1 {
		t.Errorf("%+v, %v", state, err)
	}
}
