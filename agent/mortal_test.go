package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// What concerns the escrow is killed at every point: before and after each command to a key, and before and after each commit.
// From then on the old agent reaches neither keys nor ledger; a new one begins with what it left.

// mortal counts the points that an agent passes, and ends it at one of them.
type mortal struct {
	mu     sync.Mutex
	points int
	// dies is the point at which it does, 0 for never.
	dies int
	dead bool
}

var errDead = errors.New("the daemon was killed")

// pass reports whether the agent is alive after one more point.
func (m *mortal) pass() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points++
	if m.dead = m.dead || m.points == m.dies; m.dead {
		return errDead
	}
	return nil
}

// begin counts anew, towards the point at which it dies.
func (m *mortal) begin(dies int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points, m.dies = 0, dies
}

// mortalBay is a bay whose keys are out of reach for the dead.
type mortalBay struct {
	*softkey.Bay
	m *mortal
}

func (b mortalBay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	return b.Bay.Transact(slot, func(c hw.Card) error { return work(mortalCard{c, b.m}) })
}

type mortalCard struct {
	hw.Card
	m *mortal
}

func (c mortalCard) Transmit(command []byte) ([]byte, error) {
	if c.m.pass() != nil {
		return nil, hw.ErrRemoved
	}
	answer, err := c.Card.Transmit(command)
	if c.m.pass() != nil {
		return nil, hw.ErrRemoved
	}
	return answer, err
}

// mortalLedger takes no commits of the dead.
type mortalLedger struct {
	*ledger.Ledger
	m *mortal
}

func (l mortalLedger) Change(ctx context.Context, who, what string, f func(*ledger.Tx) error) error {
	if err := l.m.pass(); err != nil {
		return err
	}
	return errors.Join(l.Ledger.Change(ctx, who, what, f), l.m.pass())
}

func (l mortalLedger) Observe(ctx context.Context, f func(*ledger.Tx) error) error {
	if err := l.m.pass(); err != nil {
		return err
	}
	return errors.Join(l.Ledger.Observe(ctx, f), l.m.pass())
}

// venture is something that changes keys and escrow.
type venture struct {
	name string
	// gone are accounts that it may destroy.
	gone []string
	// ready, if set, prepares it.
	ready func(*ordeal)
	run   func(*ordeal) error
	done  func(*ordeal) error
}

// ordeal is a safe whose agent can be killed, with two accounts in the escrow and on the keys main and spare, on each of
// which another program has an account, and an empty key "new". The key spare is not plugged in.
type ordeal struct {
	*safe
	m     *mortal
	blank *softkey.Key
}

func newOrdeal(t *testing.T) *ordeal {
	t.Helper()
	o := &ordeal{safe: newSafe(t), m: &mortal{}}
	for _, k := range []*softkey.Key{o.main, o.spare} {
		program{t: t, k: k}.put(foreign, seedB, 0)
		o.replug(k)
	}
	o.mustAdd(first)
	o.mustAdd(second)
	o.blank = o.fresh(3, "new")
	o.remove(o.spare)
	o.options.Bay = mortalBay{o.bay, o.m}
	o.restart()
	agent.WrapLedger(o.Agent, mortalLedger{o.book, o.m})
	return o
}

// begin makes the ordeal ready for a venture.
func (v venture) begin(t *testing.T) *ordeal {
	o := newOrdeal(t)
	if v.ready != nil {
		v.ready(o)
	}
	return o
}

// lose declares a key lost, and takes it out of the escrow if it is in there.
func (o *ordeal) lose(key string) error {
	_, err := o.KeyLost(o.t.Context(), tester, key, api.LostRequest{Opener: &onPaper}, secrets(o.paper, ""))
	return err
}

func settled(report api.Report, err error) error {
	if code := api.CodeOf(err); code == api.CodeExistsSame || code == api.CodeNotFound {
		return nil // the first time did it
	}
	if err == nil && !report.Complete {
		err = fmt.Errorf("not complete: %+v", report)
	}
	return err
}

// onKeys wants an account to be proved on these keys, and no others.
func onKeys(o *ordeal, label string, keys ...string) error {
	got := states(o.account(label))
	want := map[string]api.CopyState{}
	for _, key := range keys {
		want[key] = api.CopyProved
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s is %v", label, got)
	}
	return nil
}

func ventures() []venture {
	third := totp("Third", "me")
	return []venture{
		{name: "add",
			run: func(o *ordeal) error {
				return settled(o.add(api.AddRequest{Accounts: []api.NewAccount{third}, To: []string{"main", "new"}}))
			},
			done: func(o *ordeal) error {
				if acc := o.account("Third:me"); acc.Escrow != api.EscrowLive {
					return fmt.Errorf("it is %q in the escrow", acc.Escrow)
				}
				return onKeys(o, "Third:me", "main", "new")
			}},
		{name: "restore",
			run: func(o *ordeal) error { return settled(o.restore(api.RestoreRequest{To: []string{"new"}})) },
			done: func(o *ordeal) error {
				return errors.Join(onKeys(o, "GitHub:me", "main", "spare", "new"), onKeys(o, "Mail:me", "main", "spare", "new"))
			}},
		{name: "restore, opened by a key",
			run: func(o *ordeal) error {
				return settled(o.Restore(o.t.Context(), tester, api.RestoreRequest{Opener: withMain, To: []string{"new"}, Accounts: []string{"GitHub:me"}}, secrets("123456"), o.step))
			},
			done: func(o *ordeal) error { return onKeys(o, "GitHub:me", "main", "spare", "new") }},
		{name: "remove from a key",
			run:  func(o *ordeal) error { return settled(o.Remove(o.t.Context(), tester, "GitHub:me", "main", false)) },
			done: func(o *ordeal) error { return onKeys(o, "GitHub:me", "spare") }},
		{name: "remove for good", gone: []string{"GitHub:me"},
			run: func(o *ordeal) error {
				if err := o.lose("spare"); err != nil {
					return err
				}
				return settled(o.Remove(o.t.Context(), tester, "GitHub:me", "", true))
			},
			done: func(o *ordeal) error {
				if _, err := o.Account("GitHub:me"); api.CodeOf(err) != api.CodeNotFound {
					return fmt.Errorf("it is still there: %v", err)
				}
				return nil
			}},
		{name: "rotate",
			run: func(o *ordeal) error {
				if err := o.lose("spare"); err != nil {
					return err
				}
				if err := settled(o.rotate("GitHub:me", nextSeed, "main")); err != nil {
					return err
				}
				if o.account("GitHub:me").Rotating == "" {
					return nil // the first time ended it
				}
				return settled(o.endRotation(false))
			},
			done: func(o *ordeal) error {
				if got := states(o.account("GitHub:me")); len(got) != 1 || got["main"] != api.CopyProved {
					return fmt.Errorf("it is %v", got)
				}
				if ids := (program{t: o.t, k: o.main}).ids(); slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(id, "(") }) {
					return fmt.Errorf("main holds %q", ids)
				}
				return nil
			}},
		{name: "lose a key",
			run: func(o *ordeal) error { return o.lose("spare") },
			done: func(o *ordeal) error {
				if k := o.key("spare"); k.State != api.KeyLost {
					return fmt.Errorf("it is %s", k.State)
				}
				return nil
			}},
		{name: "carry out a plan",
			// Of GitHub one copy is missing; Mail has both at home.
			ready: func(o *ordeal) {
				if _, err := o.Remove(o.t.Context(), tester, "GitHub:me", "main", false); err != nil {
					o.t.Fatal(err)
				}
				o.insert(o.spare)
				o.kept("main", "home", "")
				o.kept("spare", "home", "")
				o.kept("new", "bank", "")
			},
			run: func(o *ordeal) error {
				plan, err := o.Plan(two)
				if err != nil {
					return err
				}
				return settled(o.applyThat(api.ApplyRequest{Plan: two, ID: plan.ID, Opener: &onPaper}))
			},
			done: func(o *ordeal) error {
				o.wantPlan(two, "Foreign:else lacks 1 (seed)")
				mail := states(o.account("Mail:me"))
				if mail["main"] != api.CopyProved || mail["new"] != api.CopyProved {
					return fmt.Errorf("Mail:me is %v", mail)
				}
				return onKeys(o, "GitHub:me", "spare", "new")
			}},
		{name: "remove a recipient",
			run: func(o *ordeal) error {
				_, err := o.EscrowRemove(o.t.Context(), tester, api.EscrowRemoveRequest{Opener: onPaper, Recipients: []string{"main"}}, secrets(o.paper, ""))
				if api.CodeOf(err) == api.CodeNotFound {
					return nil
				}
				return err
			},
			done: func(o *ordeal) error {
				if e := o.Escrow(); len(e.Recipients) != 1 || e.Recipients[0].Name != "paper" {
					return fmt.Errorf("%+v", e.Recipients)
				}
				return nil
			}},
	}
}

func TestKilledAnywhere(t *testing.T) {
	var tried atomic.Int32
	t.Cleanup(func() { t.Logf("killed at %d points", tried.Load()) })
	for _, v := range ventures() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			o := v.begin(t)
			o.m.begin(0)
			if err := errors.Join(v.run(o), v.done(o)); err != nil {
				t.Fatal(err)
			}
			points := o.m.points
			for n := 1; n <= points; n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) { kill(t, v, n) })
				tried.Add(1)
			}
		})
	}
}

// kill ends the agent at the nth point, begins another, and sees that all comes right.
func kill(t *testing.T, v venture, n int) {
	o := v.begin(t)
	o.m.begin(n)
	_ = v.run(o)
	if !o.m.dead {
		t.Skipf("it took a shorter way: %d points", o.m.points)
	}
	o.options.Bay = o.bay
	o.restart()
	o.recovers(v)
}

// whole checks what must hold at any moment: the audit log is whole, the paper opens all that is in the escrow, no account is gone, and
// nothing foreign was touched.
func (o *ordeal) whole(v venture) {
	o.t.Helper()
	o.intact()
	if d, err := o.drill(onPaper, o.paper); err != nil || len(d.Faults) != 0 {
		o.t.Fatalf("a drill: %v, %+v", err, d)
	}
	for _, label := range []string{"GitHub:me", "Mail:me"} {
		acc, err := o.Account(label)
		if err == nil && acc.Escrow != api.EscrowLive && !slices.Contains(v.gone, label) || err != nil && !slices.Contains(v.gone, label) {
			o.t.Fatalf("%s is %q in the escrow: %v", label, acc.Escrow, err)
		}
	}
	if ids := (program{t: o.t, k: o.main}).ids(); !slices.Contains(ids, "Foreign:else") {
		o.t.Fatalf("main holds %q", ids)
	}
}
