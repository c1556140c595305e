package piv_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
)

func TestUse(t *testing.T) {
	for _, personality := range withSlots {
		for _, contactless := range []bool{false, true} {
			t.Run(fmt.Sprint(personality, contactless), func(t *testing.T) {
				k, slot := newEscrow(t, softkey.Options{Personality: personality, Contactless: contactless})
				blinked := 0
				err := piv.Use(k, target(slot), pin(t), func(key *piv.Key) error {
					key.OnTouch = func() { blinked++ }
					return errors.Join(agree(t, key), agree(t, key)) // policy "always": PIN and touch twice
				})
				if err != nil || blinked != 2 {
					t.Errorf("%v, and %d touches", err, blinked)
				}
				wantClosed(t, k, 3)
			})
		}
	}
}

// TestUseCounts: what goes over the wire for one decryption, and not one command more.
func TestUseCounts(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	if err := decrypt(t, k, target(slot), pin(t)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range k.APDUs() {
		got = append(got, fmt.Sprintf("%02x", a.INS))
	}
	want := []string{
		"a4",       // SELECT
		"cb", "c0", // the certificate, in two parts
		"20", "20", // how many tries are left, and the PIN
		"87", // the key agreement
		"a4", // something else, so that the PIN is forgotten
	}
	if !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

// TestUseWithoutNeed: where nothing is to be decrypted, no PIN is sent, and nobody loses one.
func TestUseWithoutNeed(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	if err := piv.Use(k, target(slot), pin(t), func(*piv.Key) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := len(k.APDUs()); n != 3 {
		t.Errorf("%d commands: %v", n, k.APDUs())
	}
}

func TestUseFinds(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	other := hwtest.EscrowSlot(t, k, 0x90)
	hwtest.EscrowSlot(t, k, 0x91, "somebody else")
	tests := []struct {
		name   string
		target piv.Target
		want   error
	}{
		{"where it was", target(slot), nil},
		{"without a hint", piv.Target{Point: other.Point}, nil},
		{"moved from another escrow's slot", piv.Target{Slot: escrowID, Point: other.Point}, nil},
		{"moved from an empty slot", piv.Target{Slot: 0x95, Point: other.Point}, nil},
		{"moved from a foreign slot", piv.Target{Slot: 0x91, Point: other.Point}, nil},
		{"another key in the slot", piv.Target{Slot: escrowID, Point: make([]byte, 65)}, piv.ErrForeignSlot},
		{"a foreign certificate", piv.Target{Slot: 0x91, Point: make([]byte, 65)}, piv.ErrForeignSlot},
		{"an empty slot", piv.Target{Slot: 0x95, Point: make([]byte, 65)}, piv.ErrNoSlot},
		{"nowhere", piv.Target{Point: make([]byte, 65)}, piv.ErrNoSlot},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := decrypt(t, k, tt.target, pin(t))
			wantError(t, err, tt.want)
			if tt.want != nil && hw.Hint(err) == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestNoApplet(t *testing.T) {
	for _, personality := range []string{"nitrokey-3", "canokey", "pico-fido"} {
		k := newKey(t, softkey.Options{Personality: personality})
		wantError(t, decrypt(t, k, piv.Target{}, pin(t)), piv.ErrNoApplet)
		_, err := piv.Look(k)
		wantError(t, err, piv.ErrNoApplet)
	}
}

func TestNEOHasNoSlot(t *testing.T) {
	k := newKey(t, softkey.Options{Personality: "neo"})
	wantError(t, decrypt(t, k, piv.Target{Slot: 0x82, Point: make([]byte, 65)}, pin(t)), piv.ErrNoSlot)
}

func TestWrongPIN(t *testing.T) {
	for _, personality := range withSlots {
		t.Run(personality, func(t *testing.T) {
			k, slot := newEscrow(t, softkey.Options{Personality: personality})
			wrong := secret(t, "000000")
			wantPINError(t, decrypt(t, k, target(slot), wrong), piv.ErrWrongPIN, 2)
			wantPINError(t, decrypt(t, k, target(slot), wrong), piv.ErrWrongPIN, 1)
			// The last try is not used up, not even by the right PIN: nobody knows that it is right.
			wantPINError(t, decrypt(t, k, target(slot), wrong), piv.ErrLastTry, 1)
			wantPINError(t, decrypt(t, k, target(slot), pin(t)), piv.ErrLastTry, 1)
			wantClosed(t, k, 1)
			wrongPINs(t, k, 1)
			err := decrypt(t, k, target(slot), pin(t))
			wantPINError(t, err, piv.ErrPINBlocked, 0)
			if hw.Hint(err) == "" {
				t.Error("no hint how to unblock it")
			}
		})
	}
}

// TestRightPINGivesTriesBack: a wrong PIN in between costs nothing.
func TestRightPINGivesTriesBack(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	wrongPINs(t, k, 1)
	if err := decrypt(t, k, target(slot), pin(t)); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, k, 3)
}

// TestPINForm: what cannot be a PIN costs no try.
func TestPINForm(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	for _, text := range []string{"", "12345", "123456789"} {
		wantError(t, decrypt(t, k, target(slot), secret(t, text)), piv.ErrPINForm)
	}
	wantClosed(t, k, 3)
}

// TestVerifiedBefore: another program has left the PIN verified, so the key does not tell the tries.
func TestVerifiedBefore(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	link := hw.Link{Card: k, MoreINS: 0xc0}
	for _, c := range []hw.Command{hw.SelectCommand(piv.AID), {INS: 0x20, P2: 0x80, Data: []byte("123456\xff\xff")}} {
		if _, err := link.Exchange(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := decrypt(t, k, target(slot), pin(t)); err != nil {
		t.Error(err)
	}
	wantClosed(t, k, 3)
}

func TestTouchNeverComes(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{Touch: softkey.TouchInstant})
	k.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever})
	err := decrypt(t, k, target(slot), pin(t))
	wantError(t, err, piv.ErrTouchTimeout)
	wantError(t, err, hw.StatusAuthRequired)
	if hw.Hint(err) == "" {
		t.Error("no hint")
	}
	wantClosed(t, k, 3)
}

// TestEveryAPDU: whatever happens at whichever command, it is told for what it is, no try is lost, and the PIN
// does not stay open.
func TestEveryAPDU(t *testing.T) {
	kinds := map[string]struct {
		fault softkey.Fault
		want  error
	}{
		"pulled": {softkey.Fault{Kind: softkey.FaultPulled}, hw.ErrRemoved},
		"dies":   {softkey.Fault{Kind: softkey.FaultDies}, hw.ErrRemoved},
		"reset":  {softkey.Fault{Kind: softkey.FaultReset}, hw.ErrReset},
		"status": {softkey.Fault{Kind: softkey.FaultStatus, Status: 0x6f00}, hw.Status(0x6f00)},
		"short":  {softkey.Fault{Kind: softkey.FaultAnswer, Answer: func(b []byte) []byte { return b[:1] }}, hw.ErrMalformed},
	}
	const commands = 7 // TestUseCounts
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			for n := range commands {
				k, slot := newEscrow(t, softkey.Options{})
				kind.fault.After = n
				k.Fail(kind.fault)
				err := decrypt(t, k, target(slot), pin(t))
				switch {
				case n < commands-1:
					wantError(t, err, kind.want)
				case name == "short":
					wantError(t, err, piv.ErrStillVerified)
				case err != nil: // the last command only has the PIN forgotten
					t.Errorf("at the last command: %v", err)
				}
				k.Heal()
				k.Power(true)
				wantClosed(t, k, 3)
				if err := decrypt(t, k, target(slot), pin(t)); err != nil {
					t.Errorf("after a fault at command %d: %v", n, err)
				}
			}
		})
	}
}

// prude is a card that refuses to select some applications.
type prude struct {
	hw.Card
	refuses func(aid []byte) bool
}

func (p prude) Transmit(apdu []byte) ([]byte, error) {
	if apdu[1] == 0xa4 && p.refuses(apdu[5:]) {
		return []byte{0x6a, 0x82}, nil
	}
	return p.Card.Transmit(apdu)
}

// TestLeaves: where one application is disabled, another one makes the key forget the PIN; where all are, that is said.
func TestLeaves(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	withoutOATH := prude{k, func(aid []byte) bool { return bytes.HasPrefix(aid, []byte{0xa0, 0, 0, 5, 0x27, 0x21}) }}
	if err := decrypt(t, withoutOATH, target(slot), pin(t)); err != nil {
		t.Error(err)
	}
	wantClosed(t, k, 3)
	pivOnly := prude{k, func(aid []byte) bool { return !bytes.HasPrefix(aid, piv.AID) }}
	err := decrypt(t, pivOnly, target(slot), pin(t))
	wantError(t, err, piv.ErrStillVerified)
	if hw.Hint(err) == "" {
		t.Error("no hint")
	}
}

func TestSharedSecretRefuses(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	err := piv.Use(k, target(slot), pin(t), func(key *piv.Key) error {
		if _, err := key.SharedSecret(slot.Point[:33]); err == nil {
			t.Error("33 bytes were taken for a point")
		}
		_, err := key.SharedSecret(make([]byte, 65)) // on no curve
		return err
	})
	wantError(t, err, piv.ErrRejected)
	wantClosed(t, k, 3)
}

// TestOldStatus: firmware before 1.0.4 tells the tries as 63XX.
func TestOldStatus(t *testing.T) {
	k, slot := newEscrow(t, softkey.Options{})
	k.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0x20, Status: 0x6301})
	wantPINError(t, decrypt(t, k, target(slot), pin(t)), piv.ErrLastTry, 1)
	k.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0x20, Status: 0x6300})
	wantPINError(t, decrypt(t, k, target(slot), pin(t)), piv.ErrPINBlocked, 0)
}
