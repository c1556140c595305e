package agent_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// gone are the ways in which a key leaves in the middle of a command.
var gone = map[string]softkey.FaultKind{"pulled out": softkey.FaultPulled, "dead before it answers": softkey.FaultDies}

// TestPulledAnywhere does with the keys what TestKilledAnywhere does with the agent: whatever is about the escrow, each key that takes part is
// pulled out before each of its commands, and dies between each and its answer.
func TestPulledAnywhere(t *testing.T) {
	var tried atomic.Int32
	t.Cleanup(func() { t.Logf("keys left at %d points", tried.Load()) })
	for _, v := range append(ventures(), byKey()...) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			o := v.begin(t)
			keys := []*softkey.Key{o.main, o.spare, o.blank}
			forget(keys...)
			if err := v.run(o); err != nil {
				t.Fatal(err)
			}
			for i, k := range keys {
				for n := range k.APDUs() {
					for how, kind := range gone {
						t.Run(fmt.Sprintf("key %d %s, command %d", i, how, n), func(t *testing.T) {
							leave(t, v, i, softkey.Fault{Kind: kind, After: n})
							tried.Add(1)
						})
					}
				}
			}
		})
	}
}

// leave lets the ith key leave in the middle of a venture, come back, and sees that all comes right. What is done without it is done: a key
// that has opened the escrow is needed no more.
func leave(t *testing.T, v venture, i int, f softkey.Fault) {
	o := v.begin(t)
	k := []*softkey.Key{o.main, o.spare, o.blank}[i]
	k.Fail(f)
	err := v.run(o)
	k.Heal()
	switch here := slices.Contains(o.bay.Keys(), k); {
	case here && err == nil:
		t.Skip("it took a shorter way")
	case here:
		t.Fatalf("it failed, and no key left: %v", err)
	case err == nil:
		err = v.done(o)
	default:
		err = nil
	}
	if err != nil {
		t.Errorf("it did not fail, but %v", err)
	}
	o.await(api.EventKeyOut)
	o.insert(k)
	o.recovers(v)
}

// recovers has what was broken off resumed, and done again.
func (o *ordeal) recovers(v venture) {
	o.t.Helper()
	o.whole(v)
	report, err := o.ResumeWith(o.t.Context(), tester, api.ResumeRequest{Opener: &onPaper}, secrets(o.paper), o.step)
	if err != nil {
		o.t.Fatal(err)
	}
	explained(o.t.(*testing.T), report)
	o.whole(v)
	if err := v.run(o); err != nil {
		o.t.Fatalf("the second time: %v", err)
	}
	o.whole(v)
	if err := v.done(o); err != nil {
		o.t.Fatal(err)
	}
	if n := o.Status().OpenIntents; n != 0 {
		o.t.Fatalf("%d intents are open", n)
	}
}

// byKey are ventures whose opener is the key that leaves.
func byKey() []venture {
	return []venture{
		{name: "resume, opened by a key",
			ready: func(o *ordeal) {
				o.remove(o.blank)
				_, err := o.add(api.AddRequest{Accounts: []api.NewAccount{totp("Third", "me")}, To: []string{"main", "new"}})
				if err != nil {
					o.t.Fatal(err)
				}
				o.insert(o.blank)
			},
			run: func(o *ordeal) error {
				return settled(o.ResumeWith(o.t.Context(), tester, api.ResumeRequest{Opener: &withMain}, secrets(hwtest.FactoryPIN), o.step))
			},
			done: func(o *ordeal) error { return onKeys(o, "Third:me", "main", "new") }},
		{name: "withdraw",
			ready: func(o *ordeal) { o.insert(o.spare) },
			run:   func(o *ordeal) error { return settled(o.Withdraw(o.t.Context(), tester, "GitHub:me")) },
			done:  func(o *ordeal) error { return onKeys(o, "GitHub:me") }},
		{name: "add a recipient, opened by a key",
			run: func(o *ordeal) error {
				if len(o.Escrow().Recipients) == 3 {
					return nil // the first time did it
				}
				_, page, err := o.EscrowAdd(o.t.Context(), tester, api.EscrowAddRequest{Opener: withMain, Recovery: "another"}, secrets(hwtest.FactoryPIN, ""))
				page.Wipe()
				return err
			},
			done: func(o *ordeal) error {
				if e := o.Escrow(); len(e.Recipients) != 3 {
					return fmt.Errorf("%+v", e.Recipients)
				}
				return nil
			}},
		{name: "lose a key, opened by a key",
			run: func(o *ordeal) error {
				report, err := o.KeyLost(o.t.Context(), tester, "spare", api.LostRequest{Opener: &withMain}, secrets(hwtest.FactoryPIN, ""))
				if err == nil && len(report.Warnings) > 0 {
					err = fmt.Errorf("%q", report.Warnings)
				}
				return err
			},
			done: func(o *ordeal) error { return onKeys(o, "GitHub:me", "main", "spare") }},
	}
}

// TestOpenerLeaves: whatever the escrow is opened for, a key that leaves before it has opened it leaves everything as it was.
func TestOpenerLeaves(t *testing.T) {
	for verb, request := range opened {
		for how, kind := range gone {
			t.Run(verb+", "+how, func(t *testing.T) {
				t.Parallel()
				s, fresh := filled(t)
				n := 0
				for ; ; n++ {
					before := s.everything()
					s.main.Fail(softkey.Fault{Kind: kind, After: n})
					err := request(s, withMain, hwtest.FactoryPIN)
					s.main.Heal()
					if err == nil {
						break
					}
					if code := api.CodeOf(err); code != api.CodeKeyRemoved && code != api.CodeKeyAbsent {
						t.Fatalf("command %d: %v (%s)", n, err, code)
					}
					wantWords(t, err.(*api.Error))
					s.await(api.EventKeyOut)
					s.insert(s.main)
					if after := s.everything(); after != before || wrote(fresh) {
						t.Fatalf("command %d: before:\n%s\nafter:\n%s\nwritten to a key: %t", n, before, after, wrote(fresh))
					}
					s.intact()
				}
				if n < 4 { // SELECT, the certificate, the PIN, the key
					t.Errorf("it was opened after %d commands", n)
				}
			})
		}
	}
}
