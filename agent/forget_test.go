package agent_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/oathd/oathd/agent"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestForget: after a screen was locked, or the machine has slept, no code comes from memory.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		account := r.mustAdd(totp("GitHub", "me"))
		for what, forgets := range map[string]func(){"forget": r.Forget, "awake": func() { r.Awake(t.Context()) }} {
			r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			if r.Remembered(api.CodeRequest{Account: account.ID}) == nil {
				t.Fatal("nothing is remembered")
			}
			forget(main)
			forgets()
			if code := r.Remembered(api.CodeRequest{Account: account.ID}); code != nil {
				t.Errorf("%s: %+v is still there", what, code)
			}
			r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			wantTraffic(t, main, "SELECT, CALCULATE")
		}
	})
}

// TestAwakeFindsKeysAgain: a key that could not be used before the machine slept is looked at without being asked for.
func TestAwakeFindsKeysAgain(t *testing.T) {
	r, main, _ := twoKeys(t)
	release := r.bay.Hold(main)
	r.Refresh(t.Context())
	if k := r.key("main"); k.Trouble == "" {
		t.Fatalf("no trouble: %+v", k)
	}
	release()
	r.Awake(t.Context())
	if k := r.key("main"); k.Trouble != "" {
		t.Errorf("still in trouble: %+v", k)
	}
}

// TestClockWarning: what is wrong with the clock comes with each code that depends on it, and with the status.
func TestClockWarning(t *testing.T) {
	const loose = "the clock is loose"
	k := newKey(t, softkey.Options{Serial: mainSerial})
	r := newRigWith(t, agent.Options{ClockWarning: func() string { return loose }})
	r.adoptNew(k, "main")
	counted := hotp("Counter", "me")
	for _, a := range []api.NewAccount{totp("GitHub", "me"), counted} {
		if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{a}, Copies: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); !slices.Contains(code.Warnings, loose) {
		t.Errorf("no warning: %+v", code)
	}
	if code := r.mustCode(api.CodeRequest{Account: "Counter:me"}); slices.Contains(code.Warnings, loose) {
		t.Errorf("a counter needs no clock: %+v", code)
	}
	if s := r.Status(); !slices.Contains(s.Warnings, loose) {
		t.Errorf("%+v", s)
	}
}
