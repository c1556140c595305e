package pcsc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/pcsc"
)

func TestPlugAndUnplug(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	e := watch(t)
	if first := e.until(t, "readers", func(hw.Inventory) bool { return true }); first.Readers != 2 || len(first.Slots) != 0 {
		t.Fatalf("at first: %+v", first)
	}
	unplug := p.Plug(&echo{}, 1)
	first := e.untilSlots(t, 1)[0]
	if first.Reader != p.Reader(1) || !bytes.Equal(first.ATR, usbATR) {
		t.Errorf("slot %+v", first)
	}
	mustPing(t, e, first)
	unplug()
	e.untilSlots(t, 0)
	if err := e.ping(first); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("a transaction with an empty slot: %v", err)
	}
	second := &echo{}
	p.Plug(second, 1)
	again := e.untilSlots(t, 1)[0]
	if again.Same(first) {
		t.Error("two insertions look the same")
	}
	if err := e.ping(first); !errors.Is(err, hw.ErrRemoved) || second.commands.Load() != 0 {
		t.Errorf("a transaction with the key that was there before: %v, %d commands", err, second.commands.Load())
	}
	err := e.Transact(first, func(card hw.Card) error {
		_, err := card.Transmit([]byte{0, 0xa4, 4, 0}) // SELECT goes to whatever is there
		return err
	})
	if !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("a SELECT for the key that was there before: %v", err)
	}
	mustPing(t, e, again)
}

func TestRemovedInTheMiddle(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	e := watch(t)
	unplug := p.Plug(&echo{answer: func([]byte) ([]byte, error) { return nil, hw.ErrRemoved }}, 0)
	slot := e.untilSlots(t, 1)[0]
	err := e.Transact(slot, func(card hw.Card) error {
		_, err := card.Transmit([]byte{0, 1, 2, 3})
		if !errors.Is(err, hw.ErrRemoved) {
			t.Errorf("Transmit: %v", err)
		}
		_, err = card.Transmit([]byte{0, 1, 2, 3})
		return err
	})
	if !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("the second Transmit: %v", err)
	}
	unplug()
	e.untilSlots(t, 0)
	p.Plug(&echo{}, 0)
	mustPing(t, e, e.untilSlots(t, 1)[0])
}

func TestWorkErrorsComeBack(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	e := watch(t)
	p.Plug(&echo{answer: func(c []byte) ([]byte, error) { return make([]byte, int(c[1])<<8|int(c[2])), nil }}, 0)
	slot := e.untilSlots(t, 1)[0]
	own := errors.New("of the work")
	if err := e.Transact(slot, func(hw.Card) error { return own }); err != own {
		t.Errorf("got %v", err)
	}
	err := e.Transact(slot, func(card hw.Card) error {
		if _, err := card.Transmit(nil); err == nil {
			t.Error("an empty command was sent")
		}
		for _, size := range []int{2, 258, 2600} {
			answer, err := card.Transmit([]byte{0, byte(size >> 8), byte(size), 0})
			if err != nil || len(answer) != size || cap(answer) > 2*size+16 {
				t.Errorf("%d bytes: got %d of %d, %v", size, len(answer), cap(answer), err)
			}
		}
		return nil
	})
	check(t, err)
	func() {
		defer func() { _ = recover() }()
		_ = e.Transact(slot, func(hw.Card) error { panic("in the middle") })
	}()
	check(t, e.Transact(slot, func(hw.Card) error { return nil }))
}

func TestNeighbours(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	e := watch(t)
	p.Plug(&echo{}, 0)
	slot := e.untilSlots(t, 1)[0]

	t.Run("a shared one keeps what it verified", func(t *testing.T) {
		other := neighbour(t, slot.Reader, scard.ShareShared)
		mustPing(t, e, slot)
		if _, err := other.Transmit([]byte{0, 1, 2, 3}); err != nil {
			t.Errorf("after our transaction: %v", err)
		}
		check(t, other.Disconnect(scard.LeaveCard))
	})
	t.Run("one that resets the card", func(t *testing.T) {
		other := neighbour(t, slot.Reader, scard.ShareShared)
		check(t, other.Disconnect(scard.ResetCard))
		mustPing(t, e, slot)
	})
	t.Run("one that resets the card while we wait", func(t *testing.T) {
		other := neighbour(t, slot.Reader, scard.ShareShared)
		check(t, other.BeginTransaction())
		done := make(chan error, 1)
		go func() { done <- e.ping(slot) }()
		select {
		case err := <-done:
			t.Fatalf("a transaction within another's: %v", err)
		case <-time.After(200 * time.Millisecond): // ours is waiting now, or will be
		}
		check(t, other.EndTransaction(scard.ResetCard))
		check(t, <-done)
		_ = other.Disconnect(scard.LeaveCard)
	})
	t.Run("one that holds the card", func(t *testing.T) {
		other := neighbour(t, slot.Reader, scard.ShareExclusive)
		began := time.Now()
		err := e.ping(slot)
		if !errors.Is(err, hw.ErrHeld) || hw.Hint(err) == "" {
			t.Errorf("got %v, hint %q", err, hw.Hint(err))
		}
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("it took %v to say so", waited)
		}
		check(t, other.Disconnect(scard.LeaveCard))
		mustPing(t, e, slot)
	})
	t.Run("one that holds the card briefly", func(t *testing.T) {
		other := neighbour(t, slot.Reader, scard.ShareExclusive)
		done := make(chan error, 1)
		go func() { done <- e.ping(slot) }()
		<-time.After(300 * time.Millisecond)
		check(t, other.Disconnect(scard.LeaveCard))
		check(t, <-done)
	})
	select {
	case inventory := <-e.inventories:
		t.Errorf("all this looked like a change: %+v", inventory)
	default:
	}
}

// While another program is inside a transaction with one key, the others and the monitor go on.
func TestOneBlockedKeyBlocksNoOther(t *testing.T) {
	p := hwtest.StartPCSCD(t, 2)
	p.Use(t)
	e := watch(t)
	p.Plug(&echo{}, 0)
	p.Plug(&echo{}, 2)
	slots := e.untilSlots(t, 2)
	other := neighbour(t, slots[0].Reader, scard.ShareShared)
	check(t, other.BeginTransaction())
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- e.ping(slots[0]) }()
	}
	for range 20 {
		mustPing(t, e, slots[1])
	}
	p.Plug(&echo{}, 3)
	e.untilSlots(t, 3)
	select {
	case err := <-done:
		t.Fatalf("a transaction within another's: %v", err)
	default:
	}
	check(t, other.EndTransaction(scard.LeaveCard))
	check(t, <-done)
	check(t, <-done)
}

func TestPCSCDComesAndGoes(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	p.Stop()
	e := watch(t)
	if err := e.untilTrouble(t); !errors.Is(err, hw.ErrUnavailable) || hw.Hint(err) == "" {
		t.Errorf("absent at start: %v, hint %q", err, hw.Hint(err))
	}
	p.Start()
	e.untilSlots(t, 0)
	p.Plug(&echo{}, 0)
	slot := e.untilSlots(t, 1)[0]
	mustPing(t, e, slot)
	for name, end := range map[string]func(){"stopped": p.Stop, "killed": p.Kill} {
		end()
		if err := e.untilTrouble(t); !errors.Is(err, hw.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if err := e.ping(slot); !errors.Is(err, hw.ErrUnavailable) {
			t.Errorf("%s: a transaction: %v", name, err)
		}
		p.Start()
		before := slot
		slot = e.untilSlots(t, 1)[0]
		if slot.Same(before) {
			t.Errorf("%s: two insertions look the same", name)
		}
		mustPing(t, e, slot)
	}
}

func TestPCSCDStoppedInTheMiddle(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	e := watch(t)
	p.Plug(&echo{}, 0)
	slot := e.untilSlots(t, 1)[0]
	err := e.Transact(slot, func(card hw.Card) error {
		p.Kill()
		_, err := card.Transmit([]byte{0, 1, 2, 3})
		return err
	})
	if !errors.Is(err, hw.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	p.Start()
	mustPing(t, e, e.untilSlots(t, 1)[0])
}

// The directory of the socket may be missing too, as it is before pcscd was ever started.
func TestSocketDirectoryAppears(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	dir := filepath.Dir(hwtest.UseLink())
	check(t, os.RemoveAll(dir))
	e := watch(t)
	e.untilTrouble(t)
	check(t, os.Mkdir(dir, 0o755))
	check(t, os.Symlink(filepath.Dir(p.Socket()), hwtest.UseLink()))
	e.untilSlots(t, 0)
}

// A pcscd that asks polkit answers the first message of a session that is not active with
// SCARD_W_SECURITY_VIOLATION. Debian 12's does not ask, so this test answers in its stead.
func TestRefused(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	dir := t.TempDir()
	check(t, os.Remove(hwtest.UseLink()))
	check(t, os.Symlink(dir, hwtest.UseLink()))
	socket := filepath.Join(dir, filepath.Base(p.Socket()))
	listener, err := net.Listen("unix", socket)
	check(t, err)
	var refusals sync.WaitGroup
	refusals.Go(func() { refuse(listener) })
	e := watch(t)
	if err := e.untilTrouble(t); !errors.Is(err, hw.ErrRefused) || hw.Hint(err) == "" {
		t.Errorf("got %v, hint %q", err, hw.Hint(err))
	}
	listener.Close()
	refusals.Wait()
	check(t, os.Symlink(p.Socket(), socket))
	e.untilSlots(t, 0)
}

func TestSixteenReaders(t *testing.T) {
	p := hwtest.StartPCSCD(t, hwtest.MaxEntries)
	p.Use(t)
	e := watch(t)
	const keys = 10
	var plugging sync.WaitGroup
	for slot := range keys {
		plugging.Go(func() { p.Plug(&echo{}, slot) })
	}
	plugging.Wait()
	slots := e.untilSlots(t, keys)
	var pings sync.WaitGroup
	for _, slot := range slots {
		pings.Go(func() {
			for range 20 {
				if err := e.ping(slot); err != nil {
					t.Errorf("%s: %v", slot.Reader, err)
				}
			}
		})
	}
	pings.Wait()
	if threads := threadCount(t); threads > 40 {
		t.Errorf("%d threads", threads)
	}
}

// Nothing is polled: while nothing changes, not a byte goes to pcscd, and the kernel has next to nothing to do.
func TestQuiet(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	sent := eavesdrop(t, p.Socket())
	e := watch(t)
	unplug := p.Plug(&echo{}, 0)
	mustPing(t, e, e.untilSlots(t, 1)[0])
	unplug() // pcscd asks the key twice a second whether it is there, which this process answers
	e.untilSlots(t, 0)
	<-time.After(2500 * time.Millisecond) // the last look comes two seconds after the change
	if sent.Load() == 0 {
		t.Fatal("nothing was overheard")
	}
	sent.Store(0)
	before := switches(t)
	<-time.After(2 * time.Second)
	if n := sent.Load(); n != 0 {
		t.Errorf("%d bytes sent to pcscd in two seconds of quiet", n)
	}
	// The Go runtime makes up to 50, more with the race detector; a storm is thousands.
	if n := switches(t) - before; n > 400 {
		t.Errorf("%d context switches in two seconds of quiet", n)
	}
}

func TestWatchEnds(t *testing.T) {
	p := hwtest.StartPCSCD(t, 1)
	p.Use(t)
	for range 20 {
		goroutines := runtime.NumGoroutine()
		e := watch(t)
		e.untilSlots(t, 0)
		if err := pcsc.New(slog.Default()).Watch(context.Background(), nil); err == nil {
			t.Error("two watches run at once")
		}
		check(t, e.stop())
		for began := time.Now(); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
			if time.Since(began) > patience {
				t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), goroutines)
			}
		}
	}
	p.Stop()
	e := watch(t)
	e.untilTrouble(t)
	check(t, e.stop())
}

// BenchmarkTransact is the least that a code costs: connect, SELECT, CALCULATE, disconnect.
func BenchmarkTransact(b *testing.B) {
	p := hwtest.StartPCSCD(b, 1)
	p.Use(b)
	e := watch(b)
	p.Plug(&echo{}, 0)
	slot := e.untilSlots(b, 1)[0]
	for b.Loop() {
		check(b, e.Transact(slot, func(card hw.Card) error {
			_, err := card.Transmit([]byte{0, 0xa4, 4, 0})
			if err == nil {
				_, err = card.Transmit([]byte{0, 0xa2, 0, 0})
			}
			return err
		}))
	}
}
