package agent_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/ipc/api"
)

// fakeEnroller stands for the child process; it keeps what it was asked for.
type fakeEnroller struct {
	slot piv.Slot
	err  error
	got  piv.Enrollment
	pin  string
}

func (f *fakeEnroller) Enroll(_ context.Context, in piv.Enrollment, progress func(piv.Step)) (piv.Slot, error) {
	f.got, f.pin = in, string(in.PIN.Bytes())
	for _, step := range []piv.Step{piv.StepGenerate, piv.StepTouch, piv.StepCertificate} {
		progress(step)
	}
	return f.slot, f.err
}

func TestEnroll(t *testing.T) {
	s := newSafe(t)
	shown, err := s.Enroll(t.Context(), tester, "main", api.EnrollRequest{}, secrets(""))
	if err != nil || !shown.Reuse || shown.Slot != 0x82 || shown.Recipient == "" {
		t.Fatalf("a slot that is there: %v, %+v", err, shown)
	}
	_, err = s.Enroll(t.Context(), tester, "spare", api.EnrollRequest{}, secrets("123456"))
	wantCode(t, err, api.CodeNotSupported) // nobody can set up soft keys of this process

	child := &fakeEnroller{slot: piv.Slot{ID: 0x82, Point: make([]byte, 65)}, err: piv.ErrManagementKey}
	r := newRigWith(t, agent.Options{Enroller: child})
	bare, _ := pair(t, "")
	r.adoptNew(bare, "bare")
	plan, err := r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{Plan: true}, secrets(""))
	if err != nil || plan.Reuse || plan.Slot != 0x82 || len(plan.Steps) == 0 || plan.Recipient != "" || child.pin != "" {
		t.Fatalf("the plan: %v, %+v", err, plan)
	}
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{}, secrets("123456"))
	wantCode(t, err, api.CodeConflict)
	if child.pin != "123456" || child.got.Slot != 0x82 || child.got.Reader == "" {
		t.Errorf("the child was asked for %+v", child.got)
	}
	child.err = errors.New("odd")
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{}, secrets("123456"))
	wantCode(t, err, api.CodeCardError)
	r.remove(bare)
	_, err = r.Enroll(t.Context(), tester, "bare", api.EnrollRequest{Plan: true}, secrets(""))
	wantCode(t, err, api.CodeKeyAbsent)
	_, err = r.Enroll(t.Context(), tester, "nobody", api.EnrollRequest{}, secrets(""))
	wantCode(t, err, api.CodeNotFound)
}
