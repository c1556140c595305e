package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// deed is something that changes keys, ledger or escrow.
type deed struct {
	name  string
	stage func(testing.TB) *stage
	// out are the keys that are not plugged in, gone are the accounts that it may destroy.
	out, gone []string
	// do may be repeated; done checks what it has done.
	do, done func(*scene) error
}

func deeds() []deed {
	return append(provisions(), append(removals(), escrows()...)...)
}

func provisions() []deed {
	onAll := func(s *scene) error { return s.onKeys("GitHub:me", "daily", "spare", "fresh") }
	return []deed{
		{name: "adopt", stage: bare,
			do: func(s *scene) error {
				_, err := s.client.Adopt(s.t.Context(), "3", api.AdoptRequest{Label: "fresh"})
				if api.CodeOf(err) == api.CodeConflict {
					return nil
				}
				return err
			},
			done: func(s *scene) error { return s.onKeys("Foreign:fresh", "fresh") }},
		{name: "add", stage: furnished,
			do:   func(s *scene) error { return s.add(third, "daily", "fresh") },
			done: func(s *scene) error { return s.onKeys("Third:me", "daily", "fresh") }},
		{name: "restore", stage: furnished,
			do:   func(s *scene) error { return s.restore(onPaper()) },
			done: func(s *scene) error { return onAll(s) }},
		{name: "restore, opened by a key", stage: furnished,
			do:   func(s *scene) error { return s.restore(withDaily(), "GitHub:me") },
			done: onAll},
		{name: "resume", stage: halfway,
			do:   (*scene).resume,
			done: func(s *scene) error { return s.onKeys("Third:me", "daily", "fresh") }},
		{name: "rename", stage: furnished, gone: []string{"Mail:me"},
			do: func(s *scene) error {
				account, err := s.client.Account(s.t.Context(), "Mail:")
				if err != nil {
					return err
				}
				return complete(s.client.Rename(s.t.Context(), account.ID, api.RenameRequest{Issuer: "Mail", Name: "you"}))
			},
			done: func(s *scene) error { return s.onKeys("Mail:you", "daily", "spare") }},
		{name: "rotate", stage: furnished,
			do: (*scene).rotate,
			done: func(s *scene) error {
				if err := s.onKeys("GitHub:me (new)", "daily", "spare"); err != nil {
					return err
				}
				return s.onKeys("GitHub:me", "daily", "spare")
			}},
		{name: "rotate: the service took it", stage: rotating,
			do:   func(s *scene) error { return s.endRotation(false) },
			done: rotated},
		{name: "rotate: give it up", stage: rotating,
			do:   func(s *scene) error { return s.endRotation(true) },
			done: rotated},
	}
}

// rotated wants one of the two seeds to be gone from the keys.
func rotated(s *scene) error {
	accounts, err := s.client.Accounts(s.t.Context(), "GitHub")
	if err != nil || len(accounts) != 1 || accounts[0].Rotating != "" {
		return fmt.Errorf("%v, %+v", err, accounts)
	}
	for label, k := range s.keys {
		for id := range answers(s.t, k) {
			if strings.Contains(id, "(") {
				return fmt.Errorf("%s holds %q", label, id)
			}
		}
	}
	return s.onKeys("GitHub:me", "daily", "spare")
}

func removals() []deed {
	return []deed{
		{name: "remove from a key", stage: furnished,
			do: func(s *scene) error {
				return complete(s.client.Remove(s.t.Context(), "GitHub:me", "daily", false))
			},
			done: func(s *scene) error { return s.onKeys("GitHub:me", "spare") }},
		{name: "remove for good", stage: furnished, gone: []string{"GitHub:me"},
			do: func(s *scene) error { return complete(s.client.Remove(s.t.Context(), "GitHub:me", "", true)) },
			done: func(s *scene) error {
				if _, err := s.client.Account(s.t.Context(), "GitHub:me"); api.CodeOf(err) != api.CodeNotFound {
					return fmt.Errorf("it is still there: %v", err)
				}
				return nil
			}},
		{name: "withdraw", stage: furnished,
			do:   func(s *scene) error { return complete(s.client.Withdraw(s.t.Context(), "GitHub:me")) },
			done: func(s *scene) error { return s.onKeys("GitHub:me") }},
		{name: "lose a key", stage: furnished, out: []string{"daily"},
			do: func(s *scene) error {
				paper := s.paper()
				defer paper.Wipe()
				report, err := s.client.KeyLost(s.t.Context(), "daily", api.LostRequest{Opener: onPaper()}, paper, nil)
				if err == nil && report.Recipient {
					err = fmt.Errorf("it still opens the escrow: %q", report.Warnings)
				}
				return err
			},
			done: func(s *scene) error {
				k, err := s.client.Key(s.t.Context(), "daily")
				if err != nil || k.State != api.KeyLost {
					return fmt.Errorf("%v, %+v", err, k)
				}
				return s.opens("paper")
			}},
	}
}

func escrows() []deed {
	return []deed{
		{name: "make the escrow", stage: adopted,
			do: func(s *scene) error {
				_, page, err := s.client.EscrowInit(s.t.Context(), api.EscrowInitRequest{Keys: []string{"daily"}, Recovery: "paper"}, nil)
				page.Wipe()
				if api.CodeOf(err) == api.CodeExists {
					return nil
				}
				return err
			},
			done: func(s *scene) error { return s.opens("daily", "paper") }},
		{name: "add a recipient", stage: furnished,
			do: func(s *scene) error {
				if s.opens("daily", "paper") != nil {
					return nil
				}
				paper := s.paper()
				defer paper.Wipe()
				_, page, err := s.client.EscrowAdd(s.t.Context(), api.EscrowAddRequest{Opener: *onPaper(), Recovery: "second paper"}, paper, nil)
				page.Wipe()
				return err
			},
			done: func(s *scene) error { return s.opens("daily", "paper", "second paper") }},
		{name: "remove a recipient", stage: furnished,
			do: func(s *scene) error {
				paper := s.paper()
				defer paper.Wipe()
				_, err := s.client.EscrowRemove(s.t.Context(), api.EscrowRemoveRequest{Opener: *onPaper(), Recipients: []string{"daily"}}, paper, nil)
				if api.CodeOf(err) == api.CodeNotFound {
					return nil
				}
				return err
			},
			done: func(s *scene) error { return s.opens("paper") }},
	}
}

// opens wants these, and no others, to open the escrow.
func (s *scene) opens(want ...string) error {
	e, err := s.client.Escrow(s.t.Context())
	var got []string
	for _, r := range e.Recipients {
		got = append(got, r.Name)
	}
	if err != nil || strings.Join(got, ",") != strings.Join(want, ",") {
		return fmt.Errorf("%v, what opens it: %q", err, got)
	}
	return nil
}

func (s *scene) restore(o *api.Opener, accounts ...string) error {
	secret := s.paper()
	if o.By == api.OpenPIV {
		secret = oath.TakeSecret([]byte(hwtest.FactoryPIN))
	}
	defer secret.Wipe()
	return complete(s.client.Restore(s.t.Context(), api.RestoreRequest{Opener: *o, To: []string{"fresh"}, Accounts: accounts}, secret, nil))
}

// resume wants all that was broken off to be finished: the keys that it needs are plugged in, and the paper opens the escrow.
func (s *scene) resume() error {
	paper := s.paper()
	defer paper.Wipe()
	report, err := s.client.ResumeWith(s.t.Context(), api.ResumeRequest{Opener: onPaper()}, paper, nil)
	if err == nil && !report.Complete {
		err = fmt.Errorf("not resumed: %+v", report)
	}
	return err
}

// endRotation ends it, if the first time did not.
func (s *scene) endRotation(giveUp bool) error {
	account, err := s.client.Account(s.t.Context(), "GitHub:me")
	if err != nil || account.Rotating == "" {
		return err
	}
	return complete(s.client.RotateEnd(s.t.Context(), account.ID, api.RotateEndRequest{GiveUp: giveUp}))
}

// TestKilled kills the daemon with SIGKILL at every point of every deed: before each command to a key, after it and before its
// answer, and before and after each commit.
func TestKilled(t *testing.T) {
	everywhere := func(points int, _ []int) (all []int) {
		for n := 1; n <= points; n++ {
			all = append(all, n)
		}
		return all
	}
	atEach(t, everywhere, "killed at %d points", func(t *testing.T, d deed, _, n int) bool { return killedAt(t, d, n) })
}

// commits are the points of a deed at which something is about to be committed.
func commits(_ int, commits []int) []int { return commits }

// atEach does every deed once in peace, to learn its points, and tries something at each of those that matter. It says how often that could
// be tried: where keys are served in parallel, a daemon may be done before it has passed as many points as another did.
func atEach(t *testing.T, which func(points int, commits []int) []int, said string, try func(t *testing.T, d deed, i, n int) bool) {
	t.Parallel()
	var tried atomic.Int32
	t.Cleanup(func() { t.Logf(said, tried.Load()) })
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			matter := which(undisturbed(t, d))
			if len(matter) == 0 {
				t.Fatal("it has no points")
			}
			ran, done := 0, 0
			for i, n := range matter {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					ran++
					if try(t, d, i, n) {
						done++
					}
				})
			}
			tried.Add(int32(done))
			if ran-done > max(1, ran/10) {
				t.Errorf("only %d of %d points could be tried", done, ran)
			}
		})
	}
}

// undisturbed counts the points of a deed, and those of them that are before a commit.
func undisturbed(t *testing.T, d deed) (points int, commits []int) {
	t.Helper()
	s := d.stage(t).enter(t, d.out...)
	points, _, err := s.attempt(0, func() error { return d.do(s) })
	if err != nil {
		t.Fatal(err)
	}
	commits = s.fate.before(points)
	s.expect(d.done(s), s.sound(d.gone...), s.settled())
	s.leave(syscall.SIGTERM)
	return points, commits
}

// killedAt kills the daemon at the nth point, runs another, and sees that all comes right.
func killedAt(t *testing.T, d deed, n int) bool {
	t.Helper()
	s := d.stage(t).doom().enter(t, d.out...)
	if _, dead, err := s.attempt(n, func() error { return d.do(s) }); !dead {
		s.expect(err)
		return false
	}
	s.reborn()
	s.expect(s.sound(d.gone...))
	s.recovers(d)
	return true
}

// recovers has what was broken off resumed, and done again, and ends the daemon.
func (s *scene) recovers(d deed) {
	s.t.Helper()
	if s.stage.paper != "" {
		s.expect(s.resume(), s.sound(d.gone...))
	}
	s.expect(d.do(s), d.done(s), s.sound(d.gone...), s.settled())
	s.leave(syscall.SIGTERM)
}

// expect ends the test at the first thing that went wrong.
func (s *scene) expect(errs ...error) {
	s.t.Helper()
	for _, err := range errs {
		if err != nil {
			s.leave(syscall.SIGKILL)
			s.t.Fatalf("%v\noathd said:\n%s", err, &s.log)
		}
	}
}
