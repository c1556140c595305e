package softkey

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
)

// slotOf returns the slot that the key is in.
func slotOf(t *testing.T, b *Bay, k *Key) hw.Slot {
	t.Helper()
	for i, other := range b.Keys() {
		if other == k {
			return b.Inventory().Slots[i]
		}
	}
	t.Fatal("the key is not in the bay")
	return hw.Slot{}
}

// selectIn runs a transaction that selects the OATH applet.
func selectIn(b *Bay, s hw.Slot) error {
	return b.Transact(s, func(card hw.Card) error {
		_, err := card.Transmit(append(append([]byte{0, insSelect, 4, 0, 7}, aidOATH...), 0))
		return err
	})
}

// TestWatch: the whole inventory, at once and after each change, until the context ends.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBay()
		k, other := newKey(t, Options{Serial: 1}), newKey(t, Options{Serial: 2, Contactless: true})
		ctx, cancel := context.WithCancel(t.Context())
		var last hw.Inventory
		reports := 0
		done := make(chan error)
		go func() {
			done <- b.Watch(ctx, func(i hw.Inventory) { last, reports = i, reports+1 })
		}()
		expect := func(what string, n int, slots ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, s := range last.Slots {
				got = append(got, fmt.Sprintf("%s %d", s.Reader, s.Insertion))
			}
			if fmt.Sprint(got) != fmt.Sprint(slots) || reports != n {
				t.Errorf("%s: report %d with %q, want %d with %q", what, reports, got, n, slots)
			}
		}
		const first, second = "oathd soft bay 00", "oathd soft bay 01"
		expect("empty", 1)
		b.Insert(k)
		expect("inserted", 2, first+" 1")
		b.Insert(k)
		expect("inserted again", 2, first+" 1")
		b.Insert(other)
		expect("another", 3, first+" 1", second+" 1")
		if !last.Slots[1].Contactless() || last.Slots[0].Contactless() {
			t.Error("the wrong one is contactless")
		}
		b.Remove(k)
		expect("removed", 4, second+" 1")
		b.Remove(k)
		expect("removed again", 4, second+" 1")
		b.Insert(k)
		expect("back", 5, first+" 2", second+" 1")
		b.SetTrouble(fmt.Errorf("pcscd is gone: %w", hw.ErrUnavailable))
		expect("trouble", 6)
		if !errors.Is(last.Trouble, hw.ErrUnavailable) || last.Readers != 0 {
			t.Errorf("trouble %v with %d readers", last.Trouble, last.Readers)
		}
		b.SetTrouble(nil)
		expect("no trouble", 7, first+" 2", second+" 1")
		if last.Readers != 2 {
			t.Errorf("%d readers", last.Readers)
		}
		time.Sleep(time.Hour)
		expect("an hour later", 7, first+" 2", second+" 1")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
}

// TestWatchIsLevelTriggered: changes that come during a report are reported together, none is lost.
func TestWatchIsLevelTriggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBay()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var counts []int
		go func() {
			_ = b.Watch(ctx, func(i hw.Inventory) {
				counts = append(counts, len(i.Slots))
				time.Sleep(time.Second)
			})
		}()
		synctest.Wait()
		for range 5 {
			b.Insert(newKey(t, Options{}))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if fmt.Sprint(counts) != "[0 5]" {
			t.Errorf("reports with %v keys", counts)
		}
	})
}

func TestTransact(t *testing.T) {
	b, k := NewBay(), newKey(t, Options{Serial: 1})
	b.Insert(k)
	s := slotOf(t, b, k)
	if err := selectIn(b, s); err != nil {
		t.Fatal(err)
	}
	own := errors.New("work's own error")
	if err := b.Transact(s, func(hw.Card) error { return own }); err != own {
		t.Errorf("error %v", err)
	}
	if err := selectIn(b, hw.Slot{Reader: "elsewhere"}); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("a reader that is not there: %v", err)
	}
	release := b.Hold(k)
	if err := selectIn(b, s); !errors.Is(err, hw.ErrHeld) {
		t.Errorf("held: %v", err)
	}
	release()
	if err := selectIn(b, s); err != nil {
		t.Errorf("released: %v", err)
	}
	b.SetTrouble(hw.ErrUnavailable)
	if err := selectIn(b, s); !errors.Is(err, hw.ErrUnavailable) {
		t.Errorf("trouble: %v", err)
	}
	b.SetTrouble(nil)
	b.Remove(k)
	b.Insert(k)
	if err := selectIn(b, s); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("the insertion before this one: %v", err)
	}
}

// TestTransactionsTakeTurns on one key, and run at the same time on two.
func TestTransactionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBay()
		keys := []*Key{newKey(t, Options{}), newKey(t, Options{})}
		for _, k := range keys {
			b.Insert(k)
		}
		started := time.Now()
		done := make(chan time.Duration)
		for _, k := range keys {
			for range 3 {
				go func() {
					_ = b.Transact(slotOf(t, b, k), func(hw.Card) error {
						time.Sleep(time.Second)
						return nil
					})
					done <- time.Since(started)
				}()
			}
		}
		var ends []time.Duration
		for range 6 {
			ends = append(ends, <-done)
		}
		if fmt.Sprint(ends) != "[1s 1s 2s 2s 3s 3s]" {
			t.Errorf("they ended at %v", ends)
		}
	})
}

// TestEndOfTransaction: what happens to a transaction when something happens to the key.
func TestEndOfTransaction(t *testing.T) {
	tests := []struct {
		name    string
		happens func(*Bay, *Key)
		want    error
		present bool
	}{
		{"removed", (*Bay).Remove, hw.ErrRemoved, false},
		{"removed and put back", func(b *Bay, k *Key) { b.Remove(k); b.Insert(k) }, hw.ErrRemoved, true},
		{"reset by another program", (*Bay).Reset, hw.ErrReset, true},
		{"a fault pulls it", func(_ *Bay, k *Key) { k.Fail(Fault{Kind: FaultPulled}) }, hw.ErrRemoved, false},
		{"a fault kills it", func(_ *Bay, k *Key) { k.Fail(Fault{Kind: FaultDies}) }, hw.ErrRemoved, false},
		{"a fault resets it", func(_ *Bay, k *Key) { k.Fail(Fault{Kind: FaultReset}) }, hw.ErrReset, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, k := NewBay(), newKey(t, Options{})
			b.Insert(k)
			s := slotOf(t, b, k)
			err := b.Transact(s, func(card hw.Card) error {
				tt.happens(b, k)
				_, first := card.Transmit(unhex("00a1000000"))
				if _, again := card.Transmit(unhex("00a1000000")); !errors.Is(again, first) {
					t.Errorf("the transaction goes on: %v after %v", again, first)
				}
				return first
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if present := len(b.Inventory().Slots) == 1; present != tt.present {
				t.Fatalf("the key is there: %v", present)
			}
			if tt.want == hw.ErrReset {
				if err := selectIn(b, s); err != nil {
					t.Errorf("a new transaction after a reset: %v", err)
				}
			}
		})
	}
}

// TestRemovedDuringTouch: the transaction ends at once, and so does one that waits for its turn.
func TestRemovedDuringTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchManual})
		b := NewBay()
		b.Insert(k)
		s := slotOf(t, b, k)
		done := make(chan error, 2)
		for range 2 {
			go func() {
				done <- b.Transact(s, func(card hw.Card) error {
					c := client{TB: t, card: card}
					c.selectOATH()
					_, err := card.Transmit(unhex("00a200010d7101707408000000000000000000"))
					return err
				})
			}()
		}
		synctest.Wait()
		started := time.Now()
		b.Remove(k)
		for range 2 {
			if err := <-done; !errors.Is(err, hw.ErrRemoved) {
				t.Errorf("error %v", err)
			}
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestSelectElsewhere: what another program selects between two transactions stays selected.
func TestSelectElsewhere(t *testing.T) {
	b, k := NewBay(), newKey(t, Options{Personality: "yubikey-5.4"})
	b.Insert(k)
	s := slotOf(t, b, k)
	if err := selectIn(b, s); err != nil {
		t.Fatal(err)
	}
	k.SelectElsewhere(aidManagement)
	_ = b.Transact(s, func(card hw.Card) error {
		c := client{TB: t, card: card, le: true}
		c.want(c.send(insList, 0, 0), hw.StatusInsUnknown)
		c.ok(c.selectOATH())
		c.ok(c.send(insList, 0, 0))
		return nil
	})
}

// TestSwap: another key in the same reader is another insertion.
func TestSwap(t *testing.T) {
	b, k, other := NewBay(), newKey(t, Options{Serial: 1}), newKey(t, Options{Serial: 2})
	b.Insert(k)
	s := slotOf(t, b, k)
	b.Remove(k)
	b.Insert(other)
	if got := slotOf(t, b, other); got.Reader != s.Reader || got.Same(s) {
		t.Errorf("slot %+v after %+v", got, s)
	}
	if err := selectIn(b, s); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("the old slot reaches the new key: %v", err)
	}
}
