package agent_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func (s *safe) rotate(account, seed string, to ...string) (api.Report, error) {
	return s.Rotate(s.t.Context(), tester, account, api.RotateRequest{To: to}, []*oath.Secret{secret(seed)}, s.step)
}

func (s *safe) endRotation(giveUp bool) (api.Report, error) {
	return s.RotateEnd(s.t.Context(), tester, "GitHub:me", api.RotateEndRequest{GiveUp: giveUp})
}

const nextSeed = "a new seed of 20 byt"

func TestRotate(t *testing.T) {
	s := newSafe(t)
	was := s.mustAdd(first)
	if _, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("codes: drawer")); err != nil {
		t.Fatal(err)
	}
	before := program{t: t, k: s.main}.calculate("GitHub:me", oath.Challenge(1))
	report, err := s.rotate("GitHub:me", nextSeed)
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if acc := s.account(was.ID); acc.Rotating == "" || acc.Proved != 2 || s.account("GitHub:me (new)").Proved != 2 {
		t.Fatalf("%+v", acc)
	}
	_, err = s.rotate("GitHub:me", "another seed of 20 b")
	wantCode(t, err, api.CodeConflict)
	_, err = s.rotate("GitHub:me", nextSeed)
	if e := wantCode(t, err, api.CodeExistsSame); !strings.Contains(e.Hint, "--done") {
		t.Errorf("what to do next: %q", e.Hint)
	}
	s.restart()
	if report, err := s.endRotation(false); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	acc := s.account("GitHub:me")
	if acc.ID != was.ID || acc.Proved != 2 || acc.Rotating != "" || acc.Escrow != api.EscrowLive || acc.RunbookAt.IsZero() || len(s.Accounts("")) != 1 {
		t.Errorf("%+v", s.Accounts(""))
	}
	p := program{t: t, k: s.main}
	if ids := p.ids(); !slices.Equal(ids, []string{"GitHub:me"}) || slices.Equal(p.calculate("GitHub:me", oath.Challenge(1)), before) {
		t.Errorf("main holds %q", ids)
	}
	s.replug(s.main)
	if d, err := s.drill(onPaper, s.paper); err != nil || len(d.Faults) != 0 || d.Seeds != 1 || d.Runbooks != 1 || d.Here != 1 {
		t.Errorf("%v, %+v", err, d)
	}
	s.fresh(3, "new")
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}}); err != nil || !report.Complete || s.account("GitHub:me").Proved != 3 {
		t.Errorf("%v, %+v", err, report)
	}
	if s.Status().OpenIntents != 0 {
		t.Error("intents are open")
	}
	s.intact()
}

func TestRotateGivenUp(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	if _, err := s.endRotation(true); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("none is under way: %v", err)
	}
	if _, err := s.rotate("GitHub:me", nextSeed); err != nil {
		t.Fatal(err)
	}
	if report, err := s.endRotation(true); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if acc := s.account("GitHub:me"); acc.Rotating != "" || acc.Proved != 2 || len(s.Accounts("")) != 1 || s.Escrow().Seeds != 1 {
		t.Errorf("%+v", s.Accounts(""))
	}
}

func TestRotateRefuses(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.mustAdd(totp("Corp", "bob"))
	same, another := string(nameSeed("GitHub", "me").Bytes()), string(nameSeed("Corp", "bob").Bytes())
	for name, test := range map[string]struct {
		account, seed string
		to            []string
		code          api.ErrorCode
	}{
		"nobody":        {"Nobody", nextSeed, nil, api.CodeNotFound},
		"no seed":       {"GitHub:me", "", nil, api.CodeBadRequest},
		"the same seed": {"GitHub:me", same, nil, api.CodeExistsSame},
		"another's":     {"GitHub:me", another, nil, api.CodeExistsSame},
		"no such key":   {"GitHub:me", nextSeed, []string{"blue"}, api.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.rotate(test.account, test.seed, test.to...)
			wantCode(t, err, test.code)
		})
	}
	s.remove(s.main)
	s.remove(s.spare)
	if _, err := s.rotate("GitHub:me", nextSeed); err != nil {
		t.Fatal(err)
	}
	_, err := s.endRotation(false)
	wantCode(t, err, api.CodeProofFailed)
	s.insert(s.main)
	if report, err := s.rotate("GitHub:me", nextSeed); err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	_, err = s.endRotation(false)
	wantCode(t, err, api.CodeConflict) // the key that is away may have it or not
}

// TestRotateProvesWhatItFinds: wherever the end of a rotation was broken off, what is resumed has answered and is proved.
func TestRotateProvesWhatItFinds(t *testing.T) {
	for n, dead := 1, true; dead; n++ {
		o := newOrdeal(t)
		if _, err := o.rotate("GitHub:me", nextSeed, "main"); err != nil {
			t.Fatal(err)
		}
		o.m.begin(n)
		_, _ = o.endRotation(false)
		dead = o.m.dead
		o.options.Bay = o.bay
		o.restart()
		o.resume(api.ResumeRequest{})
		for _, acc := range o.Accounts("GitHub") {
			if got := states(acc)["main"]; got != api.CopyProved && got != "" {
				t.Errorf("killed at %d: %s is %s", n, acc.Label(), got)
			}
		}
	}
}
