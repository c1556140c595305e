package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAThousandPlugCyclesLeaveNothingBehind(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	settle := func() int {
		r.replug(main)
		runtime.GC()
		return runtime.NumGoroutine()
	}
	before := settle()
	cycles := 1000
	if testing.Short() {
		cycles = 100
	}
	for n := range cycles {
		r.remove(main)
		if n%3 == 0 {
			r.bay.Insert(main) // and out again before it was looked at
			r.bay.Remove(main)
		}
		r.bay.Insert(main)
		r.awaitPresent("main")
		if n%100 == 0 {
			r.mustCode(api.CodeRequest{Account: "GitHub:me", Key: "main"})
		}
	}
	if after := settle(); after > before+2 { // those of the runtime come and go
		t.Errorf("%d goroutines, %d before", after, before)
	}
	if keys := r.Keys(); len(keys) != 2 {
		t.Errorf("%+v", keys)
	}
}

// awaitPresent waits until the key is there and has been looked at.
func (r *rig) awaitPresent(label string) {
	r.t.Helper()
	for !r.key(label).Present {
		r.await(api.EventKeyIn)
	}
}

func TestSlowReadersOfEventsMissSome(t *testing.T) {
	r, _, _ := twoKeys(t)
	ctx, cancel := context.WithCancel(t.Context())
	slow := r.Events(ctx)
	const many = 100
	for n := range many {
		if _, err := r.SetSite(t.Context(), tester, "main", fmt.Sprint("place ", n)); err != nil {
			t.Fatal(err)
		}
	}
	var seen, skipped uint64
	for len(slow) > 0 {
		<-slow
		seen++
	}
	if _, err := r.SetSite(t.Context(), tester, "main", "home"); err != nil {
		t.Fatal(err)
	}
	e := <-slow
	if e.Kind != api.EventSkipped {
		t.Fatalf("%+v", e)
	}
	skipped = e.Skipped
	if e = <-slow; e.Kind != api.EventKeyChanged || seen+skipped != many || e.Seq == 0 || e.At.IsZero() {
		t.Errorf("%d seen, %d skipped of %d, then %+v", seen, skipped, many, e)
	}
	cancel()
	for range slow { // it is closed
	}
}

func TestEventsOfSubscribersThatHaveLeft(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range r.Events(ctx) { // it is closed at once, and by one only
	}
}

func TestEventsOfAKey(t *testing.T) {
	main, _ := pair(t, "")
	r := newRig(t)
	r.bay.Insert(main)
	if e := r.await(api.EventKeyIn); e.KeyLabel != "yubikey-5-1000001" || e.Key == "" {
		t.Errorf("%+v", e)
	}
	r.adopt("1000001", "main")
	r.bay.Remove(main)
	if e := r.await(api.EventKeyOut); e.KeyLabel != "main" || e.Key != r.key("main").ID {
		t.Errorf("%+v", e)
	}
}

// A key that left while it was looked at is not announced afterwards.
func TestAKeyThatLeavesWhileItIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main, _ := pair(t, "")
		r := newRig(t)
		seen := r.Events(t.Context())
		main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0xa1, Answer: func(answer []byte) []byte {
			r.bay.Remove(main)
			for (<-seen).Kind != api.EventKeyOut {
			}
			return answer
		}})
		r.bay.Insert(main)
		r.await(api.EventKeyOut)
		synctest.Wait()
		if len(r.events) > 0 {
			t.Errorf("%+v", <-r.events)
		}
		if keys := r.Keys(); len(keys) != 0 {
			t.Errorf("%+v", keys)
		}
		r.insert(main)
	})
}

func TestLastSeenIsWhenItLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		time.Sleep(72 * time.Hour)
		r.remove(main)
		synctest.Wait()
		left := time.Now()
		time.Sleep(72 * time.Hour)
		r.restart()
		if k := r.key("main"); !k.LastSeen.Equal(left) {
			t.Errorf("last seen %s, left %s", k.LastSeen, left)
		}
	})
}

func TestTroubleOfTheBay(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(first)
	r.bay.SetTrouble(fmt.Errorf("gone: %w", hw.ErrUnavailable))
	if e := r.await(api.EventTrouble); e.Message == "" {
		t.Errorf("%+v", e)
	}
	if s := r.Status(); s.Keys != 0 || s.Trouble == "" {
		t.Errorf("%+v", s)
	}
	r.bay.SetTrouble(nil)
	r.await(api.EventTroubleOver)
	r.await(api.EventKeyIn)
	r.await(api.EventKeyIn)
	r.mustCode(api.CodeRequest{Account: "GitHub:me"})
}

// deafBay is a bay that cannot watch.
type deafBay struct{ *softkey.Bay }

func (deafBay) Watch(context.Context, func(hw.Inventory)) error { return errors.New("no ears") }

func TestABayThatCannotWatch(t *testing.T) {
	book, err := ledger.Open(t.Context(), ledger.Memory)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	a, err := agent.New(t.Context(), agent.Options{Bay: deafBay{softkey.NewBay()}, Ledger: book})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || err.Error() != "cannot watch the readers: no ears" {
		t.Errorf("%v", err)
	}
}

// The daemon ends although another program sits on a card.
func TestEndWhileAKeyIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, main, _ := twoKeys(t)
		r.mustAdd(first)
		r.lock("main")
		release := r.occupy(main)
		result := make(chan error, 1)
		go func() {
			_, err := r.Code(t.Context(), tester, api.CodeRequest{Account: "GitHub:me", Key: "main"})
			result <- err
		}()
		synctest.Wait()
		began := time.Now()
		r.stop()
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("it took %s", d)
		}
		if n := r.Passwords(); n != 0 {
			t.Errorf("%d passwords are left", n)
		}
		release()
		<-result
	})
}

// Everything at once, for the race detector, and for locks that wait for each other.
func TestEverythingAtOnce(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(first)
	r.mustAdd(second)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	again := func(f func()) {
		all.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	again(func() { r.code(api.CodeRequest{Account: "GitHub:me"}) })
	again(func() { r.code(api.CodeRequest{Account: "Mail:me", Pair: true}) })
	again(func() { r.code(api.CodeRequest{Account: "nobody"}) })
	again(func() { r.verify(api.VerifyRequest{Touch: true}) })
	again(func() { r.resume(api.ResumeRequest{}) })
	again(func() { _, _, _, _ = r.Keys(), r.Accounts(""), r.Coverage(), r.Status() })
	again(func() { r.SetSite(ctx, tester, "main", "here") })
	again(func() {
		passing := totp("Passing", "by")
		_, _ = r.addFor(ctx, api.AddRequest{Accounts: []api.NewAccount{passing}})
		_, _ = r.Rename(ctx, tester, "Passing:by", api.RenameRequest{Issuer: "Passing", Name: "on"})
		_, _ = r.Remove(ctx, tester, "Passing:on", "", true)
	})
	again(func() {
		_, _ = r.SetPassword(ctx, tester, "main", secret("x"))
		_, _ = r.ClearPassword(ctx, tester, "main")
	})
	for n := range 12 {
		k := []*softkey.Key{main, spare}[n%2]
		r.bay.Remove(k)
		r.bay.Insert(k)
		r.Refresh(t.Context())
	}
	cancel()
	all.Wait()
	for _, label := range []string{"main", "spare"} {
		r.Refresh(t.Context())
		if k := r.key(label); !k.Present {
			t.Errorf("%+v", k)
		}
	}
	if _, err := r.ClearPassword(t.Context(), tester, "main"); err != nil {
		t.Error(err)
	}
	_, _ = r.Resume(t.Context(), tester, api.ResumeRequest{Discard: true}, r.step)
	for _, name := range []string{"Passing:by", "Passing:on"} {
		_, _ = r.Remove(t.Context(), tester, name, "", true)
	}
	r.verify(api.VerifyRequest{Touch: true})
	for _, k := range []*softkey.Key{main, spare} {
		if got := (program{t: t, k: k}).ids(); !slices.Equal(got, []string{"60/Mail:me", "GitHub:me"}) {
			t.Errorf("%q", got)
		}
	}
	r.wantAccounts("GitHub:me 2/2, Mail:me 2/2")
	r.intact()
}
