package agent_test

import (
	"testing"
	"testing/synctest"

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
