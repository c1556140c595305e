package piv

import (
	"fmt"
	"strings"

	"github.com/oathd/oathd/hw"
)

// Wish says what else is to be changed, for who asks for it.
type Wish struct {
	// PIN and PUK: replace them. Protect: replace the management key by a random one that the key keeps behind the PIN.
	PIN, PUK, Protect bool
}

// Plan is what setting up an escrow slot will do.
type Plan struct {
	// Reuse is the slot that is there already, so that none is made; nil if one will be.
	Reuse *Slot
	// Slot is the number of the slot that will be made.
	Slot byte
	// Changes are what Secure is to do, the management key left out where it is behind the PIN already.
	Changes Wish
	// Steps say in words what will happen, in order, and what will not.
	Steps []string
	// Warnings say what is not well about the key as it is, and will stay so.
	Warnings []string
}

// Plan says what setting up will do, or why it cannot: ErrTooOld, ErrFull, or a *PINError if the PIN is blocked or has one
// try left. It does nothing.
func (s State) Plan(w Wish) (Plan, error) {
	if !s.Version.AtLeast(4, 0) {
		return Plan{}, hw.WithHint(fmt.Errorf("cannot set up an escrow slot: %w (%s; it takes 4.0 or later)", ErrTooOld, s.Version),
			"use a YubiKey 4 or 5, or a printed recovery key")
	}
	p := Plan{Changes: w}
	p.Changes.Protect = w.Protect && !(s.ProtectedManagementKey && s.DefaultManagementKey != Yes)
	if len(s.Escrow) > 0 {
		p.reuse(s.Escrow)
	}
	if p.Reuse == nil || p.Changes != (Wish{}) {
		if err := s.spare(); err != nil {
			return Plan{}, err
		}
	}
	if p.Reuse == nil {
		if err := p.make(s); err != nil {
			return Plan{}, err
		}
	}
	p.Steps = append(p.Steps, p.Changes.words()...)
	p.Warnings = append(p.Warnings, s.warnings(p.Changes)...)
	return p, nil
}

// spare is Session.spare for what was seen.
func (s State) spare() error {
	switch s.Tries {
	case 0:
		return pinError(ErrPINBlocked, 0)
	case 1:
		return pinError(ErrLastTry, 1)
	}
	return nil
}

// make plans a new slot: one that was begun, or else the first that is free.
func (p *Plan) make(s State) error {
	verb := "make"
	switch {
	case len(s.Unfinished) > 0:
		p.Slot, verb = s.Unfinished[0], "finish what was broken off: make"
	case len(s.Free) > 0:
		p.Slot = s.Free[0]
	default:
		return hw.WithHint(fmt.Errorf("cannot set up an escrow slot: %w", ErrFull),
			"free one of the slots 82 to 95: ykman piv info shows them")
	}
	p.Steps = []string{
		fmt.Sprintf("%s a P-256 key in retired slot %02x that wants PIN and touch at each use", verb, p.Slot),
		"mark it as age-plugin-yubikey's, so that age can use it too (one touch)",
	}
	for _, id := range s.Bare {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x has a key without a certificate; it stays as it is", id))
	}
	return nil
}

// words say what will be changed, and what will not.
func (w Wish) words() (steps []string) {
	var left []string
	for _, c := range []struct {
		changed   bool
		what, how string
	}{
		{w.PUK, "PUK", "replace the PUK by the new one"},
		{w.PIN, "PIN", "replace the PIN by the new one"},
		{w.Protect, "management key", "replace the management key by a random one, which the key keeps behind the PIN"},
	} {
		if c.changed {
			steps = append(steps, c.how)
		} else {
			left = append(left, c.what)
		}
	}
	return append(steps, "leave "+strings.Join(append(left, "all other slots"), ", ")+" as they are")
}

// reuse plans to take the first slot that asks for a touch, or else the first.
func (p *Plan) reuse(slots []Slot) {
	slot := slots[0]
	for _, other := range slots {
		if other.Touch == TouchAlways {
			slot = other
			break
		}
	}
	p.Reuse, p.Slot = &slot, slot.ID
	p.Steps = []string{fmt.Sprintf("use slot %02x as it is (%s)", slot.ID, slot.Name)}
	if slot.Touch != TouchAlways {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x does not ask for a touch at each use: a program that learns the PIN can decrypt while the key is plugged in", slot.ID))
	}
	if slot.PIN == PINNever {
		p.Warnings = append(p.Warnings, fmt.Sprintf("slot %02x asks for no PIN: whoever has the key can decrypt", slot.ID))
	}
}

// warnings are about what is the factory's still and stays it.
func (s State) warnings(w Wish) []string {
	var list []string
	pin, puk := s.DefaultPIN == Yes && !w.PIN, s.DefaultPUK == Yes && !w.PUK
	switch {
	case pin && puk:
		list = append(list, "PIN and PUK are still the factory's, 123456 and 12345678: whoever has the key can decrypt")
	case pin:
		list = append(list, "the PIN is still the factory's, 123456: whoever has the key can decrypt")
	case puk:
		list = append(list, "the PUK is still the factory's, 12345678: whoever has the key can set another PIN")
	}
	if s.DefaultManagementKey == Yes && !w.Protect {
		list = append(list, "the management key is still the factory's: any program can erase the slot")
	}
	return list
}
