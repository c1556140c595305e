package agent_test

import (
	"context"

	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// codeAt is the code of an account with a name's seed at a moment.
func codeAt(a api.NewAccount, moment time.Time) string {
	seed := nameSeed(a.Issuer, a.Name)
	defer seed.Wipe()
	acc := publicHalf(a)
	mac := oath.HMAC(acc.Algorithm, seed.Bytes(), oath.Challenge(oath.Step(moment, acc.Period)))
	return acc.Code(oath.Truncate(mac))
}

func TestCodesOfEveryKind(t *testing.T) {
	accounts := []api.NewAccount{
		totp("GitHub", "me"),
		with(totp("Seven", "me"), func(a *api.NewAccount) { a.Digits = 7 }),
		with(totp("Eight", "me"), func(a *api.NewAccount) { a.Digits, a.Algorithm = 8, "SHA256" }),
		with(totp("Long", "me"), func(a *api.NewAccount) { a.Algorithm = "SHA512" }),
		with(totp("Fast", "me"), func(a *api.NewAccount) { a.Period = 15 }),
		with(totp("Slow", "me"), func(a *api.NewAccount) { a.Period = 60 }),
		totp("Steam", "me"),
		totp("", "no issuer"),
	}
	for _, personality := range softkey.Personalities() {
		t.Run(personality, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, _ := twoKeysLike(t, personality)
				for _, a := range accounts {
					if a.Algorithm == "SHA512" && (personality == "neo" || personality == "nitrokey-3") {
						continue
					}
					r.mustAdd(a)
					code := r.mustCode(api.CodeRequest{Account: publicHalf(a).Label()})
					now := time.Now()
					if want := codeAt(a, now); code.Code != want {
						t.Errorf("%s: %s, want %s", code.Label, code.Code, want)
					}
					if code.ValidFrom.After(now) || code.ValidUntil.Sub(code.ValidFrom) != time.Duration(a.Period)*time.Second || !code.ValidUntil.After(now) {
						t.Errorf("%s: from %s until %s", code.Label, code.ValidFrom, code.ValidUntil)
					}
					if !code.Proved || !code.Soft || code.Touch || code.KeyLabel != "main" || len(code.Warnings) > 0 {
						t.Errorf("%+v", code)
					}
				}
			})
		})
	}
}

func TestMinimalValidity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := twoKeys(t)
		a := totp("GitHub", "me")
		r.mustAdd(a)
		time.Sleep(20 * time.Second)
		now := time.Now() // 10 s are left
		for validity, want := range map[int]time.Time{0: now, 9: now, 10: now.Add(30 * time.Second), 30: now.Add(30 * time.Second)} {
			code := r.mustCode(api.CodeRequest{Account: "GitHub:me", MinValidity: validity})
			if code.Code != codeAt(a, want) {
				t.Errorf("%d s: a code until %s", validity, code.ValidUntil)
			}
		}
		for _, validity := range []int{-1, 31} {
			_, err := r.code(api.CodeRequest{Account: "GitHub:me", MinValidity: validity})
			wantCode(t, err, api.CodeBadRequest)
		}
	})
}

func TestPairOfCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := twoKeys(t)
		a := totp("AWS", "root")
		r.mustAdd(a)
		code := r.mustCode(api.CodeRequest{Account: "AWS:root", Pair: true})
		if code.Code != codeAt(a, time.Now()) || code.Next != codeAt(a, time.Now().Add(30*time.Second)) {
			t.Errorf("%+v", code)
		}
		if single := r.mustCode(api.CodeRequest{Account: "AWS:root"}); single.Next != "" {
			t.Errorf("the cache gives a pair: %+v", single)
		}
		// Both steps are used up now.
		began := time.Now()
		fresh := r.mustCode(api.CodeRequest{Account: "AWS:root", Fresh: true})
		if fresh.Code != codeAt(a, began.Add(60*time.Second)) || time.Since(began) != 60*time.Second {
			t.Errorf("fresh after %s: %+v", time.Since(began), fresh)
		}
	})
}

func TestFreshCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		a := totp("AWS", "root")
		r.mustAdd(a)
		begin := time.Now()
		fresh := func(want time.Duration) {
			t.Helper()
			code := r.mustCode(api.CodeRequest{Account: "AWS:root", Fresh: true})
			if time.Since(begin) != want || code.Code != codeAt(a, time.Now()) || code.ValidFrom.After(time.Now()) {
				t.Errorf("after %s, want %s: %+v", time.Since(begin), want, code)
			}
		}
		fresh(0)
		fresh(30 * time.Second)
		// Another key, and another run of the daemon, know it too.
		r.remove(main)
		r.restart()
		fresh(60 * time.Second)
		// A code that was handed out without asking for a fresh one is used up as well.
		time.Sleep(30 * time.Second)
		r.mustCode(api.CodeRequest{Account: "AWS:root"})
		fresh(120 * time.Second)
	})
}

func TestFreshCodesForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := twoKeys(t)
		r.mustAdd(totp("AWS", "root"))
		r.mustCode(api.CodeRequest{Account: "AWS:root", Fresh: true})
		// Those who give up use up nothing.
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 5 {
			_, err := r.Code(impatient, tester, api.CodeRequest{Account: "AWS:root", Fresh: true})
			wantCode(t, err, api.CodeCanceled)
		}
		const callers = 4
		codes := make(chan api.Code, callers)
		for range callers {
			go func() {
				code, err := r.Code(t.Context(), tester, api.CodeRequest{Account: "AWS:root", Fresh: true})
				if err != nil {
					t.Error(err)
				}
				codes <- code
			}()
		}
		begin, seen := time.Now(), map[string]bool{}
		for range callers {
			seen[(<-codes).Code] = true
		}
		if len(seen) != callers || time.Since(begin) > callers*30*time.Second {
			t.Errorf("%d different codes in %s", len(seen), time.Since(begin))
		}
	})
}

func TestManyCallersShareOneCalculation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, spare := twoKeys(t)
		r.mustAdd(totp("GitHub", "me"))
		forget(main, spare)
		release := r.occupy(main)
		const callers = 100
		codes := make(chan string, callers)
		for range callers {
			go func() {
				code, err := r.Code(t.Context(), tester, api.CodeRequest{Account: "GitHub:me"})
				if err != nil {
					t.Error(err)
				}
				codes <- code.Code
			}()
		}
		synctest.Wait()
		release()
		want := codeAt(totp("GitHub", "me"), time.Now())
		for range callers {
			if code := <-codes; code != want {
				t.Errorf("code %s, want %s", code, want)
			}
		}
		wantTraffic(t, main, "SELECT, CALCULATE")
		wantTraffic(t, spare, "")
		// And who comes later gets it from memory, until the step is over.
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		wantTraffic(t, main, "")
		time.Sleep(30 * time.Second)
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		wantTraffic(t, main, "SELECT, CALCULATE")
	})
}

func TestCacheGoesWithTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, spare := twoKeys(t)
		r.mustAdd(totp("GitHub", "me"))
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		r.remove(main)
		forget(spare)
		if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" {
			t.Errorf("%+v", code)
		}
		wantTraffic(t, spare, "SELECT, CALCULATE")
		r.remove(spare)
		_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
		wantCode(t, err, api.CodeKeyAbsent)
	})
}

// The password that another program cleared need not be given.
func TestCodeAfterThePasswordWasCleared(t *testing.T) {
	r, main, _ := twoKeys(t)
	acc := r.mustAddTo(totp("GitHub", "me"), "main")
	r.lock("main")
	r.restart()
	if _, err := r.code(api.CodeRequest{Account: acc.ID}); err == nil {
		t.Fatal("a locked key gave a code")
	}
	program{t: t, k: main, password: "open sesame"}.must(hw.Command{INS: 0x03, Data: []byte{0x73, 0}})
	r.mustCode(api.CodeRequest{Account: acc.ID})
}

// Who has to unlock a key is told which.
func TestCodeAfterThePasswordWasChanged(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAddTo(totp("GitHub", "me"), "main")
	r.lock("main")
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa3, Status: hw.StatusWrongData})
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	if e := wantCode(t, err, api.CodeLocked); !strings.Contains(e.Hint, "unlock main") {
		t.Errorf("%+v", e)
	}
}

// A key that is plugged in need not be plugged in.
func TestCodeOfWhatWasBrokenOff(t *testing.T) {
	r, main, _ := twoKeys(t)
	nonsense := func([]byte) []byte { return []byte{0x90, 0} }
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0xa2, Answer: nonsense})
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}, To: []string{"main"}}); err != nil {
		t.Fatal(err)
	}
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	e := wantCode(t, err, api.CodeConflict)
	if wantWords(t, e); !strings.Contains(e.Hint, "resume") {
		t.Errorf("%+v", e)
	}
}

// A code must not be kept whose key left while it was on its way.
func TestCacheOfAKeyThatLeavesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := newKey(t, softkey.Options{Serial: mainSerial})
		r := newRig(t)
		r.adoptNew(main, "main")
		if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}, Copies: 1}); err != nil {
			t.Fatal(err)
		}
		main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0xa2, Answer: func(answer []byte) []byte {
			go r.bay.Remove(main)
			synctest.Wait()
			return answer
		}})
		if _, err := r.code(api.CodeRequest{Account: "GitHub:me"}); err == nil {
			_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
			wantCode(t, err, api.CodeKeyAbsent)
		}
	})
}

func TestCodeFallsOverToTheNextKey(t *testing.T) {
	const calculate = 0xa2
	for name, harm := range map[string]func(*rig, *softkey.Key){
		"pulled at SELECT":    func(_ *rig, k *softkey.Key) { k.Fail(softkey.Fault{Kind: softkey.FaultPulled}) },
		"pulled at CALCULATE": func(_ *rig, k *softkey.Key) { k.Fail(softkey.Fault{Kind: softkey.FaultPulled, INS: calculate}) },
		"died in CALCULATE":   func(_ *rig, k *softkey.Key) { k.Fail(softkey.Fault{Kind: softkey.FaultDies, INS: calculate}) },
		"held":                func(r *rig, k *softkey.Key) { r.bay.Hold(k) },
		"corrupt": func(_ *rig, k *softkey.Key) {
			k.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: calculate, Status: hw.StatusMemory})
		},
		"malformed": func(_ *rig, k *softkey.Key) {
			k.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: calculate, Answer: func([]byte) []byte { return []byte{1} }})
		},
		"deleted by a program": func(r *rig, k *softkey.Key) { program{t: r.t, k: k}.delete("GitHub:me") },
		"reset by a program":   func(r *rig, k *softkey.Key) { program{t: r.t, k: k}.reset() },
		"locked by a program": func(r *rig, k *softkey.Key) {
			s, err := selectApplet(k)
			if err != nil || s.SetCode(derive("secret", s.Info().Salt)) != nil {
				r.t.Fatalf("cannot set a password: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, main, _ := twoKeys(t)
			r.mustAdd(totp("GitHub", "me"))
			harm(r, main)
			code, err := r.code(api.CodeRequest{Account: "GitHub:me"})
			if err != nil || code.KeyLabel != "spare" {
				t.Errorf("%+v, %v", code, err)
			}
		})
	}
}

func TestCodeAfterAResetByAnotherProgram(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	main.Fail(softkey.Fault{Kind: softkey.FaultReset, INS: 0xa2})
	if code, err := r.code(api.CodeRequest{Account: "GitHub:me"}); err != nil || code.KeyLabel != "main" {
		t.Errorf("%+v, %v", code, err)
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultReset, INS: 0xa2, Times: softkey.Always})
	_, err := r.code(api.CodeRequest{Account: "GitHub:me", Key: "main", Pair: true})
	wantCode(t, err, api.CodeKeyRemoved)
}

func TestCodeOfOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, spare := twoKeys(t)
		r.mustAdd(totp("GitHub", "me"))
		r.mustAddTo(totp("Mail", "me"), "main")
		for _, selector := range []string{"spare", "1000002", r.key("spare").ID, "SPA"} {
			code := r.mustCode(api.CodeRequest{Account: "GitHub:me", Key: selector})
			if code.KeyLabel != "spare" || code.Code != codeAt(totp("GitHub", "me"), time.Now()) {
				t.Errorf("%s: %+v", selector, code)
			}
		}
		_, err := r.code(api.CodeRequest{Account: "GitHub:me", Key: "third"})
		wantCode(t, err, api.CodeNotFound)
		_, err = r.code(api.CodeRequest{Account: "Mail:me", Key: "spare"})
		wantCode(t, err, api.CodeNotFound)
		r.remove(spare)
		_, err = r.code(api.CodeRequest{Account: "GitHub:me", Key: "spare"})
		wantCode(t, err, api.CodeKeyAbsent)
		if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "main" {
			t.Errorf("%+v", code)
		}
		_ = main
	})
}

func TestKeyOrder(t *testing.T) {
	main, spare := pair(t, "")
	r := newRigWith(t, agent.Options{KeyOrder: []string{"1000002", "main"}})
	r.adoptNew(main, "main")
	r.adoptNew(spare, "spare")
	r.mustAdd(totp("GitHub", "me"))
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" {
		t.Errorf("%+v", code)
	}
	if keys := r.Keys(); keys[0].Label != "spare" || keys[1].Label != "main" {
		t.Errorf("%+v", keys)
	}
}

func TestCountedCodes(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(hotp("Bank", "me"))
	if got := states(r.account("Bank:me")); got["main"] != api.CopyWritten || len(got) != 1 {
		t.Fatalf("%v", got)
	}
	forget(main, spare)
	const callers = 10
	codes := make(chan string, callers)
	for range callers {
		go func() {
			code, err := r.Code(t.Context(), tester, api.CodeRequest{Account: "Bank:me"})
			if err != nil || !code.ValidUntil.IsZero() || code.Proved {
				t.Errorf("%+v, %v", code, err)
			}
			codes <- code.Code
		}()
	}
	seen := map[string]bool{}
	for range callers {
		seen[<-codes] = true
	}
	seed := nameSeed("Bank", "me")
	acc := publicHalf(hotp("Bank", "me"))
	for n := range uint64(callers) {
		if want := acc.Code(oath.Truncate(oath.HMAC(oath.SHA1, seed.Bytes(), oath.Challenge(n)))); !seen[want] {
			t.Errorf("nobody got code %d", n)
		}
	}
	if n := strings.Count(traffic(main), "CALCULATE"); n != callers || len(seen) != callers {
		t.Errorf("%d calculations and %d codes for %d callers", n, len(seen), callers)
	}
	_, err := r.code(api.CodeRequest{Account: "Bank:me", Pair: true})
	wantCode(t, err, api.CodeBadRequest)
}

func TestClockBeforeTheBuild(t *testing.T) {
	main, _ := pair(t, "")
	r := newRigWith(t, agent.Options{BuildTime: time.Now().Add(time.Hour)})
	r.adoptNew(main, "main")
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}}); err != nil {
		t.Fatal(err)
	}
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	wantCode(t, err, api.CodeClock)
}

func TestClockJumpEmptiesTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		r.mustAdd(totp("GitHub", "me"))
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		forget(main)
		r.JumpClock(time.Second)
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		wantTraffic(t, main, "")
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			r.JumpClock(jump)
			r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			wantTraffic(t, main, "SELECT, CALCULATE")
			r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			wantTraffic(t, main, "")
		}
	})
}

func TestWhereAnAbsentAccountIs(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	for _, set := range []func() (api.Key, error){
		func() (api.Key, error) { return r.SetSite(t.Context(), tester, "spare", "safe") },
		func() (api.Key, error) { return r.SetHolder(t.Context(), tester, "spare", "Ada") },
	} {
		if _, err := set(); err != nil {
			t.Fatal(err)
		}
	}
	r.remove(main)
	r.remove(spare)
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	e := wantCode(t, err, api.CodeKeyAbsent)
	day := time.Now().Format("2 January 2006")
	for _, want := range []string{"GitHub:me is on main", "spare (last seen " + day, "site: safe", "with Ada"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("%q does not say %q", e.Message, want)
		}
	}
	if len(e.Candidates) != 2 {
		t.Errorf("candidates %+v", e.Candidates)
	}
	r.bay.SetTrouble(hw.WithHint(fmt.Errorf("out: %w", hw.ErrUnavailable), "start it"))
	r.await(api.EventTrouble)
	_, err = r.code(api.CodeRequest{Account: "GitHub:me"})
	e = wantCode(t, err, api.CodeKeyAbsent)
	if !strings.Contains(e.Message, "no key can be seen") || e.Hint != "start it" {
		t.Errorf("%q, hint %q", e.Message, e.Hint)
	}
	if s := r.Status(); s.Trouble == "" || s.Hint != "start it" {
		t.Errorf("%+v", s)
	}
	r.bay.SetTrouble(nil)
	r.await(api.EventTroubleOver)
}

func TestNames(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.mustAdd(totp("GitHub", "work"))
	r.mustAdd(totp("GitLab", "other"))
	for selector, want := range map[string]string{
		"GitHub:me": "GitHub:me", "me": "GitHub:me", "LAB": "GitLab:other", "other": "GitLab:other", r.account("GitHub:work").ID: "GitHub:work",
	} {
		if acc := r.account(selector); acc.Label() != want {
			t.Errorf("%q is %s, want %s", selector, acc.Label(), want)
		}
	}
	_, err := r.code(api.CodeRequest{Account: "github"})
	e := wantCode(t, err, api.CodeAmbiguous)
	if len(e.Candidates) != 2 || e.Candidates[0].Label != "GitHub:me" || e.Candidates[0].Note != "on main (proved), spare (proved)" {
		t.Errorf("%+v", e.Candidates)
	}
	for _, selector := range []string{"", "nothing"} {
		_, err := r.code(api.CodeRequest{Account: selector})
		wantCode(t, err, api.CodeNotFound)
	}
	if list := r.Accounts("GIT"); len(list) != 3 || list[2].Issuer != "GitLab" {
		t.Errorf("%+v", list)
	}
	if list := r.Accounts("hub:"); len(list) != 2 {
		t.Errorf("%+v", list)
	}
}

func TestCodesOfKeysThatAreNotAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, softkey.Options{Serial: mainSerial})
		a := totp("GitHub", "me")
		seed := nameSeed(a.Issuer, a.Name)
		program{t: t, k: k}.put(a, string(seed.Bytes()), 0)
		r := newRig(t, k)
		acc := r.account("GitHub:me")
		if !acc.Available || acc.Proved != 0 || acc.Copies[0].State != api.CopyUnproven || r.key("1000001").State != api.KeySeen {
			t.Errorf("%+v", acc)
		}
		code := r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		if code.Code != codeAt(a, time.Now()) || code.Proved || code.Account != acc.ID {
			t.Errorf("%+v", code)
		}
		if c := r.Coverage(); len(c.Rows) != 0 || len(c.Keys) != 0 {
			t.Errorf("coverage of what is not adopted: %+v", c)
		}
		// What another program writes is found when somebody asks.
		b := totp("New", "me")
		seed = nameSeed(b.Issuer, b.Name)
		program{t: t, k: k}.put(b, string(seed.Bytes()), 0)
		if code := r.mustCode(api.CodeRequest{Account: "new"}); code.Code != codeAt(b, time.Now()) {
			t.Errorf("%+v", code)
		}
	})
}

func TestCodesWithoutALedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := twoKeys(t)
		r.mustAdd(totp("GitHub", "me"))
		r.breakLedger()
		for _, warnings := range []int{0, 1} { // the first code is not held up by what cannot be written
			code := r.mustCode(api.CodeRequest{Account: "GitHub:me"})
			if code.Code != codeAt(totp("GitHub", "me"), time.Now()) || len(code.Warnings) != warnings {
				t.Errorf("%+v, want %d warnings", code, warnings)
			}
			time.Sleep(time.Minute)
		}
		_, err := r.code(api.CodeRequest{Account: "GitHub:me", Fresh: true})
		if api.CodeOf(err) != api.CodeLedger {
			t.Errorf("a fresh code without a ledger: %v", err)
		}
	})
}

func TestHeldKey(t *testing.T) {
	main, _ := pair(t, "")
	r := newRig(t)
	r.adoptNew(main, "main")
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}, Copies: 1}); err != nil {
		t.Fatal(err)
	}
	r.remove(main)
	r.bay.Insert(main)
	release := r.bay.Hold(main) // maybe after the first look has begun
	r.await(api.EventKeyIn)
	r.Refresh(t.Context())
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	if code := api.CodeOf(err); code != api.CodeKeyHeld && code != api.CodeKeyAbsent {
		t.Fatalf("a held key: %v", err)
	}
	if e := err.(*api.Error); !strings.Contains(e.Message, "another program holds the key") || !strings.Contains(e.Hint, "scdaemon") {
		t.Errorf("%q, hint %q", e.Message, e.Hint)
	}
	release()
	if _, err := r.code(api.CodeRequest{Account: "GitHub:me"}); err != nil {
		t.Errorf("the key is free again: %v", err)
	}
	r.Refresh(t.Context())
	if k := r.key("main"); k.Trouble != "" {
		t.Errorf("%+v", k)
	}
}

// selectApplet selects the OATH applet as another program would.
func selectApplet(k *softkey.Key) (*ykoath.Session, error) { return ykoath.Select(k) }

// A key that is pulled out and plugged in again gives a code at once, unless it was just seen that it left: that it was removed meanwhile is
// nobody's concern.
func TestCodeRightAfterTheKeyIsBack(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	r := newRig(t)
	r.adoptNew(main, "main")
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}, Copies: 1}); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		r.bay.Remove(main)
		r.bay.Insert(main)
		if _, err := r.code(api.CodeRequest{Account: "GitHub:me"}); err != nil && api.CodeOf(err) != api.CodeKeyAbsent {
			t.Fatal(err)
		}
	}
}
