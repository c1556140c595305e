package agent_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Any crash, at any APDU, can be resumed: each operation is tried with the key pulled out before each command and dead
// after each command, then with a new agent on the same ledger.

// operation is something that changes keys.
type operation struct {
	name        string
	personality string
	// locked keys have a password; has are the accounts that are there before, before is what is done before.
	locked bool
	has    []api.NewAccount
	before func(*rig) error
	// run does it, again does it after a crash, done checks that it was done.
	run   func(*rig) error
	again func(*rig) error
	done  func(*rig) error
}

var (
	first  = totp("GitHub", "me")
	second = with(totp("Mail", "me"), func(a *api.NewAccount) { a.Digits, a.Period = 8, 60 })
)

func adding(name string, accounts ...api.NewAccount) operation {
	add := func(r *rig) error {
		report, err := r.add(api.AddRequest{Accounts: accounts})
		if api.CodeOf(err) == api.CodeExistsSame {
			return nil
		}
		return complete(report, err)
	}
	return operation{name: name, run: add, again: add, done: func(r *rig) error { return held(r, accounts...) }}
}

// held checks that the accounts, and no others of ours, are proved on both keys.
func held(r *rig, accounts ...api.NewAccount) error {
	for _, a := range accounts {
		acc := r.account(publicHalf(a).Label())
		want := map[string]api.CopyState{"main": api.CopyProved, "spare": api.CopyProved}
		if got := states(acc); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%s is %v", acc.Label(), got)
		}
	}
	if n := len(r.Accounts("")); n != len(accounts)+1 {
		return fmt.Errorf("%d accounts: %+v", n, r.Accounts(""))
	}
	return nil
}

func removing(key string, done func(*rig) error) operation {
	remove := func(r *rig) error {
		acc, err := r.Account("GitHub:me")
		if api.CodeOf(err) == api.CodeNotFound || err == nil && key != "" && states(acc)[key] == "" {
			return nil
		}
		return complete(r.Remove(r.t.Context(), tester, "GitHub:me", key, true))
	}
	return operation{name: "remove from " + key, has: []api.NewAccount{first}, run: remove, again: remove, done: done}
}

func renaming(has api.NewAccount) operation {
	to := with(has, func(a *api.NewAccount) { a.Name = "you" })
	rename := func(r *rig) error {
		selector := "GitHub:me"
		if _, err := r.Account("GitHub:you"); err == nil {
			selector = "GitHub:you"
		}
		return complete(r.Rename(r.t.Context(), tester, selector, api.RenameRequest{Issuer: to.Issuer, Name: to.Name}))
	}
	return operation{name: fmt.Sprintf("rename, touch %t", has.Touch), has: []api.NewAccount{has}, run: rename, again: rename, done: func(r *rig) error {
		if has.Touch {
			r.verify(api.VerifyRequest{Touch: true}) // what came back under another name was not asked
		}
		for _, c := range r.account("GitHub:you").Copies {
			if c.CredentialID != "GitHub:you" {
				return fmt.Errorf("on %s it is %s", c.KeyLabel, c.CredentialID)
			}
		}
		return held(r, to)
	}}
}

func operations() []operation {
	like := func(o operation, personality string, locked bool) operation {
		o.name, o.personality, o.locked = fmt.Sprintf("%s, %s, locked %t", o.name, personality, locked), personality, locked
		return o
	}
	nowhere := func(r *rig) error { return held(r) }
	onSpare := func(r *rig) error {
		if got := states(r.account("GitHub:me")); len(got) != 1 || got["spare"] != api.CopyProved {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	}
	return []operation{
		like(adding("add", first), "", false),
		like(adding("add", first), "", true),
		like(adding("add", first), "nitrokey-3", false),
		like(adding("add", first), "neo", false),
		like(adding("add", touched(first)), "", false),
		like(adding("add", touched(first)), "nitrokey-3", false),
		like(adding("add two", first, second), "canokey", false),
		like(removing("main", onSpare), "", false),
		like(removing("", nowhere), "", false),
		like(removing("", nowhere), "nitrokey-3", false),
		like(renaming(first), "", false),
		like(renaming(touched(first)), "yubikey-5.4", false),
		like(renaming(first), "pico-fido", false),
		like(counted("add HOTP", nil, addCounted, "Bank:me"), "", false),
		like(counted("rename HOTP", addCounted, renameCounted, "Bank:you"), "", false),
		like(counted("remove HOTP", addCounted, removeCounted, ""), "", false),
	}
}

// counted is an operation on an HOTP account, which lives on one key and cannot be proved.
func counted(name string, before, run func(*rig) error, want string) operation {
	return operation{name: name, before: before, run: run, again: run, done: func(r *rig) error {
		var got []string
		for _, acc := range r.Accounts("Bank") {
			if states(acc)["main"] == api.CopyWritten && len(acc.Copies) == 1 && acc.Copies[0].CredentialID == acc.Label() {
				got = append(got, acc.Label())
			}
		}
		if strings.Join(got, ",") != want || len(r.Accounts("Bank")) != len(got) {
			return fmt.Errorf("there is %+v", r.Accounts("Bank"))
		}
		return nil
	}}
}

func addCounted(r *rig) error {
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{hotp("Bank", "me")}, To: []string{"main"}})
	if api.CodeOf(err) == api.CodeExistsSame {
		return nil
	}
	return complete(report, err)
}

func renameCounted(r *rig) error {
	return complete(r.Rename(r.t.Context(), tester, "Bank", api.RenameRequest{Issuer: "Bank", Name: "you"}))
}

func removeCounted(r *rig) error {
	report, err := r.Remove(r.t.Context(), tester, "Bank", "", true)
	if api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	return complete(report, err)
}

func complete(report api.Report, err error) error {
	if err == nil && !report.Complete {
		return fmt.Errorf("not complete: %+v", report)
	}
	return err
}

// scene is a rig with two keys, on each of which another program has put an account, ready for the operation.
type scene struct {
	*rig
	main, spare *softkey.Key
	foreign     []byte
}

var foreign = totp("Foreign", "else")

func newScene(t *testing.T, o operation) scene {
	t.Helper()
	main, spare := pair(t, o.personality)
	for _, k := range []*softkey.Key{main, spare} {
		program{t: t, k: k}.put(foreign, seedB, 0)
	}
	s := scene{rig: newRig(t), main: main, spare: spare}
	s.adoptNew(main, "main")
	s.adoptNew(spare, "spare")
	if o.locked {
		s.lock("main")
	}
	for _, a := range o.has {
		s.mustAdd(a)
	}
	if o.before != nil {
		if err := o.before(s.rig); err != nil {
			t.Fatal(err)
		}
	}
	if o.personality == "nitrokey-3" {
		s.verify(api.VerifyRequest{Touch: true})
	}
	forget(main, spare)
	return s
}

// unlock gives the agent the password that a restart made it forget.
func (s scene) unlock(o operation) {
	s.t.Helper()
	if !o.locked {
		return
	}
	if _, err := s.Unlock(s.t.Context(), tester, "main", secret("open sesame")); err != nil {
		s.t.Fatal(err)
	}
}

func TestCrashAtEveryCommand(t *testing.T) {
	var tried atomic.Int32
	t.Cleanup(func() { t.Logf("%d crashes", tried.Load()) })
	for i, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, o)
			if err := o.run(s.rig); err != nil {
				t.Fatal(err)
			}
			commands := len(s.main.APDUs())
			if err := o.done(s.rig); err != nil {
				t.Fatal(err)
			}
			for n := range commands {
				for _, fault := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
					crash(t, o, softkey.Fault{Kind: fault, After: n}, true)
					tried.Add(1)
					if i == 0 {
						crash(t, o, softkey.Fault{Kind: fault, After: n}, false)
						tried.Add(1)
					}
				}
			}
		})
	}
}

// crash lets the main key fail in the middle of the operation, and sees that all comes right.
func crash(t *testing.T, o operation, fault softkey.Fault, restart bool) {
	t.Helper()
	t.Run(fmt.Sprintf("kind %d at %d, restart %t", fault.Kind, fault.After, restart), func(t *testing.T) {
		s := newScene(t, o)
		s.main.Fail(fault)
		if err := o.run(s.rig); err == nil {
			t.Fatal("the operation succeeded with a dead key")
		}
		s.main.Heal()
		s.await(api.EventKeyOut)
		if restart {
			s.restart()
		}
		s.insert(s.main)
		if restart {
			s.unlock(o)
		}
		s.sound(o)
		explained(t, s.resume(api.ResumeRequest{}))
		s.sound(o)
		if err := o.again(s.rig); err != nil {
			t.Fatalf("the second time: %v", err)
		}
		s.sound(o)
		if err := o.done(s.rig); err != nil {
			t.Fatal(err)
		}
		if n := s.Status().OpenIntents; n != 0 {
			t.Fatalf("%d intents are open", n)
		}
	})
}

// explained wants every intent that stays open to say why, and what to do.
func explained(t *testing.T, report api.Report) {
	t.Helper()
	for _, acc := range report.Accounts {
		for _, o := range acc.Outcomes {
			switch {
			case o.Error == nil:
			case o.Error.Code != api.CodeNotFound || o.State != api.CopyMissing:
				t.Errorf("%s on %s: %+v", acc.Label, o.KeyLabel, o)
			default:
				wantWords(t, o.Error)
			}
		}
	}
}

// sound checks what must hold at any moment: the audit log is whole, no account is there in halves, no foreign credential was
// touched, the copies that are said to be proved are there, and copies of one account have one seed.
func (s scene) sound(o operation) {
	s.t.Helper()
	s.intact()
	named := map[string]bool{}
	for _, acc := range s.Accounts("") {
		if named[acc.Label()] {
			s.t.Errorf("two halves: %+v", s.Accounts(""))
		}
		named[acc.Label()] = true
	}
	answers := map[string][]byte{}
	for label, k := range map[string]*softkey.Key{"main": s.main, "spare": s.spare} {
		unlocked := s.bare(k, o)
		ids := unlocked.ids()
		if !slices.Contains(ids, "Foreign:else") || slices.Compact(slices.Clone(ids))[0] != ids[0] {
			s.t.Errorf("%s holds %q", label, ids)
		}
		for _, acc := range s.Accounts("") {
			for _, c := range acc.Copies {
				if c.KeyLabel != label || c.State != api.CopyProved {
					continue
				}
				if !slices.Contains(ids, c.CredentialID) {
					s.t.Errorf("%s is said to be on %s as %s; there is %q", acc.Label(), label, c.CredentialID, ids)
					continue
				}
				answer := unlocked.calculate(c.CredentialID, oath.Challenge(1))
				if other := answers[acc.ID]; other != nil && !bytes.Equal(other, answer) {
					s.t.Errorf("copies of %s differ", acc.Label())
				}
				answers[acc.ID] = answer
			}
		}
	}
}

// bare is another program at a key, which knows its password.
func (s scene) bare(k *softkey.Key, o operation) program {
	p := program{t: s.t, k: k}
	if o.locked && k == s.main {
		p.password = "open sesame"
	}
	return p
}

func TestPulledAndPluggedInAgain(t *testing.T) {
	o := adding("", first, touched(second))
	s := newScene(t, o)
	if err := o.run(s.rig); err != nil {
		t.Fatal(err)
	}
	for n := range len(s.main.APDUs()) {
		for _, fault := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
			t.Run(fmt.Sprintf("kind %d at %d", fault, n), func(t *testing.T) {
				s := newScene(t, o)
				s.main.Fail(softkey.Fault{Kind: fault, After: n})
				s.onAny = func(step api.Step) {
					if step.Kind == api.StepWaitKey {
						s.bay.Insert(s.main)
					}
				}
				report, err := s.add(api.AddRequest{Accounts: []api.NewAccount{first, touched(second)}, WaitSeconds: -1})
				if err != nil || !report.Complete || s.told(api.StepWaitKey) != 1 {
					t.Fatalf("%v, %+v, asked %d times", err, report, s.told(api.StepWaitKey))
				}
				s.sound(o)
				if err := o.done(s.rig); err != nil {
					t.Fatal(err)
				}
				if n := s.Status().OpenIntents; n != 0 {
					t.Fatalf("%d intents are open", n)
				}
			})
		}
	}
}

func TestPulledWhileItIsLookedAt(t *testing.T) {
	s := newScene(t, adding("", first))
	s.mustAdd(first)
	forget(s.main)
	s.replug(s.main)
	for n := range len(s.main.APDUs()) {
		for _, fault := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
			s.remove(s.main)
			s.main.Fail(softkey.Fault{Kind: fault, After: n})
			s.bay.Insert(s.main)
			s.await(api.EventKeyOut)
			s.main.Heal()
			s.insert(s.main)
			if k := s.key("main"); !k.Present || k.Trouble != "" || k.Accounts != 2 {
				t.Errorf("kind %d at %d: %+v", fault, n, k)
			}
		}
	}
}
