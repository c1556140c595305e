package agent_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestPassword(t *testing.T) {
	for _, personality := range softkey.Personalities() {
		if personality == "nitrokey-3" {
			continue // it has a PIN instead
		}
		t.Run(personality, func(t *testing.T) {
			r, main, _ := twoKeysLike(t, personality)
			r.mustAdd(first)
			password := secret("open sesame")
			k, err := r.SetPassword(t.Context(), tester, "main", password)
			if err != nil || !k.PasswordSet || k.Locked || password.Len() != 0 {
				t.Fatalf("%+v, %v", k, err)
			}
			r.mustCode(api.CodeRequest{Account: "GitHub:me", Key: "main", Pair: true})
			r.mustAdd(second) // to a key with a password
			if k, err = r.SetPassword(t.Context(), tester, "main", secret("another")); err != nil || k.Locked {
				t.Fatalf("%+v, %v", k, err)
			}
			// It is known for this session only.
			r.restart()
			if k := r.key("main"); !k.PasswordSet || !k.Locked {
				t.Fatalf("%+v", k)
			}
			if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" {
				t.Errorf("%+v", code)
			}
			_, err = r.code(api.CodeRequest{Account: "GitHub:me", Key: "main"})
			if e := wantCode(t, err, api.CodeLocked); !strings.Contains(e.Hint, "unlock main") {
				t.Errorf("%+v", e)
			}
			_, err = r.Unlock(t.Context(), tester, "main", secret("open sesame"))
			wantCode(t, err, api.CodeWrongPassword)
			if k := r.key("main"); !k.Locked || r.Passwords() != 0 {
				t.Errorf("%+v", k)
			}
			for _, alter := range []func() (api.Key, error){
				func() (api.Key, error) { return r.SetPassword(t.Context(), tester, "main", secret("third")) },
				func() (api.Key, error) { return r.ClearPassword(t.Context(), tester, "main") },
			} {
				_, err := alter()
				wantCode(t, err, api.CodeLocked)
			}
			if k, err = r.Unlock(t.Context(), tester, "main", secret("another")); err != nil || k.Locked {
				t.Fatalf("%+v, %v", k, err)
			}
			r.replug(main)
			if k := r.key("main"); k.Locked || r.Passwords() != 1 {
				t.Errorf("%+v", k)
			}
			if k, err = r.ClearPassword(t.Context(), tester, "main"); err != nil || k.PasswordSet || k.Locked {
				t.Fatalf("%+v, %v", k, err)
			}
			if r.Passwords() != 0 {
				t.Error("a password that is no more is remembered")
			}
			_, err = r.Unlock(t.Context(), tester, "main", secret("another"))
			wantCode(t, err, api.CodeBadRequest)
			what := r.intact()
			for _, line := range []string{"set the password of main", "unlock main", "clear the password of main"} {
				if !slices.Contains(what, line) {
					t.Errorf("no line %q in %q", line, what)
				}
			}
			for _, line := range what {
				if strings.Contains(line, "sesame") || strings.Contains(line, "another") {
					t.Errorf("the log has a password: %q", line)
				}
			}
			r.wantAccounts("GitHub:me 2/2, Mail:me 2/2")
		})
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	r, main, _ := twoKeys(t)
	_, err := r.SetPassword(t.Context(), tester, "main", &oath.Secret{})
	wantCode(t, err, api.CodeBadRequest)
	_, err = r.SetPassword(t.Context(), tester, "nobody", secret("x"))
	wantCode(t, err, api.CodeNotFound)
	r.remove(main)
	for _, alter := range []func() (api.Key, error){
		func() (api.Key, error) { return r.SetPassword(t.Context(), tester, "main", secret("x")) },
		func() (api.Key, error) { return r.ClearPassword(t.Context(), tester, "main") },
		func() (api.Key, error) { return r.Unlock(t.Context(), tester, "main", secret("x")) },
		func() (api.Key, error) { return r.Reset(t.Context(), tester, "main", api.ResetRequest{}) },
	} {
		_, err := alter()
		wantCode(t, err, api.CodeKeyAbsent)
	}
	r.insert(main)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0x03, Status: hw.StatusMemory})
	_, err = r.SetPassword(t.Context(), tester, "main", secret("x"))
	wantCode(t, err, api.CodeCardError)
	if k := r.key("main"); k.PasswordSet || r.Passwords() != 0 {
		t.Errorf("%+v", k)
	}
}

// Another program changes the password: what is remembered no longer fits, and is forgotten.
func TestPasswordChangedByAnotherProgram(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	r.lock("main")
	s, err := selectApplet(main)
	if err != nil || s.Validate(derive("open sesame", s.Info().Salt)) != nil || s.SetCode(derive("theirs", s.Info().Salt)) != nil {
		t.Fatal(err)
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" {
		t.Errorf("%+v", code)
	}
	r.Refresh(t.Context())
	if k := r.key("main"); !k.Locked || r.Passwords() != 0 {
		t.Errorf("%+v, %d passwords", k, r.Passwords())
	}
	// And clears it.
	if s, err = selectApplet(main); err != nil || s.Validate(derive("theirs", s.Info().Salt)) != nil || s.ClearCode() != nil {
		t.Fatal(err)
	}
	r.Refresh(t.Context())
	if k := r.key("main"); k.Locked || k.PasswordSet {
		t.Errorf("%+v", k)
	}
}

// Another program sets a password, and nothing has looked at the key since.
func TestUnlockWhatAnotherProgramLocked(t *testing.T) {
	r, main, _ := twoKeys(t)
	s, err := selectApplet(main)
	if err != nil || s.SetCode(derive("theirs", s.Info().Salt)) != nil {
		t.Fatal(err)
	}
	if k, err := r.Unlock(t.Context(), tester, "main", secret("theirs")); err != nil || !k.PasswordSet || k.Locked {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestPasswordOnANitrokey(t *testing.T) {
	r, _, _ := twoKeysLike(t, "nitrokey-3")
	_, err := r.SetPassword(t.Context(), tester, "main", secret("x"))
	wantCode(t, err, api.CodeNotSupported)
}

// A key that takes our password and cannot show that it knows it is not ours.
func TestImpostor(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	r.lock("main")
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0xa3, Answer: func(answer []byte) []byte { answer[4] ^= 1; return answer }, Times: softkey.Always})
	_, err := r.code(api.CodeRequest{Account: "GitHub:me", Key: "main"})
	wantCode(t, err, api.CodeProofFailed)
	r.Refresh(t.Context())
	if k := r.key("main"); k.Trouble == "" {
		t.Errorf("%+v", k)
	}
}

func TestReset(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	r.mustAddTo(second, "main")
	r.lock("main")
	before := r.key("main")
	_, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{})
	if e := wantCode(t, err, api.CodeLastCopy); len(e.Candidates) != 1 || e.Candidates[0].Label != "Mail:me" {
		t.Errorf("%+v", e)
	}
	r.wantAccounts("GitHub:me 2/2, Mail:me 1/1")
	after, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true})
	if err != nil || after.ID != before.ID || after.DeviceID == before.DeviceID || after.PasswordSet || after.Accounts != 0 || r.Passwords() != 0 {
		t.Errorf("%+v, %v", after, err)
	}
	r.wantAccounts("GitHub:me 1/1")
	if what := r.intact(); what[len(what)-1] != "reset the OATH application of main" {
		t.Errorf("%q", what)
	}
	r.mustAdd(first)
	r.replug(main)
	r.wantAccounts("GitHub:me 2/2")
}

// What was still to be done on a key is done when it is emptied.
func TestResetSettlesWhatIsOpen(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: remove, Status: hw.StatusMemory})
	if _, err := r.drop("GitHub:me", "main", true); err != nil {
		t.Fatal(err)
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa1, Status: hw.StatusMemory})
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{second}, To: []string{"main"}}); err != nil {
		t.Fatal(err)
	}
	if n := r.Status().OpenIntents; n != 2 {
		t.Fatalf("%d intents are open", n)
	}
	if _, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
	r.wantAccounts("GitHub:me 1/1")
}

func TestResetThatFails(t *testing.T) {
	r, main, _ := twoKeysLike(t, "canokey")
	r.mustAdd(first)
	r.lock("main")
	_, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true})
	wantCode(t, err, api.CodeNotSupported)
	if r.Passwords() != 1 || r.key("main").Locked {
		t.Error("the password is forgotten although nothing was reset")
	}
	r.wantAccounts("GitHub:me 2/2")
	_ = main
}

// VivoKey's applet wants its password before it resets, and does not mean a touch by its refusal.
func TestResetThatNeedsThePassword(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	r.lock("main")
	wary := softkey.Fault{Kind: softkey.FaultStatus, INS: 0x04, Status: hw.StatusAuthRequired}
	main.Fail(wary)
	if k, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true}); err != nil || k.PasswordSet || k.Accounts != 0 {
		t.Errorf("%+v, %v", k, err)
	}
	r.lock("main")
	r.restart()
	main.Fail(wary)
	_, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{Force: true})
	wantWords(t, wantCode(t, err, api.CodeLocked))
}

// Nitrokey waits for a touch before it resets; nobody is left wondering.
func TestResetThatNeedsATouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := newKey(t, softkey.Options{Personality: "nitrokey-3", Serial: mainSerial, Touch: softkey.TouchManual})
		r := newRig(t)
		r.adoptNew(main, "main")
		result := make(chan error, 1)
		go func() {
			_, err := r.Reset(t.Context(), tester, "main", api.ResetRequest{})
			result <- err
		}()
		if e := r.await(api.EventTouchWanted); len(e.Waiting) != 1 || e.KeyLabel != "main" {
			t.Errorf("%+v", e)
		}
		synctest.Wait()
		main.Touch()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}
