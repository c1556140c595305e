package hwtest_test

import (
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/mgmt"
	"github.com/oathd/oathd/hw/pcsc"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
)

var realKey = flag.Uint("real-key-serial", 0,
	"run the conformance suite on the real key with this serial number, ERASING all its OATH accounts")

// makes are the soft keys under test: every personality, over USB and contactless.
func makes() map[string]softkey.Options {
	all := make(map[string]softkey.Options)
	for i, name := range softkey.Personalities() {
		all[name] = softkey.Options{Personality: name, Serial: uint32(1000 + i)}
	}
	all["yubikey-5.7 over NFC"] = softkey.Options{Personality: "yubikey-5.7", Serial: 2000, Contactless: true}
	all["yubikey-5.4 that hides its serial"] = softkey.Options{Personality: "yubikey-5.4", Serial: 2001, HideSerial: true}
	return all
}

// newKey makes a soft key whose touches a Target's Finger arranges.
func newKey(t *testing.T, o softkey.Options) (*softkey.Key, hwtest.Target) {
	t.Helper()
	o.TouchTimeout = 50 * time.Millisecond
	key, err := softkey.New(o)
	if err != nil {
		t.Fatal(err)
	}
	target := hwtest.Target{
		Transact: func(work func(hw.Card) error) error { return work(key) },
		Soft:     true,
		Serial:   o.Serial,
		Reset: func() {
			key.Power(false)
			key.Power(true)
		},
		Finger: func(touch bool) {
			key.Heal()
			if !touch {
				key.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever, Times: softkey.Always})
			}
		},
	}
	if o.HideSerial {
		target.Serial = 0
	}
	return key, target
}

func TestConformanceInProcess(t *testing.T) {
	for name, options := range makes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, target := newKey(t, options)
			hwtest.Conformance(t, target)
		})
	}
}

func TestConformanceThroughPCSCD(t *testing.T) {
	p := hwtest.StartPCSCD(t, (len(makes())+1)/2)
	p.Use(t)
	bay, slots := watch(t)
	targets, n := make(map[string]hwtest.Target), 0
	var plugging sync.WaitGroup
	for name, options := range makes() {
		key, target := newKey(t, options)
		slot, reader := n, p.Reader(n)
		plugging.Go(func() { p.Plug(key, slot) })
		target.Transact = func(work func(hw.Card) error) error { return bay.Transact(slots.await(t, reader), work) }
		targets[name] = target
		n++
	}
	plugging.Wait()
	t.Run("all", func(t *testing.T) { // ends when the parallel tests have
		for name, target := range targets {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				hwtest.Conformance(t, target)
			})
		}
	})
}

func TestConformanceOfRealKey(t *testing.T) {
	if *realKey == 0 {
		t.Skip("needs a real key that may be ERASED: go test ./hw/hwtest -run RealKey -real-key-serial N")
	}
	bay, slots := watch(t)
	reader, info := slots.bySerial(t, bay, uint32(*realKey))
	if info.Soft {
		t.Fatal("this key is not real")
	}
	hwtest.Conformance(t, hwtest.Target{
		Serial:   uint32(*realKey),
		Transact: onlySerial(uint32(*realKey), func(work func(hw.Card) error) error { return bay.Transact(slots.await(t, reader), work) }),
		Reset:    func() { resetCard(t, reader) },
		Finger: func(touch bool) {
			if touch {
				t.Log("from now on, touch the key whenever it blinks")
			} else {
				t.Log("from now on, do NOT touch the key, though it blinks")
			}
		},
	})
}

// onlySerial wraps a bay's Transact, so that nothing but a SELECT and a reading of the serial number ever
// reaches a key that is not the one meant.
func onlySerial(serial uint32, transact func(work func(hw.Card) error) error) func(work func(hw.Card) error) error {
	return func(work func(hw.Card) error) error {
		return transact(func(card hw.Card) error {
			info, err := mgmt.Read(card)
			if err != nil {
				return err
			}
			if info.Serial != serial || serial == 0 {
				return fmt.Errorf("this is key %d, not %d", info.Serial, serial)
			}
			return work(card)
		})
	}
}

// resetCard resets the card in a reader as another program.
func resetCard(t *testing.T, reader string) {
	t.Helper()
	session, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Release()
	card, err := session.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	if err := card.Disconnect(scard.ResetCard); err != nil {
		t.Fatal(err)
	}
}

// The mark is written down twice, because neither package may import the other.
func TestMarksAgree(t *testing.T) {
	key, err := softkey.New(softkey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := ykoath.Select(key)
	if err != nil {
		t.Fatal(err)
	}
	if !session.Info().Soft {
		t.Error("ykoath does not know the mark of softkey")
	}
}

// watch looks at the keys in pcscd until the test ends.
func watch(t *testing.T) (*pcsc.Bay, *inventory) {
	t.Helper()
	bay := pcsc.New(slog.New(slog.DiscardHandler))
	seen := newInventory()
	ended := make(chan error, 1)
	go func() { ended <- bay.Watch(t.Context(), seen.report) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return bay, seen
}
