package piv

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/oath"
)

// The dynamic authentication template (part 2, table 7).
const (
	algP256           = 0x11 // SP 800-78-4, table 6-2
	tagTemplate       = 0x7c
	tagResponse       = 0x82
	tagExponentiation = 0x85

	pointLen  = 65
	sharedLen = 32
)

// Target says which escrow slot is meant.
type Target struct {
	// Point is its public key, 65 bytes; a slot with another key is not the one.
	Point []byte
	// Slot is where it was last; 0 if that is not known. The others are looked through if it is not there.
	Slot byte
}

// Key is an escrow slot while Use runs.
type Key struct {
	// Slot is what its certificate says of it.
	Slot Slot
	// OnTouch, if set, is called when a command is about to be sent for which the key waits for a touch.
	OnTouch func()

	session *Session
	pin     *oath.Secret
	checked bool // that a wrong PIN would not block it
}

// Use lets work decrypt with an escrow slot, inside one transaction. The PIN is asked of the key only when work
// asks for a secret, and as often as the slot's policy wants; it stays the caller's. If it was sent, another
// application is selected before Use returns, whatever work did.
//
// The error is work's own, joined with ErrStillVerified if the PIN stays open. Before work runs it wraps ErrNoApplet,
// ErrNoSlot, or ErrForeignSlot if the named slot now has another key and no slot has this one; or it is the card's.
func Use(card hw.Card, target Target, pin *oath.Secret, work func(*Key) error) error {
	s, err := Select(card)
	if err != nil {
		return err
	}
	slot, err := s.find(target)
	if err != nil {
		return err
	}
	err = work(&Key{Slot: slot, session: s, pin: pin})
	return errors.Join(err, s.leave())
}

// find returns the target's slot.
func (s *Session) find(t Target) (Slot, error) {
	var missing error = ErrNoSlot
	if t.Slot != 0 {
		slot, err := s.Slot(t.Slot)
		switch {
		case err == nil && bytes.Equal(slot.Point, t.Point):
			return slot, nil
		case err == nil:
			missing = fmt.Errorf("%w: slot %02x has another key", ErrForeignSlot, t.Slot)
		case errors.Is(err, ErrForeignSlot):
			missing = err
		case !errors.Is(err, ErrNoSlot):
			return Slot{}, err
		}
	}
	slots, err := s.Slots()
	if err != nil {
		return Slot{}, err
	}
	for _, slot := range slots {
		if bytes.Equal(slot.Point, t.Point) {
			return slot, nil
		}
	}
	return Slot{}, hw.WithHint(fmt.Errorf("cannot find the escrow slot: %w", missing),
		"it may have been erased (ykman piv reset); open the vault with another key or the recovery key")
}

// SharedSecret returns the x coordinate, 32 bytes, of the slot's private key times a point of P-256 (65 bytes,
// uncompressed). It belongs to the caller, who wipes it. It may block for as long as the key waits for a touch, 15
// seconds or so, and cannot be cancelled.
//
// Errors: a *PINError with the tries left, ErrPINForm, ErrTouchTimeout, ErrRejected; the card's.
func (k *Key) SharedSecret(point []byte) ([]byte, error) {
	shared, err := k.agree(point)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt with slot %02x: %w", k.Slot.ID, err)
	}
	return shared, nil
}

func (k *Key) agree(point []byte) ([]byte, error) {
	if len(point) != pointLen {
		return nil, fmt.Errorf("%d bytes are no point of P-256", len(point))
	}
	if err := k.verify(); err != nil {
		return nil, err
	}
	if k.OnTouch != nil && k.Slot.Touch != TouchNever {
		k.OnTouch()
	}
	// An empty 82 says where the answer is wanted (3.2.4).
	request := tlv.Append(tlv.Append(nil, tagResponse), tagExponentiation, point...)
	answer, err := k.session.ask(insAuthenticate, algP256<<8|uint16(k.Slot.ID), tlv.Append(nil, tagTemplate, request...)...)
	if err != nil {
		return nil, k.refusal(err)
	}
	defer oath.Wipe(answer)
	return sharedIn(answer)
}

// verify gives the key the PIN, unless the slot wants none.
func (k *Key) verify() error {
	if k.Slot.PIN == PINNever {
		return nil
	}
	if err := CheckPIN(k.pin); err != nil {
		return err
	}
	if !k.checked {
		if err := k.session.spare(); err != nil {
			return err
		}
	}
	if err := k.session.verify(k.pin); err != nil {
		return err
	}
	k.checked = true // a PIN that was right gives all tries back
	return nil
}

// refusal says what a status word means after the PIN was verified: 6982 can then only be the touch
// (smallstep/crypto pull request 1076; yubico-piv-tool issue 185).
func (k *Key) refusal(err error) error {
	if errors.Is(err, hw.StatusAuthRequired) && k.Slot.Touch != TouchNever {
		return hw.WithHint(meaning(err, ErrTouchTimeout), "try again, and touch the key while it blinks")
	}
	return meaning(err, ErrRejected)
}

// sharedIn returns a copy of the secret in an answer.
func sharedIn(answer []byte) ([]byte, error) {
	template, err := element(answer, tagTemplate)
	if err != nil {
		return nil, err
	}
	shared, err := element(template, tagResponse)
	if err != nil {
		return nil, err
	}
	if len(shared) != sharedLen {
		return nil, fmt.Errorf("%w: a shared secret of %d bytes", hw.ErrMalformed, len(shared))
	}
	return bytes.Clone(shared), nil
}
