package softkey

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/oathd/oathd/hw"
)

// Key is a soft key. Its methods may be called from any goroutine; one Transmit runs at a time.
type Key struct {
	options     Options
	personality *personality
	profile     *profile
	save        func(state) error // nil: the state is volatile
	finger      finger
	pace        pacer

	// turn is held through a whole Transmit, delays and touches included. It is a channel, not a
	// mutex, so that those who wait for it do not stop a synctest bubble's clock.
	turn chan struct{}

	mu       sync.Mutex // guards what follows; never held through a wait
	state    *state
	power    *power
	apps     []*application
	selected *application
	chained  []byte // the data of a command chain so far
	pending  []byte // the rest of an answer, to be fetched
	faults   []*Fault
	trace    trace
}

// power is one stretch of time in which the key has power, from a reset to the next.
type power struct {
	ended chan struct{}
	cause error // why it ended; written under Key.mu before ended is closed
}

// ATR returns the answer to reset.
func (k *Key) ATR() []byte {
	if k.options.Contactless && k.personality.nfc != nil {
		return bytes.Clone(k.personality.nfc)
	}
	return bytes.Clone(k.personality.atr)
}

// Serial returns the serial number that the key was made with, hidden or not.
func (k *Key) Serial() uint32 { return k.options.Serial }

// Personality returns the name of the key's personality.
func (k *Key) Personality() string { return k.personality.name }

// Power takes power away from the key, or gives it anew; both drop the selection and what was
// verified. A Transmit that runs while power goes, be it in the middle of a touch, ends with
// hw.ErrRemoved, as does each Transmit until power returns.
func (k *Key) Power(on bool) { k.repower(hw.ErrRemoved, on) }

// repower ends the present stretch of power for a reason, and begins a new one if on.
func (k *Key) repower(reason error, on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut(reason, on)
}

// cut is repower where k.mu is held.
func (k *Key) cut(reason error, on bool) {
	if k.power != nil && k.power.cause == nil {
		k.power.cause = reason
		close(k.power.ended)
	}
	if on {
		k.power = &power{ended: make(chan struct{})}
	}
	k.selected, k.chained, k.pending = nil, nil, nil
	for _, a := range k.apps {
		a.opened = false
	}
}

// current returns the present stretch of power.
func (k *Key) current() *power {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.power
}

// visit is one command on its way through the key.
type visit struct {
	power *power
	apdu  []byte
	touch bool // a person has to confirm it
	hit   strikes
}

// Transmit answers one command APDU (see hw.Card).
func (k *Key) Transmit(apdu []byte) ([]byte, error) { return k.transmit(k.current(), apdu) }

// transmit answers a command as long as p lasts.
func (k *Key) transmit(p *power, apdu []byte) ([]byte, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-p.ended:
		return nil, p.cause
	}
	v, err := k.arrive(p, apdu)
	if err != nil {
		return nil, err
	}
	confirmed := !v.touch || k.finger.wait(k, v)
	started := time.Now()
	answer, w, err := k.answer(v, confirmed)
	if err != nil {
		return nil, err
	}
	if err := k.pace.wait(p, started, k.profile.cost(apdu, w)); err != nil {
		return nil, err
	}
	return v.hit.finish(answer), nil
}

// arrive notes the command, and lets those faults strike that come before it is executed.
func (k *Key) arrive(p *power, apdu []byte) (visit, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.cause != nil {
		return visit{}, p.cause
	}
	k.trace.add(apdu)
	v := visit{power: p, apdu: apdu, touch: k.wantsTouch(apdu)}
	v.hit = k.strike(apdu, v.touch)
	switch {
	case v.hit.find(FaultPulled) != nil:
		k.cut(hw.ErrRemoved, false)
	case v.hit.find(FaultReset) != nil:
		k.cut(hw.ErrReset, true)
	}
	return v, p.cause
}

// answer executes the command, unless a fault answers for it.
func (k *Key) answer(v visit, confirmed bool) ([]byte, work, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v.power.cause != nil {
		return nil, work{}, v.power.cause
	}
	if f := v.hit.find(FaultStatus); f != nil {
		return reply(nil, f.Status), work{}, nil
	}
	answer, w := k.dispatch(v, confirmed)
	if v.hit.find(FaultDies) != nil {
		k.cut(hw.ErrRemoved, false)
	}
	return answer, w, v.power.cause
}

// SelectElsewhere selects an applet as another program would between two transactions: the key's
// selection changes, what was verified is lost, and no trace shows it.
func (k *Key) SelectElsewhere(aid []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.selectApplet(command{ins: insSelect, p1: p1SelectByName, data: aid})
}

// reply puts a status word behind data.
func reply(data []byte, s hw.Status) []byte { return append(data, byte(s>>8), byte(s)) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(fmt.Sprintf("softkey: %q is not hexadecimal", s))
	}
	return b
}
