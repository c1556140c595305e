package piv

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// Answer is yes, no, or unknown where the firmware does not tell (before 5.3).
type Answer byte

// The answers.
const (
	Unknown Answer = iota
	No
	Yes
)

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// State is what a key's PIV application tells without a PIN.
type State struct {
	Version Version
	// Serial is 0 where the key does not tell it: hidden, or firmware before 5.
	Serial uint32
	// Tries is how many the PIN has left, 15 for 15 and more; -1 if another program has just verified it.
	Tries int
	// DefaultPIN, DefaultPUK and DefaultManagementKey: they are still the factory's.
	DefaultPIN, DefaultPUK, DefaultManagementKey Answer
	// ProtectedManagementKey: it is kept on the key, readable with the PIN (yubikey-manager's and
	// age-plugin-yubikey's way).
	ProtectedManagementKey bool
	// TouchForManagement: using the management key takes a touch.
	TouchForManagement bool
	// Escrow are the slots that are set up for an escrow.
	Escrow []Slot
	// Free are the retired slots that are empty.
	Free []byte
	// Unfinished are those that Enroll did not get done with.
	Unfinished []byte
	// Bare are the retired slots with a key and no certificate. The program that made the key may keep the certificate
	// elsewhere, so they are not free.
	Bare []byte
}

// Look selects PIV and reads its state: some fifty commands, none of which changes anything. Error: as Select's.
func Look(card hw.Card) (State, error) {
	s, err := Select(card)
	if err != nil {
		return State{}, err
	}
	state, err := s.look()
	if err != nil {
		return State{}, fmt.Errorf("cannot look at the PIV application: %w", err)
	}
	return state, nil
}

func (s *Session) look() (State, error) {
	var state State
	var err error
	if state.Version, err = s.Version(); err != nil {
		return State{}, err
	}
	if state.Serial, err = s.serial(); err != nil {
		return State{}, err
	}
	if state.Tries, err = s.tries(); err != nil {
		return State{}, err
	}
	if err := s.lookAtSecrets(&state); err != nil {
		return State{}, err
	}
	if !state.Version.AtLeast(4, 0) {
		return state, nil // no retired slots
	}
	for id := byte(firstRetired); id <= lastRetired; id++ {
		if err := s.lookAtSlot(&state, id); err != nil {
			return State{}, err
		}
	}
	return state, nil
}

// The tags of GET METADATA, and those of yubikey-manager's own object (ykman/piv.py, PivmanData).
const (
	tagMetaAlgorithm = 0x01
	tagMetaPolicy    = 0x02
	tagMetaDefault   = 0x05
	tagMetaRetries   = 0x06 // at most, and left

	tagManager      = 0x80
	tagManagerFlags = 0x81
	flagProtected   = 0x02
)

// lookAtSecrets asks what is known of PIN and management key.
func (s *Session) lookAtSecrets(state *State) error {
	if state.Version.AtLeast(5, 3) {
		pin, err := s.metadata(refPIN)
		if err != nil {
			return err
		}
		puk, err := s.metadata(refPUK)
		if err != nil {
			return err
		}
		management, err := s.metadata(refManagement)
		if err != nil {
			return err
		}
		state.DefaultPIN, state.DefaultPUK, state.DefaultManagementKey = isDefault(pin), isDefault(puk), isDefault(management)
		policy, _ := tlv.Find(management, tagMetaPolicy)
		state.TouchForManagement = len(policy) == 2 && TouchPolicy(policy[1]) > TouchNever
	}
	object, err := s.object(objectManager...)
	if refused(err) {
		return nil
	}
	if err != nil {
		return err
	}
	state.ProtectedManagementKey = isProtected(object)
	return nil
}

func isDefault(metadata []tlv.TLV) Answer {
	v, ok := tlv.Find(metadata, tagMetaDefault)
	if !ok || len(v) != 1 {
		return Unknown
	}
	return answer(v[0] != 0)
}

// isProtected reads yubikey-manager's object. One that it did not write says nothing.
func isProtected(object []byte) bool {
	list, _ := inside(object, tagManager)
	flags, _ := tlv.Find(list, tagManagerFlags)
	return len(flags) == 1 && flags[0]&flagProtected != 0
}

// inside returns what is in the element that an object consists of; ok is false for an object of another form.
func inside(object []byte, tag byte) (list []tlv.TLV, ok bool) {
	outer, err := tlv.Parse(object)
	if err != nil || len(outer) != 1 || outer[0].Tag != tag {
		return nil, false
	}
	list, err = tlv.Parse(outer[0].Value)
	return list, err == nil
}

// lookAtSlot puts a retired slot where it belongs.
func (s *Session) lookAtSlot(state *State, id byte) error {
	slot, err := s.Slot(id)
	switch {
	case err == nil:
		state.Escrow = append(state.Escrow, slot)
		return nil
	case errors.Is(err, ErrUnfinished):
		state.Unfinished = append(state.Unfinished, id)
		return nil
	case errors.Is(err, ErrForeignSlot):
		return nil
	case !errors.Is(err, ErrNoSlot):
		return err
	}
	taken, err := s.hasKey(state.Version, id)
	switch {
	case err != nil:
		return err
	case taken:
		state.Bare = append(state.Bare, id)
	default:
		state.Free = append(state.Free, id)
	}
	return nil
}

// hasKey reports whether a slot has a key. Firmware before 5.3 shows that by an attestation, which an imported key
// does not have, and before 4.3 not at all.
func (s *Session) hasKey(v Version, id byte) (bool, error) {
	var err error
	switch {
	case v.AtLeast(5, 3):
		if _, err = s.metadata(id); errors.Is(err, statusNoReference) {
			return false, nil
		}
	case v.AtLeast(4, 3):
		if _, err = s.ask(insAttest, uint16(id)<<8); refused(err) {
			return false, nil
		}
	default:
		return false, nil
	}
	return err == nil, err
}

// statusNoReference is GET METADATA's answer for a slot without a key (Yubico).
const statusNoReference hw.Status = 0x6a88
