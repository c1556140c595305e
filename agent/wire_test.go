package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// The commands on the wire are counted: each is time in which other programs wait, and the first of them takes from
// other applets what they had verified.

func secret(text string) *oath.Secret { return oath.TakeSecret([]byte(text)) }

// lock sets a password and lets the agent know it.
func (r *rig) lock(key string) {
	r.t.Helper()
	if _, err := r.SetPassword(r.t.Context(), tester, key, secret("open sesame")); err != nil {
		r.t.Fatal(err)
	}
}

func TestCommandsForACode(t *testing.T) {
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("locked %t", locked), func(t *testing.T) {
			r, main, spare := twoKeys(t)
			validate := ""
			if locked {
				r.lock("main")
				validate = ", VALIDATE"
			}
			r.mustAdd(totp("GitHub", "me"))
			forget(main, spare)
			r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			wantTraffic(t, main, "SELECT"+validate+", CALCULATE")
			r.mustCode(api.CodeRequest{Account: "GitHub:me", Pair: true})
			wantTraffic(t, main, "SELECT"+validate+", CALCULATE, CALCULATE")
			wantTraffic(t, spare, "")
		})
	}
}

func TestCommandsForACopy(t *testing.T) {
	for personality, proof := range map[string]string{
		"yubikey-5.7": "CALCULATE",
		"neo":         "CALCULATE",
		"nitrokey-3":  "CALCULATE, CALCULATE, CALCULATE, CALCULATE", // it only truncates
	} {
		t.Run(personality, func(t *testing.T) {
			r, main, spare := twoKeysLike(t, personality)
			forget(main, spare)
			r.mustAdd(totp("GitHub", "me"))
			for _, k := range []*softkey.Key{main, spare} {
				wantTraffic(t, k, "SELECT, LIST, PUT, "+proof)
			}
		})
	}
}

func TestCommandsForABatch(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.lock("main")
	forget(main, spare)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("A", "1"), totp("B", "2"), hotp("C", "3")}})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	wantTraffic(t, main, "SELECT, VALIDATE, LIST, PUT, CALCULATE, PUT, CALCULATE, PUT")
	wantTraffic(t, spare, "SELECT, LIST, PUT, CALCULATE, PUT, CALCULATE")
}

func TestCommandsForPlugIn(t *testing.T) {
	for personality, serial := range map[string]string{
		"yubikey-5.7": "SELECT, READ CONFIG, READ CONFIG", // it has two pages
		"yubikey-5.4": "SELECT, READ CONFIG",
		"yubikey-4.3": "SELECT, READ CONFIG",
		"neo":         "SELECT", // refused: it has no Management applet
		"nitrokey-3":  "SELECT",
		"canokey":     "SELECT",
		"pico-fido":   "SELECT, READ CONFIG",
	} {
		t.Run(personality, func(t *testing.T) {
			r, main, spare := twoKeysLike(t, personality)
			r.mustAdd(totp("GitHub", "me"))
			forget(main, spare)

			r.replug(main)
			wantTraffic(t, main, serial+", SELECT, LIST")

			r.restart()
			wantTraffic(t, main, serial+", SELECT, LIST")

			if personality == "nitrokey-3" {
				return // it has a PIN in place of the password
			}
			r.lock("main")
			forget(main)
			r.replug(main)
			wantTraffic(t, main, serial+", SELECT, VALIDATE, LIST")
		})
	}
}

func TestCommandsForPlugInOfAChangedKey(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.remove(main)
	main.Power(true)
	program{t: t, k: main}.put(totp("Other", "me"), seedA, 0)
	main.ForgetAPDUs()
	r.insert(main)
	wantTraffic(t, main, "SELECT, READ CONFIG, READ CONFIG, SELECT, LIST, CALCULATE ALL")
	r.replug(main)
	wantTraffic(t, main, "SELECT, READ CONFIG, READ CONFIG, SELECT, LIST")
}

func TestCommandsForPlugInOfAStranger(t *testing.T) {
	k := newKey(t, softkey.Options{Serial: mainSerial})
	program{t: t, k: k}.put(totp("GitHub", "me"), seedA, 0)
	k.ForgetAPDUs()
	r := newRig(t, k)
	wantTraffic(t, k, "SELECT, READ CONFIG, READ CONFIG, SELECT, LIST")
	// It gives codes at once. The serial number was read already.
	r.mustCode(api.CodeRequest{Account: "GitHub:me"})
	wantTraffic(t, k, "SELECT, CALCULATE")
	_, err := r.code(api.CodeRequest{Account: "no such"})
	wantCode(t, err, api.CodeNotFound)
	wantTraffic(t, k, "SELECT, LIST")
}

func TestCommandsForAllProofs(t *testing.T) {
	r, main, _ := twoKeys(t)
	for n := range 12 {
		program{t: t, k: main}.put(totp("Service", fmt.Sprintf("an account with a longer name, number %d", n)), seedA+fmt.Sprint(n), 0)
	}
	main.ForgetAPDUs()
	r.verify(api.VerifyRequest{Key: "main"})
	got := traffic(main)
	if !strings.HasPrefix(got, "SELECT, LIST, SEND REMAINING") || strings.Count(got, "CALCULATE ALL") != 1 || strings.Contains(got, "READ CONFIG") {
		t.Errorf("on the wire: %s", got)
	}
	if n := r.key("main").Accounts; n != 12 {
		t.Errorf("%d accounts", n)
	}
}

func TestCommandsForRemoveAndRename(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(totp("GitHub", "me"))
	forget(main, spare)
	if _, err := r.Rename(t.Context(), tester, acc.ID, api.RenameRequest{Issuer: "GitHub", Name: "you"}); err != nil {
		t.Fatal(err)
	}
	wantTraffic(t, main, "SELECT, LIST, RENAME")
	if _, err := r.Remove(t.Context(), tester, acc.ID, "main", false); err != nil {
		t.Fatal(err)
	}
	wantTraffic(t, main, "SELECT, LIST, CALCULATE, DELETE")
	// What oathd did itself is no news to it.
	r.replug(main)
	wantTraffic(t, main, "SELECT, READ CONFIG, READ CONFIG, SELECT, LIST")
	r.replug(spare)
	wantTraffic(t, spare, "SELECT, LIST, RENAME, SELECT, READ CONFIG, READ CONFIG, SELECT, LIST")
}

func TestUnknownNamesShareOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, softkey.Options{Serial: mainSerial})
		r := newRig(t, k)
		release := r.occupy(k)
		forget(k)
		const callers = 50
		errs := make(chan error, callers)
		for range callers {
			go func() {
				_, err := r.Code(t.Context(), tester, api.CodeRequest{Account: "no such"})
				errs <- err
			}()
		}
		synctest.Wait()
		release()
		for range callers {
			wantCode(t, <-errs, api.CodeNotFound)
		}
		wantTraffic(t, k, "SELECT, LIST")
	})
}
