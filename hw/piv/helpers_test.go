package piv_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/oath"
)

// escrowID is the slot that most tests use.
const escrowID = 0x83

// withSlots are the personalities that have retired slots.
var withSlots = []string{"yubikey-5.7", "yubikey-5.4", "yubikey-4.3"}

func newKey(t *testing.T, o softkey.Options) *softkey.Key {
	t.Helper()
	if o.TouchTimeout == 0 {
		o.TouchTimeout = 20 * time.Millisecond
	}
	k, err := softkey.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newEscrow makes a key with an escrow slot, freshly plugged in.
func newEscrow(t *testing.T, o softkey.Options) (*softkey.Key, piv.Slot) {
	t.Helper()
	k := newKey(t, o)
	slot := hwtest.EscrowSlot(t, k, escrowID)
	k.Power(true)
	k.ForgetAPDUs()
	return k, slot
}

func secret(t *testing.T, text string) *oath.Secret {
	t.Helper()
	s := oath.CopySecret([]byte(text))
	t.Cleanup(s.Wipe)
	return s
}

func pin(t *testing.T) *oath.Secret { return secret(t, hwtest.FactoryPIN) }

func target(s piv.Slot) piv.Target { return piv.Target{Slot: s.ID, Point: s.Point} }

// decrypt does one key agreement with the slot, and compares it with our own arithmetic.
func decrypt(t *testing.T, card hw.Card, want piv.Target, pin *oath.Secret) error {
	t.Helper()
	return piv.Use(card, want, pin, func(k *piv.Key) error { return agree(t, k) })
}

func agree(t *testing.T, k *piv.Key) error {
	t.Helper()
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.SharedSecret(ephemeral.PublicKey().Bytes())
	if err != nil {
		return err
	}
	public, err := ecdh.P256().NewPublicKey(k.Slot.Point)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ephemeral.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the shared secret is %x, want %x", got, want)
	}
	return nil
}

// wantError checks that err wraps want.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// wantPINError checks for a PINError with the tries left.
func wantPINError(t *testing.T, err, reason error, tries int) {
	t.Helper()
	wantError(t, err, reason)
	if p, ok := errors.AsType[*piv.PINError](err); !ok || p.Tries != tries {
		t.Errorf("got %v, want %d tries left", err, tries)
	}
}

// wantClosed checks that the key takes no PIN as entered, and how many tries are left.
func wantClosed(t *testing.T, card hw.Card, tries hw.Status) {
	t.Helper()
	link := hw.Link{Card: card, MoreINS: 0xc0}
	if _, err := link.Exchange(hw.SelectCommand(piv.AID)); err != nil {
		t.Fatal(err)
	}
	if _, err := link.Exchange(hw.Command{INS: 0x20, P2: 0x80}); !errors.Is(err, 0x63c0|tries) {
		t.Errorf("an empty VERIFY answers %v, want %v", err, 0x63c0|tries)
	}
}

// wrongPINs uses up that many tries.
func wrongPINs(t *testing.T, card hw.Card, n int) {
	t.Helper()
	link := hw.Link{Card: card, MoreINS: 0xc0}
	if _, err := link.Exchange(hw.SelectCommand(piv.AID)); err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := link.Exchange(hw.Command{INS: 0x20, P2: 0x80, Data: []byte("00000000")}); err == nil {
			t.Fatal("a wrong PIN was taken")
		}
	}
}
