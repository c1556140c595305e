package agent_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// touchRig has one adopted key with one touch account that is proved; from now on a finger has to come.
func touchRig(t *testing.T) (*rig, *softkey.Key) {
	t.Helper()
	k := newKey(t, softkey.Options{Serial: mainSerial, Touch: softkey.TouchManual})
	r := newRig(t)
	r.adoptNew(k, "main")
	r.onAny = func(s api.Step) {
		if s.Kind == api.StepWaitTouch {
			synctest.Wait()
			k.Touch()
		}
	}
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{touched(totp("GitHub", "me"))}, Copies: 1})
	if err != nil || !report.Complete || r.told(api.StepWaitTouch) != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
	r.await(api.EventTouchDone)
	forget(k)
	return r, k
}

// named asks for a code in somebody's name.
func (r *rig) named(ctx context.Context, name string) <-chan error {
	result := make(chan error, 1)
	go func() {
		code, err := r.Code(ctx, agent.Caller{Name: name}, api.CodeRequest{Account: "GitHub:me"})
		if err == nil && (!code.Touch || code.Code == "") {
			err = fmt.Errorf("the code came without a touch: %+v", code)
		}
		result <- err
	}()
	return result
}

func TestSharedTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		one := r.named(t.Context(), "ssh")
		e := r.await(api.EventTouchWanted)
		if e.KeyLabel != "main" || e.Label != "GitHub:me" || !slices.Equal(e.Waiting, []string{"ssh (uid 0, pid 0)"}) {
			t.Errorf("%+v", e)
		}
		two := r.named(t.Context(), "git")
		if e := r.await(api.EventTouchWanted); !slices.Equal(e.Waiting, []string{"ssh (uid 0, pid 0)", "git (uid 0, pid 0)"}) {
			t.Errorf("%+v", e)
		}
		if k := r.key("main"); len(k.Waiting) != 2 || len(r.Keys()[0].Waiting) != 2 {
			t.Errorf("waiting: %q", k.Waiting)
		}
		synctest.Wait()
		k.Touch()
		for _, result := range []<-chan error{one, two} {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		r.await(api.EventTouchDone)
		wantTraffic(t, k, "SELECT, CALCULATE")
		if k := r.key("main"); len(k.Waiting) != 0 {
			t.Errorf("waiting: %q", k.Waiting)
		}
		// It is not kept beyond those who waited.
		three := r.named(t.Context(), "later")
		r.await(api.EventTouchWanted)
		synctest.Wait()
		k.Touch()
		if err := <-three; err != nil {
			t.Error(err)
		}
		wantTraffic(t, k, "SELECT, CALCULATE")
	})
}

func TestTouchTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := touchRig(t)
		began := time.Now()
		_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
		wantCode(t, err, api.CodeTouchTimeout)
		if time.Since(began) != 15*time.Second {
			t.Errorf("after %s", time.Since(began))
		}
		r.await(api.EventTouchDone)
	})
}

// requiresTouch is the property of a credential that wants a finger.
const requiresTouch = 0x02

// TestLateTouch has the steps go by before a finger comes, as they do when the clock is set or the machine sleeps meanwhile: what the
// key answers then is of no use to anybody, so it is asked again.
func TestLateTouch(t *testing.T) {
	for name, late := range map[string]int{"once": 1, "always": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKey(t, softkey.Options{Serial: mainSerial, Touch: softkey.TouchManual})
				r := newRig(t)
				short := with(touched(totp("GitHub", "me")), func(a *api.NewAccount) { a.Period = 5 })
				seed := nameSeed(short.Issuer, short.Name)
				program{t: t, k: k}.put(short, string(seed.Bytes()), requiresTouch)
				r.adoptNew(k, "main")
				var code api.Code
				result := make(chan error, 1)
				go func() {
					var err error
					code, err = r.code(api.CodeRequest{Account: "GitHub:me"})
					result <- err
				}()
				for range late {
					r.await(api.EventTouchWanted)
					time.Sleep(12 * time.Second)
					k.Touch()
				}
				if late == 2 {
					wantCode(t, <-result, api.CodeClock)
					return
				}
				r.await(api.EventTouchWanted)
				synctest.Wait()
				k.Touch()
				if err := <-result; err != nil || code.Code != codeAt(short, time.Now()) {
					t.Errorf("got %+v, %v, want %s", code, err, codeAt(short, time.Now()))
				}
			})
		})
	}
}

func TestGivingUpATouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		one := r.named(ctx, "impatient")
		r.await(api.EventTouchWanted)
		synctest.Wait()
		cancel()
		wantCode(t, <-one, api.CodeCanceled)
		// The key blinks on. Who comes now shares the touch.
		two := r.named(t.Context(), "patient")
		if e := r.await(api.EventTouchWanted); !slices.Equal(e.Waiting, []string{"patient (uid 0, pid 0)"}) {
			t.Errorf("%+v", e)
		}
		synctest.Wait()
		k.Touch()
		if err := <-two; err != nil {
			t.Error(err)
		}
		wantTraffic(t, k, "SELECT, CALCULATE")
	})
}

func TestATouchThatNobodyWaitsForGivesNobodyACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		one := r.named(ctx, "impatient")
		r.await(api.EventTouchWanted)
		synctest.Wait()
		cancel()
		wantCode(t, <-one, api.CodeCanceled)
		k.Touch()
		r.await(api.EventTouchDone)
		synctest.Wait() // until the code has arrived, for nobody
		_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
		wantCode(t, err, api.CodeTouchTimeout)
	})
}

func TestGivingUpBeforeItsTurnTouchesNoCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		release := r.occupy(k)
		ctx, cancel := context.WithCancel(t.Context())
		one := r.named(ctx, "impatient")
		synctest.Wait()
		cancel()
		wantCode(t, <-one, api.CodeCanceled)
		release()
		synctest.Wait()
		wantTraffic(t, k, "")
		two := r.named(t.Context(), "patient")
		r.await(api.EventTouchWanted)
		synctest.Wait()
		k.Touch()
		if err := <-two; err != nil {
			t.Error(err)
		}
	})
}

func TestPulledWhileItBlinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		one := r.named(t.Context(), "ssh")
		r.await(api.EventTouchWanted)
		synctest.Wait()
		r.bay.Remove(k)
		wantCode(t, <-one, api.CodeKeyRemoved)
		r.await(api.EventTouchDone)
	})
}

// A credential of a key that is not adopted may need a touch, and nobody knows: the time that it takes tells.
func TestUnknownTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t, softkey.Options{Serial: mainSerial, Touch: softkey.TouchMode(3 * time.Second)})
		program{t: t, k: k}.put(totp("GitHub", "me"), seedA, needsTouch)
		r := newRig(t, k)
		began := time.Now()
		result := r.named(t.Context(), "ssh")
		r.await(api.EventTouchWanted)
		if d := time.Since(began); d != 500*time.Millisecond {
			t.Errorf("told after %s", d)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
		r.await(api.EventTouchDone)
	})
}

// A touch takes a person some time, so a code must not end meanwhile.
func TestTouchNearTheEndOfAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		time.Sleep(26 * time.Second)
		next := time.Now().Add(4 * time.Second).Truncate(30 * time.Second)
		go func() {
			synctest.Wait()
			k.Touch()
		}()
		code := r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		if !code.ValidFrom.Equal(next) {
			t.Errorf("at %s a code from %s", time.Now(), code.ValidFrom)
		}
	})
}

func TestAKeyWithoutTouchIsAskedFirst(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAddTo(touched(totp("GitHub", "me")), "main")
	r.mustAddTo(totp("GitHub", "me"), "spare")
	acc := r.account("GitHub:me")
	if acc.Touch || acc.Proved != 2 {
		t.Errorf("%+v", acc)
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" || code.Touch {
		t.Errorf("%+v", code)
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me", Key: "main"}); code.KeyLabel != "main" || !code.Touch {
		t.Errorf("%+v", code)
	}
}

func TestContactless(t *testing.T) {
	k := newKey(t, softkey.Options{Serial: mainSerial, Contactless: true})
	r := newRig(t)
	r.adoptNew(k, "main")
	if key := r.key("main"); !key.Contactless || key.FormFactor == "" || key.Reader == "" {
		t.Errorf("%+v", key)
	}
	if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}, Copies: 1}); err != nil {
		t.Fatal(err)
	}
	if e := r.await(api.EventHoldToReader); e.KeyLabel != "main" {
		t.Errorf("%+v", e)
	}
}

// TestStopWaiting has everybody who waits give up, by a hand that is not theirs. The key blinks on; who comes then shares the touch.
func TestStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		if list := r.Touches(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		one := r.named(t.Context(), "ssh")
		r.await(api.EventTouchWanted)
		two := r.named(t.Context(), "git")
		r.await(api.EventTouchWanted)
		list := r.Touches()
		if len(list) != 1 || list[0].KeyLabel != "main" || list[0].Label != "GitHub:me" || len(list[0].Waiting) != 2 || list[0].Stop == nil {
			t.Fatalf("%+v", list)
		}
		list[0].Stop()
		for _, result := range []<-chan error{one, two} {
			wantCode(t, <-result, api.CodeCanceled)
		}
		r.await(api.EventTouchDone)
		if list := r.Touches(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		three := r.named(t.Context(), "later")
		if e := r.await(api.EventTouchWanted); len(e.Waiting) != 1 || len(r.Touches()) != 1 {
			t.Errorf("%+v", e)
		}
		synctest.Wait()
		k.Touch()
		if err := <-three; err != nil {
			t.Error(err)
		}
		r.await(api.EventTouchDone)
		list[0].Stop() // too late, and no harm
		wantTraffic(t, k, "SELECT, CALCULATE")
	})
}

// TestWhoGivesUpIsNotNamed: those who look at a blinking key are told that somebody has left, and when nobody waits any more.
func TestWhoGivesUpIsNotNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k := touchRig(t)
		var cancels []context.CancelFunc
		for _, name := range []string{"ssh", "git"} {
			ctx, cancel := context.WithCancel(t.Context())
			r.named(ctx, name)
			r.await(api.EventTouchWanted)
			cancels = append(cancels, cancel)
		}
		cancels[0]()
		if e := r.await(api.EventTouchWanted); !slices.Equal(e.Waiting, []string{"git (uid 0, pid 0)"}) {
			t.Errorf("%+v", e)
		}
		cancels[1]()
		r.await(api.EventTouchDone)
		synctest.Wait()
		k.Touch()
		synctest.Wait()
		for more := true; more; {
			select {
			case e := <-r.events:
				if e.Kind == api.EventTouchDone || e.Kind == api.EventTouchWanted {
					t.Errorf("told again: %+v", e)
				}
			default:
				more = false
			}
		}
	})
}
