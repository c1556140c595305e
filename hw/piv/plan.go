package piv

import (
	"fmt"

	"github.com/oathd/oathd/hw"
)

// Plan is what setting up an escrow slot will do.
type Plan struct {
	// Reuse is the slot that is there already, so that nothing is written; nil if one will be made.
	Reuse *Slot
	// Slot is the number of the slot that will be made.
	Slot byte
	// Steps say in words what will happen, in order, and what will not.
	Steps []string
	// Warnings say what is not well about the key as it is.
	Warnings []string
}

// Plan says what setting up will do, or why it cannot: ErrTooOld, ErrFull, or a *PINError if the PIN is blocked or has one
// try left. It does nothing.
func (s State) Plan() (Plan, error) {
	if !s.Version.AtLeast(4, 0) {
		return Plan{}, hw.WithHint(fmt.Errorf("cannot set up an escrow slot: %w (%s; it takes 4.0 or later)", ErrTooOld, s.Version),
			"use a YubiKey 4 or 5, or a printed recovery key")
	}
	p := Plan{Warnings: s.warnings()}
	if len(s.Escrow) > 0 {
		return s.reuse(p), nil
	}
	switch {
	case s.Tries == 0:
		return Plan{}, pinError(ErrPINBlocked, 0)
	case s.Tries == 1:
		return Plan{}, pinError(ErrLastTry, 1)
	case len(s.Free) == 0:
		return Plan{}, hw.WithHint(fmt.Errorf("cannot set up an escrow slot: %w", ErrFull),
			"free one of the slots 82 to 95: ykman piv info shows them")
	}
	p.Slot = s.Free[0]
	p.Steps = []string{
		fmt.Sprintf("make a P-256 key in retired slot %02x that asks for the PIN and a touch at each use; it never leaves the key", p.Slot),
		"write a certificate that marks the slot as age-plugin-yubikey's are marked, so that age can open the escrow too (one touch)",
		"leave PIN, PUK, management key and all other slots as they are",
	}
	for _, id := range s.Bare {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x has a key without a certificate; it stays as it is", id))
	}
	return p, nil
}

// reuse plans to take the first slot that asks for a touch, or else the first.
func (s State) reuse(p Plan) Plan {
	slot := s.Escrow[0]
	for _, other := range s.Escrow {
		if other.Touch == TouchAlways {
			slot = other
			break
		}
	}
	p.Reuse, p.Slot = &slot, slot.ID
	p.Steps = []string{fmt.Sprintf("use slot %02x as it is (%s); nothing is written to the key", slot.ID, slot.Name)}
	if slot.Touch != TouchAlways {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x does not ask for a touch at each use: a program that learns the PIN can decrypt while the key is plugged in", slot.ID))
	}
	if slot.PIN == PINNever {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x asks for no PIN: whoever has the key can decrypt", slot.ID))
	}
	return p
}

func (s State) warnings() []string {
	var list []string
	if s.DefaultPIN == Yes {
		list = append(list, "the PIN is still the factory's, 123456: whoever has the key can decrypt")
	}
	if s.DefaultManagementKey == Yes {
		list = append(list, "the management key is still the factory's: any program can erase the slot, though not read it")
	}
	return list
}
