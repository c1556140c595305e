package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// newBare returns an agent without a bay, on a ledger in memory with one of everything.
func newBare(t *testing.T) *Agent {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a, err := New(t.Context(), Options{Ledger: l})
	if err != nil {
		t.Fatal(err)
	}
	err = a.change(Caller{Name: "test"}, "set the scene", func(d *draft) error {
		return errors.Join(
			d.putKey(ledger.Key{ID: "k", Label: "main", State: "adopted"}),
			d.putSeed(ledger.Seed{ID: "s", Full: []byte("full"), T4: []byte("t4")}),
			d.putAccount(ledger.Account{ID: "a", Seed: "s", Name: "me", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}),
			d.putCopy(ledger.Copy{Key: "k", CredID: "me", Account: "a", Seed: "s", Type: oath.TOTP, Algorithm: oath.SHA1, State: "proved"}),
			d.putIntent(ledger.Intent{ID: "i", Kind: intentRename, Key: "k", CredID: "me", NewCredID: "you", Account: "a", Seed: "s"}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// snapshot is what a book holds.
func (b *book) snapshot() string {
	return fmt.Sprint(b.keys, b.seeds, b.accounts, b.copies, b.intents, b.prints, b.owners)
}

// What the ledger refuses is undone in memory: all of it, and in the right order.
func TestARefusedChangeIsUndone(t *testing.T) {
	errNo := errors.New("no")
	everything := func(d *draft) error {
		return errors.Join(
			d.putKey(ledger.Key{ID: "k", Label: "other", State: "adopted"}), d.putKey(ledger.Key{ID: "k2", State: "adopted"}),
			d.putSeed(ledger.Seed{ID: "s2", Full: []byte("full2")}), d.dropSeed(d.seeds["s"]), d.putSeed(ledger.Seed{ID: "s", T4: []byte("t4b")}),
			d.putAccount(ledger.Account{ID: "a2", Seed: "s2", Type: oath.TOTP, Algorithm: oath.SHA1}), d.dropAccount(d.accounts["a"]),
			d.putCopy(ledger.Copy{Key: "k", CredID: "me", Account: "a2", Type: oath.TOTP, Algorithm: oath.SHA1}), d.dropCopy(copyRef{"k", "me"}),
			d.putIntent(ledger.Intent{ID: "i2", Key: "k"}), d.dropIntent("i"), d.dropIntent("i2"),
		)
	}
	for name, refused := range map[string]func(*draft) error{
		"by itself": func(d *draft) error { return errors.Join(everything(d), errNo) },
		"by the file": func(d *draft) error {
			return errors.Join(everything(d), d.putCopy(ledger.Copy{Key: "nobody", CredID: "x", Account: "none", Type: oath.TOTP, Algorithm: oath.SHA1}))
		},
		"at once": func(d *draft) error { return d.putCopy(ledger.Copy{Key: "k", CredID: "x", Account: "a"}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newBare(t)
			before, shown := a.book.snapshot(), a.view.Load()
			err := a.change(Caller{}, "try", refused)
			if api.CodeOf(err) != api.CodeLedger {
				t.Errorf("%v", err)
			}
			if after := a.book.snapshot(); after != before {
				t.Errorf("before: %s\nafter:  %s", before, after)
			}
			if a.view.Load() != shown {
				t.Error("what was refused is shown")
			}
			rows, err := a.ledger.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if onDisk := newBook(rows, a.book.wanted); onDisk.snapshot() != before {
				t.Errorf("in the file: %s\nin memory:   %s", onDisk.snapshot(), before)
			}
		})
	}
}

// An error that the core chose itself is not dressed as the ledger's.
func TestOwnErrorsOfAChange(t *testing.T) {
	a := newBare(t)
	err := a.change(Caller{}, "try", func(*draft) error { return refuse(api.CodeExists, "hint", "cannot") })
	if api.CodeOf(err) != api.CodeExists {
		t.Errorf("%v", err)
	}
}

func TestDropIfEmpty(t *testing.T) {
	a := newBare(t)
	steps := []func(*draft) error{
		func(d *draft) error { return d.dropIfEmpty("a") },
		func(d *draft) error { return errors.Join(d.dropCopy(copyRef{"k", "me"}), d.dropIfEmpty("a")) },
		func(d *draft) error { return errors.Join(d.dropIntent("i"), d.dropIfEmpty("a")) },
		func(d *draft) error { return d.dropIfEmpty("nobody") },
	}
	for n, there := range []bool{true, true, false, false} {
		if err := a.change(Caller{}, "drop", steps[n]); err != nil {
			t.Fatal(err)
		}
		if _, ok := a.book.accounts["a"]; ok != there || (len(a.book.seeds) == 1) != there || (len(a.book.prints) == 2) != there {
			t.Errorf("after step %d: %s", n, a.book.snapshot())
		}
	}
}

// Two seeds that turn out to be one take their accounts, copies and intents along.
func TestUnite(t *testing.T) {
	a := newBare(t)
	err := a.change(Caller{}, "set the scene", func(d *draft) error {
		return errors.Join(
			d.putSeed(ledger.Seed{ID: "full", Full: []byte("f")}), d.putSeed(ledger.Seed{ID: "half", T4: []byte("h")}), d.putSeed(ledger.Seed{ID: "lone", T4: []byte("l")}),
			d.putAccount(ledger.Account{ID: "into", Seed: "full", Name: "x", Type: oath.TOTP, Algorithm: oath.SHA1}),
			d.putAccount(ledger.Account{ID: "from", Seed: "half", Name: "y", Type: oath.TOTP, Algorithm: oath.SHA1}),
			d.putCopy(ledger.Copy{Key: "k", CredID: "y", Account: "from", Seed: "half", Type: oath.TOTP, Algorithm: oath.SHA1, State: "proved"}),
			d.putCopy(ledger.Copy{Key: "k", CredID: "z", Account: "from", Type: oath.TOTP, Algorithm: oath.SHA1, State: "unproven"}),
			d.putIntent(ledger.Intent{ID: "j", Kind: intentPut, Key: "k", CredID: "w", Account: "from", Seed: "half"}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.change(Caller{}, "learn", func(d *draft) error {
		s, err := d.learnSeed(prints{full: []byte("f"), t4: []byte("h")})
		if s.ID != "full" || string(s.T4) != "h" {
			t.Errorf("%+v", s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b := a.book
	if _, there := b.accounts["from"]; there || b.copies[copyRef{"k", "y"}].Account != "into" || b.copies[copyRef{"k", "z"}].Account != "into" ||
		b.intents["j"].Account != "into" || b.intents["j"].Seed != "full" || b.prints["h"] != "full" || len(b.seeds) != 3 {
		t.Errorf("%s", b.snapshot())
	}
	// A seed whose account is the only one of the two keeps it.
	err = a.change(Caller{}, "learn", func(d *draft) error {
		_ = d.putAccount(ledger.Account{ID: "alone", Seed: "lone", Name: "z", Type: oath.TOTP, Algorithm: oath.SHA1})
		_ = d.putSeed(ledger.Seed{ID: "new", Full: []byte("n")})
		_, err := d.learnSeed(prints{full: []byte("n"), t4: []byte("l")})
		return err
	})
	if acc := a.book.accounts["alone"]; err != nil || acc.Seed != "new" || a.book.owners["new"] != "alone" || a.book.owners["lone"] != "" {
		t.Errorf("%v, %+v", err, acc)
	}
}

func TestCompare(t *testing.T) {
	f, g := []byte("f"), []byte("g")
	for _, test := range []struct {
		p, q prints
		want sameness
	}{
		{prints{f, nil}, prints{f, nil}, same}, {prints{f, nil}, prints{g, nil}, different}, {prints{f, nil}, prints{nil, f}, incomparable},
		{prints{nil, f}, prints{g, f}, same}, {prints{nil, f}, prints{f, g}, different}, {prints{f, g}, prints{f, f}, same}, {prints{}, prints{f, g}, incomparable},
	} {
		if got := test.p.compare(test.q); got != test.want || test.q.compare(test.p) != got {
			t.Errorf("%q and %q: %d", test.p, test.q, got)
		}
	}
}

// The fingerprint of a seed is that of the key that has it, whichever kind the key gives, and says all that matters.
func TestFingerprints(t *testing.T) {
	y := yardstick{salt: []byte("salt"), step: 100000}
	acc := oath.Account{Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
	seed := []byte("12345678901234567890")
	want := y.ofSeed(acc, seed)
	mac := oath.HMAC(oath.SHA1, seed, y.challenge(0))
	if got := y.ofAnswer(oath.Account{Type: oath.TOTP, Algorithm: oath.SHA1, Period: 30}, ykoath.Response{Digits: 6, MAC: mac}); got.compare(want) != same {
		t.Error("the full answer differs")
	}
	for name, modulus := range map[string]uint32{"31 bits": 1 << 31, "6 digits": 1e6} {
		var truncated [truncatedSteps]uint32
		for n := range truncated {
			truncated[n] = oath.Truncate(oath.HMAC(oath.SHA1, seed, y.challenge(n))) % modulus
		}
		if got := (prints{t4: y.t4(acc, truncated)}); got.compare(want) != same {
			t.Errorf("%s differ", name)
		}
	}
	others := map[string]prints{}
	for name, change := range map[string]func(*oath.Account){
		"digits": func(a *oath.Account) { a.Digits = 8 }, "period": func(a *oath.Account) { a.Period = 60 }, "algorithm": func(a *oath.Account) { a.Algorithm = oath.SHA256 },
	} {
		other := acc
		change(&other)
		others[name] = y.ofSeed(other, seed)
	}
	others["seed"] = y.ofSeed(acc, append([]byte("x"), seed...))
	others["salt"] = yardstick{salt: []byte("pepper"), step: y.step}.ofSeed(acc, seed)
	for name, other := range others {
		if (prints{full: want.full}).compare(other) != different || (prints{t4: want.t4}).compare(other) != different {
			t.Errorf("another %s makes no difference", name)
		}
	}
	if y.ofAnswer(acc, ykoath.Response{Digits: 6, Truncated: 1}).known() {
		t.Error("a truncated answer by itself says something")
	}
}

// Every error of a card has a code and a next step, and says once what went wrong.
func TestCardErrors(t *testing.T) {
	for _, m := range meanings {
		e := cardError(fmt.Errorf("cannot do this: %w", fmt.Errorf("cannot do that: %w", m.err)), "cannot %s", "act")
		if e.Code != m.code || e.Hint == "" || e.Message != "cannot act: "+m.err.Error() {
			t.Errorf("%v: %+v", m.err, e)
		}
	}
	e := cardError(hw.WithHint(fmt.Errorf("%w (%w)", ykoath.ErrRejected, hw.Status(0x6fff)), "a better hint"), "cannot act")
	if e.Hint != "a better hint" || e.Message != "cannot act: the key refused (status word 6FFF)" {
		t.Errorf("%+v", e)
	}
	if e := cardError(errors.New("unheard of"), "cannot act"); e.Code != api.CodeCardError || e.Hint == "" || e.Message != "cannot act: unheard of" {
		t.Errorf("%+v", e)
	}
	own := refuse(api.CodeFull, "hint", "cannot")
	if got := cardError(fmt.Errorf("wrapped: %w", own), "cannot act"); got != own {
		t.Errorf("%+v", got)
	}
}

func TestFatal(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, hw.ErrRemoved: true, hw.ErrReset: true, hw.ErrMalformed: true, context.Canceled: true, errors.New("unheard of"): true,
		fmt.Errorf("%w (%w)", ykoath.ErrFull, hw.StatusNoSpace): false, ykoath.ErrExists: false, ykoath.ErrNotSupported: false,
		refuse(api.CodeProofFailed, "", "cannot"): false,
	} {
		if got := fatal(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}

func TestCallers(t *testing.T) {
	for want, c := range map[string]Caller{"oathctl ← zsh (uid 7, pid 8)": {"oathctl ← zsh", 7, 8}, "uid 7, pid 8": {"", 7, 8}} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDeviceIDs(t *testing.T) {
	ids := []string{"a", "b"}
	for id, want := range map[string][]string{"": {"a", "b"}, "a": {"b", "a"}, "c": {"a", "b", "c"}} {
		if got := withDeviceID(ids, id); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", id, got)
		}
	}
	if !maps.Equal(map[string]bool{ids[0]: true, ids[1]: true}, map[string]bool{"a": true, "b": true}) {
		t.Errorf("the list itself changed: %q", ids)
	}
}

// Who comes when all have given up, and the job has seen that, is not told that he gave up himself.
func TestNobodyJoinsAFlightThatWasGivenUp(t *testing.T) {
	var fs flights
	acc := &accountView{oath: oath.Account{Type: oath.TOTP}}
	one, _, first := fs.join(&flight{acc: acc}, "one")
	if two, _, again := fs.join(&flight{acc: acc}, "two"); !first || again || two != one {
		t.Fatal("the second does not share the first one's flight")
	}
	fs.leave(one, "one")
	if !fs.wanted(one) {
		t.Fatal("one still waits")
	}
	fs.leave(one, "two")
	if three, _, first := fs.join(&flight{acc: acc}, "three"); first || three != one {
		t.Fatal("a flight that has not begun can be joined, though all have left")
	}
	fs.leave(one, "three")
	if fs.wanted(one) {
		t.Fatal("nobody waits")
	}
	if four, _, first := fs.join(&flight{acc: acc}, "four"); !first || four == one {
		t.Error("somebody joined a flight that was given up")
	}
	for _, alone := range []*flight{{acc: acc, fresh: true}, {acc: &accountView{oath: oath.Account{Type: oath.HOTP}}}} {
		if _, _, first := fs.join(alone, "five"); !first {
			t.Error("a code that is given once was shared")
		}
	}
}

// A key that has answered does not begin to blink, though the guess was under way.
func TestATouchThatIsOverDoesNotBegin(t *testing.T) {
	a := newBare(t)
	events := a.Events(t.Context())
	w := newWorker(hw.Slot{}, nil)
	defer w.stop()
	touch := a.newTouch(w, api.Event{Key: "k"}, only(Caller{}), func() { t.Error("told") })
	if touch.end() {
		t.Error("it blinked")
	}
	touch.begin()
	touch.changed()
	if len(events) > 0 || len(a.touches.waiting("k")) > 0 {
		t.Errorf("%d events", len(events))
	}
}

// A key that has its turn only after the time of a guess does not begin to blink before, and does when the guess is over.
func TestATouchBeginsAfterTheKeyWasAsked(t *testing.T) {
	a := newBare(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(hw.Slot{}, nil)
		defer w.stop()
		touch := a.newTouch(w, api.Event{Key: "k"}, only(Caller{Name: "who"}), nil)
		defer touch.end()
		blinks := func() bool {
			synctest.Wait()
			return len(a.touches.waiting("k")) > 0
		}
		w.guess.prepare()
		<-time.After(2 * touchGuess)
		if blinks() {
			t.Error("it blinks, though the key was not asked")
		}
		touch.expect(false)
		w.guess.over() // as set for another touch
		<-time.After(touchGuess - 1)
		if blinks() {
			t.Error("it blinks too early")
		}
		<-time.After(1)
		if !blinks() {
			t.Error("it does not blink")
		}
	})
}
