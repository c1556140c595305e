// Package softkey is a security key in Go: it answers the APDUs of the OATH, PIV and Management applets as
// real keys of several makes do, each with its firmware's limits and oddities, for tests, for the
// demonstration, and behind a real pcscd for programs that are not ours. It can be slow like a real
// key, wait for a touch, and fail in the ways that hardware fails.
//
// A soft key is insecure by nature. Its seeds lie on the Go heap in clear, and in clear in its state
// file where it has one. It says so: every SELECT of its OATH applet carries a marker (tag 8E,
// "oathd soft key"), by which oathd knows it behind any reader.
//
// The package owns the applets, their personalities, the faults, the state file and the in-process
// bay. An applet is a state machine behind a small interface (see applet): time, touches, faults and
// chaining belong to the Key around it.
package softkey

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

// Options say what kind of key New makes.
type Options struct {
	// Personality is one of Personalities; "" means the first.
	Personality string
	// Serial is the serial number; 0 means that the key has none to show.
	Serial uint32
	// HideSerial keeps the serial number out of what the Management applet tells, as an owner can
	// configure it; Key.Serial still knows it.
	HideSerial bool
	// ForgetsTouch is a key that takes the word that an account wants a touch, and forgets it: an applet whose
	// version promises more than it does.
	ForgetsTouch bool
	// Contactless makes it a key on an NFC reader: short APDUs only, and the ATR of such a reader, where
	// the make has NFC.
	Contactless bool
	// Profile is one of Profiles: how long each command takes. "" means no delay.
	Profile string
	// Touch says how a touch comes about; the zero value is a finger that is always there.
	Touch TouchMode
	// TouchTimeout is how long the key blinks before it gives up; 0 means 15 seconds.
	TouchTimeout time.Duration
	// OnBlink, if set, is called when the key begins to wait for a touch and when it stops. It is
	// called in the middle of Transmit and must not call Transmit; it may call Touch.
	OnBlink func(k *Key, blinking bool)
	// Random is where salts and challenges come from; nil means crypto/rand. A recorded salt can be
	// given through it.
	Random io.Reader
}

// New returns a key that is powered and empty. Where it is to live on the faked clock of a
// testing/synctest bubble, New must be called within the bubble.
func New(o Options) (*Key, error) { return build(o, nil, nil) }

// build makes a key from a state (nil: an empty one); save, if set, is called with each new state.
func build(o Options, s *state, save func(state) error) (*Key, error) {
	p, err := lookupPersonality(o.Personality)
	if err != nil {
		return nil, err
	}
	if o.ForgetsTouch {
		forgetful := *p
		forgetful.touch = false
		p = &forgetful
	}
	profile, err := lookupProfile(o.Profile)
	if err != nil {
		return nil, err
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.TouchTimeout == 0 {
		o.TouchTimeout = defaultTouchTimeout
	}
	if s == nil {
		s = &state{Personality: p.name, Serial: o.Serial}
		if s.Salt, err = p.newSalt(o.Random, o.Serial); err != nil {
			return nil, fmt.Errorf("cannot make a soft key: %w", err)
		}
	}
	k := &Key{
		options:     o,
		personality: p,
		profile:     profile,
		state:       s,
		save:        save,
		turn:        make(chan struct{}, 1),
		finger:      finger{mode: o.Touch, timeout: o.TouchTimeout},
	}
	k.apps = p.applications(k)
	k.Power(true)
	return k, nil
}

// Clone returns another key with k's options and all that k keeps without power. From then on they are two, so that
// something can be tried over and over from one state.
func (k *Key) Clone() (*Key, error) {
	k.mu.Lock()
	s := k.state.clone()
	k.mu.Unlock()
	return build(k.options, &s, nil)
}
