package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

const put, calculate, remove = 0x01, 0xa2, 0x02

// outcomes maps "account on key" to what became of it.
func outcomes(report api.Report) map[string]api.Outcome {
	m := map[string]api.Outcome{}
	for _, a := range report.Accounts {
		for _, o := range a.Outcomes {
			m[a.Label+" on "+o.KeyLabel] = o
		}
	}
	return m
}

func wantOutcome(t *testing.T, report api.Report, name string, state api.CopyState, code api.ErrorCode) {
	t.Helper()
	o, ok := outcomes(report)[name]
	if !ok || o.State != state || (o.Error == nil) != (code == "") || o.Error != nil && o.Error.Code != code {
		t.Errorf("%s: %+v, error %v; want %s, %q", name, o, o.Error, state, code)
	}
	if o.Error != nil {
		wantWords(t, o.Error)
	}
}

// Who has one USB port is asked for the keys one after the other.
func TestOneUSBPort(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.remove(main)
	r.remove(spare)
	plugged := map[string]*softkey.Key{"main": main, "spare": spare}
	r.onAny = func(s api.Step) {
		switch {
		case s.Kind == api.StepWaitKey && len(r.bay.Keys()) == 0 && len(s.Candidates) == 1 && s.Candidates[0] == s.KeyLabel:
			r.bay.Insert(plugged[s.KeyLabel])
		case s.Kind == api.StepProved:
			r.bay.Remove(plugged[s.KeyLabel])
			other := map[string]*softkey.Key{"main": spare, "spare": main}[s.KeyLabel]
			if r.told(api.StepProved) == 1 {
				r.bay.Insert(other)
			}
		}
	}
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}, WaitSeconds: -1})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	// The second key may be plugged in before anybody asks for it.
	if r.told(api.StepWaitKey) < 1 || r.told(api.StepWritten) != 2 || r.told(api.StepProved) != 2 {
		t.Errorf("%+v", r.steps)
	}
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
}

func TestAKeyThatDoesNotCome(t *testing.T) {
	for wait, took := range map[int]time.Duration{0: 0, 90: 90 * time.Second} {
		t.Run(fmt.Sprint(wait), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, spare := twoKeys(t)
				r.remove(spare)
				began := time.Now()
				seed := nameSeed("GitHub", "me")
				report, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}, WaitSeconds: wait}, seed)
				if err != nil || report.Complete || time.Since(began) != took || seed.Len() != 0 {
					t.Fatalf("after %s: %v, %+v", time.Since(began), err, report)
				}
				wantOutcome(t, report, "GitHub:me on main", api.CopyProved, "")
				wantOutcome(t, report, "GitHub:me on spare", api.CopyPending, api.CodeKeyAbsent)
				if a := report.Accounts[0]; a.Proved != 1 || a.Wanted != 2 || a.LostWith[0] != "main" {
					t.Errorf("%+v", a)
				}
				if got := states(r.account("GitHub:me")); got["spare"] != api.CopyPending {
					t.Errorf("%v", got)
				}
				if n := r.told(api.StepFailed); n != 1 {
					t.Errorf("told of %d failures", n)
				}
				report = r.verify(api.VerifyRequest{})
				wantOutcome(t, report, "GitHub:me on spare", api.CopyPending, api.CodeConflict)
				// When the key comes, it is found to have nothing, and the code has to be scanned again.
				report = r.resume(api.ResumeRequest{})
				wantOutcome(t, report, "GitHub:me on spare", api.CopyPending, api.CodeKeyAbsent)
				r.insert(spare)
				report = r.resume(api.ResumeRequest{})
				wantOutcome(t, report, "GitHub:me on spare", api.CopyMissing, api.CodeNotFound)
				if hint := report.Accounts[0].Outcomes[0].Error.Hint; !strings.Contains(hint, "scan the code again") {
					t.Errorf("hint %q", hint)
				}
				r.mustAdd(first)
				if n := r.Status().OpenIntents; n != 0 {
					t.Errorf("%d intents are open", n)
				}
			})
		})
	}
}

func TestResumeDiscards(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("key there %t", there), func(t *testing.T) {
			r, main, spare := twoKeys(t)
			r.remove(main)
			r.remove(spare)
			if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}}); err != nil {
				t.Fatal(err)
			}
			if there {
				r.insert(main)
				r.insert(spare)
			}
			report := r.resume(api.ResumeRequest{Discard: true})
			if n := r.Status().OpenIntents; n != 0 || !report.Complete || len(r.Accounts("")) != 0 {
				t.Errorf("%d intents, %+v, %+v", n, report, r.Accounts(""))
			}
			if report.Accounts[0].Label != "GitHub:me" {
				t.Errorf("%+v", report)
			}
			if report := r.resume(api.ResumeRequest{}); !report.Complete || len(report.Accounts) != 0 {
				t.Errorf("nothing is left to do: %+v", report)
			}
			r.intact()
		})
	}
}

func TestBreakingOffAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, spare := twoKeys(t)
		r.remove(spare)
		ctx, cancel := context.WithCancel(t.Context())
		r.onAny = func(s api.Step) {
			if s.Kind == api.StepWaitKey {
				synctest.Wait()
				cancel()
			}
		}
		seed := nameSeed("GitHub", "me")
		report, err := r.Add(ctx, tester, api.AddRequest{Accounts: []api.NewAccount{first}, WaitSeconds: -1}, []*oath.Secret{seed}, r.step)
		if err != nil || report.Complete || seed.Len() != 0 {
			t.Fatalf("%v, %+v", err, report)
		}
		wantOutcome(t, report, "GitHub:me on main", api.CopyProved, "")
		wantOutcome(t, report, "GitHub:me on spare", api.CopyPending, api.CodeKeyAbsent)
	})
}

// A caller who gives up while another program is at the key waits no longer, and nothing is written for him.
func TestBreakingOffBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, spare := twoKeys(t)
		release := r.occupy(main)
		forget(main, spare)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		report, err := r.addFor(ctx, api.AddRequest{Accounts: []api.NewAccount{first}})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeCanceled)
		wantOutcome(t, report, "GitHub:me on spare", api.CopyProved, "")
		release()
		synctest.Wait()
		wantTraffic(t, main, "")
	})
}

// A batch of touch accounts is not finished for somebody who has left.
func TestBreakingOffInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, softkey.Options{Serial: mainSerial, Touch: softkey.TouchManual})
		r := newRig(t)
		r.adoptNew(k, "main")
		ctx, cancel := context.WithCancel(t.Context())
		r.onAny = func(s api.Step) {
			if s.Kind == api.StepWaitTouch {
				synctest.Wait()
				cancel()
				k.Touch()
			}
		}
		report, err := r.addFor(ctx, api.AddRequest{Accounts: []api.NewAccount{touched(first), touched(second)}, Copies: 1})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, report, "GitHub:me on main", api.CopyProved, "")
		wantOutcome(t, report, "Mail:me on main", api.CopyPending, api.CodeCanceled)
		if n := r.Status().OpenIntents; n != 1 {
			t.Errorf("%d intents are open", n)
		}
	})
}

// Another key in the reader is not the one that is waited for, adopted or not.
func TestSwappedInTheMiddle(t *testing.T) {
	for _, adopted := range []bool{true, false} {
		t.Run(fmt.Sprintf("adopted %t", adopted), func(t *testing.T) {
			r, main, spare := twoKeys(t)
			third := newKey(t, softkey.Options{Serial: 3})
			if adopted {
				r.adoptNew(third, "third")
				r.remove(third)
			}
			main.Fail(softkey.Fault{Kind: softkey.FaultPulled, INS: calculate})
			forget(third)
			r.onAny = func(s api.Step) {
				if s.Kind == api.StepWaitKey {
					main.Heal()
					r.bay.Insert(third)
					r.bay.Insert(main)
				}
			}
			request := api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main", "spare"}, WaitSeconds: -1}
			report, err := r.add(request)
			if err != nil || !report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			if got := traffic(third); strings.Contains(got, "PUT") {
				t.Errorf("the other key: %s", got)
			}
			_ = spare
		})
	}
}

func TestFaultsWhileWriting(t *testing.T) {
	wrong := func(answer []byte) []byte { answer[5] ^= 1; return answer }
	for name, test := range map[string]struct {
		fault  softkey.Fault
		state  api.CopyState
		code   api.ErrorCode
		left   []string
		open   int
		amends bool // adding the seed again completes
	}{
		"full":                        {softkey.Fault{Kind: softkey.FaultFull}, api.CopyMissing, api.CodeFull, nil, 0, true},
		"PUT refused":                 {softkey.Fault{Kind: softkey.FaultStatus, INS: put, Status: hw.StatusMemory}, api.CopyMissing, api.CodeCardError, nil, 0, true},
		"wrong answer":                {softkey.Fault{Kind: softkey.FaultAnswer, INS: calculate, Answer: wrong}, api.CopyMissing, api.CodeProofFailed, nil, 0, true},
		"no answer":                   {softkey.Fault{Kind: softkey.FaultAnswer, INS: calculate, Answer: func([]byte) []byte { return nil }}, api.CopyPending, api.CodeCardError, []string{"GitHub:me"}, 1, true},
		"PUT answered with nothing":   {softkey.Fault{Kind: softkey.FaultAnswer, INS: put, Answer: func([]byte) []byte { return nil }}, api.CopyPending, api.CodeCardError, []string{"GitHub:me"}, 1, true},
		"CALCULATE refused":           {softkey.Fault{Kind: softkey.FaultStatus, INS: calculate, Status: hw.StatusMemory}, api.CopyPending, api.CodeCardError, []string{"GitHub:me"}, 1, true},
		"reset by another program":    {softkey.Fault{Kind: softkey.FaultReset, INS: calculate}, api.CopyProved, "", []string{"GitHub:me"}, 0, true},
		"reset again and again":       {softkey.Fault{Kind: softkey.FaultReset, INS: calculate, Times: softkey.Always}, api.CopyPending, api.CodeKeyRemoved, []string{"GitHub:me"}, 1, false},
		"pulled, and nobody waits":    {softkey.Fault{Kind: softkey.FaultPulled, INS: put}, api.CopyPending, api.CodeKeyRemoved, nil, 1, false},
		"LIST refused":                {softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa1, Status: hw.StatusMemory}, api.CopyPending, api.CodeCardError, nil, 1, true},
		"SELECT refused":              {softkey.Fault{Kind: softkey.FaultStatus, Status: hw.StatusFileNotFound, Times: 2}, api.CopyPending, api.CodeNotSupported, nil, 1, true}, // by the short AID and by the whole one
		"wrong, and cannot be undone": {softkey.Fault{Kind: softkey.FaultAnswer, INS: calculate, Answer: wrong}, api.CopyPending, api.CodeCardError, []string{"GitHub:me"}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, main, _ := twoKeys(t)
			main.Fail(test.fault)
			if name == "wrong, and cannot be undone" {
				main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: remove, Status: hw.StatusMemory})
			}
			report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
			if err != nil {
				t.Fatal(err)
			}
			wantOutcome(t, report, "GitHub:me on main", test.state, test.code)
			wantOutcome(t, report, "GitHub:me on spare", api.CopyProved, "")
			if report.Complete != (test.code == "") {
				t.Errorf("%+v", report)
			}
			main.Heal()
			main.Power(true)
			if got := (program{t: t, k: main}).ids(); fmt.Sprint(got) != fmt.Sprint(test.left) {
				t.Errorf("on the key: %q, want %q", got, test.left)
			}
			if n := r.Status().OpenIntents; n != test.open {
				t.Errorf("%d intents are open, want %d", n, test.open)
			}
			if test.amends && test.code != "" {
				r.mustAdd(first)
			}
			r.intact()
		})
	}
}

func TestTouchThatDoesNotComeWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		main.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever})
		report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{touched(first)}})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeTouchTimeout)
		main.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever})
		report = r.resume(api.ResumeRequest{})
		wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeTouchTimeout)
		report = r.resume(api.ResumeRequest{})
		wantOutcome(t, report, "GitHub:me on main", api.CopyProved, "")
		if acc := r.account("GitHub:me"); acc.Proved != 2 || !acc.Touch {
			t.Errorf("%+v", acc)
		}
	})
}

// Nitrokey waits for the touch when it stores the account.
func TestTouchThatDoesNotComeAtPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeysLike(t, "nitrokey-3")
		main.Fail(softkey.Fault{Kind: softkey.FaultTouch, INS: put, Touch: softkey.TouchNever})
		report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{touched(first)}})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, api.CodeTouchTimeout)
		if n := r.Status().OpenIntents; n != 0 {
			t.Errorf("%d intents are open", n)
		}
	})
}

// What another program wrote under the name meanwhile is left alone.
func TestForeignCredentialUnderTheName(t *testing.T) {
	r, main, _ := twoKeys(t)
	main.Fail(softkey.Fault{Kind: softkey.FaultPulled, INS: put})
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}}); err != nil {
		t.Fatal(err)
	}
	main.Heal()
	main.Power(true)
	program{t: t, k: main}.put(first, seedB, 0)
	want := program{t: t, k: main}.calculate("GitHub:me", oath.Challenge(1))
	r.insert(main)
	report := r.resume(api.ResumeRequest{})
	wantOutcome(t, report, "GitHub:me on main", api.CopyMismatch, api.CodeProofFailed)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if api.CodeOf(err) != api.CodeExists {
		t.Fatalf("%v, %+v", err, report)
	}
	r.resume(api.ResumeRequest{Discard: true})
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
	if got := (program{t: t, k: main}).calculate("GitHub:me", oath.Challenge(1)); string(got) != string(want) {
		t.Error("the foreign credential is another one now")
	}
	r.wantAccounts("GitHub:me 1/1, GitHub:me 1/1")
}

// A credential that appears between the check and the write is seen in the transaction that would overwrite it.
func TestNameTakenAtTheLastMoment(t *testing.T) {
	r, main, _ := twoKeys(t)
	program{t: t, k: main}.put(first, seedB, 0)
	forget(main)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first, second}})
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, api.CodeExists)
	wantOutcome(t, report, "Mail:me on main", api.CopyProved, "")
	if got := traffic(main); strings.Count(got, "PUT") != 1 {
		t.Errorf("on the wire: %s", got)
	}
}

func TestHeldWhileWriting(t *testing.T) {
	r, main, _ := twoKeys(t)
	release := r.bay.Hold(main)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeKeyHeld)
	report = r.resume(api.ResumeRequest{})
	wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeKeyHeld)
	release()
	r.mustAdd(first)
}

func TestResetWhileWaitingItsTurn(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	program{t: t, k: main}.reset() // by another program; the applet is another one now
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{second}})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyMissing {
		t.Errorf("%v", got)
	}
}

func TestTwoAtATime(t *testing.T) {
	r, _, _ := twoKeys(t)
	const callers = 4
	errs := make(chan error, callers)
	for range callers {
		go func() {
			_, err := r.addFor(t.Context(), api.AddRequest{Accounts: []api.NewAccount{first}})
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			wantCode(t, err, api.CodeExistsSame)
		}
	}
	r.wantAccounts("GitHub:me 2/2")
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
}

// A step that nobody takes holds up the one who asked, and no key.
func TestASlowReaderOfSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		taken := make(chan struct{})
		r.onAny = func(api.Step) { <-taken }
		done := make(chan error, 1)
		go func() {
			_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
			done <- err
		}()
		synctest.Wait()
		if len(done) > 0 {
			t.Error("the steps were not waited for")
		}
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		close(taken)
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = main
	})
}
