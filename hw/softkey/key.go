package softkey

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oathd/oathd/hw"
)

// applet is one application on the key: a state machine that knows neither time nor touch, nor how
// its answers are cut into pieces. The Key calls it from one goroutine at a time.
type applet interface {
	// aid is the name it is selected by.
	aid() []byte
	// reset forgets what was verified, as a loss of power does.
	reset()
	// open answers a SELECT.
	open() []byte
	// wantsTouch reports whether c is a command that a person has to confirm.
	wantsTouch(c command) bool
	// execute answers any other command.
	execute(c command) effect
}

// effect is what a command did and answers.
type effect struct {
	data   []byte
	status hw.Status
	// changed: the state is to be saved.
	changed bool
	// work counts what the command did, for the delay profile.
	work work
	// listing: the answer is a list whose end the client fetches in parts (61xx).
	listing bool
}

// Key is a soft key. Its methods may be called from any goroutine; one Transmit runs at a time.
type Key struct {
	options     Options
	personality *personality
	profile     *Profile
	applets     []applet
	save        func(state) error
	finger      finger
	pace        pacer

	// turn is held through a whole Transmit, delays and touches included. It is a channel, not a
	// mutex, so that those who wait for it do not stop a synctest bubble's clock.
	turn chan struct{}

	mu       sync.Mutex // guards what follows; never held through a wait
	state    *state
	power    *power
	selected applet
	chained  []byte // the data of a command chain so far
	pending  []byte // the rest of an answer, to be fetched
	faults   []*Fault
	trace    trace
}

// power is one stretch of time in which the key has power, from a reset to the next.
type power struct {
	ended chan struct{}
	cause error // why it ended; written before ended is closed
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
	k.cut(reason)
	if on {
		k.power = &power{ended: make(chan struct{})}
	}
}

// cut ends the present stretch of power; k.mu is held.
func (k *Key) cut(reason error) {
	if k.power != nil && k.power.cause == nil {
		k.power.cause = reason
		close(k.power.ended)
	}
	k.selected, k.chained, k.pending = nil, nil, nil
	for _, a := range k.applets {
		a.reset()
	}
}

// current returns the present stretch of power.
func (k *Key) current() *power {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.power
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
	started := time.Now()
	strikes, err := k.arrive(p, apdu)
	if err != nil {
		return nil, err
	}
	if s := strikes.find(FaultStatus); s != nil {
		return statusBytes(s.Status), nil
	}
	touched, waited := k.awaitTouch(p, apdu, strikes)
	answer, w, err := k.answer(p, apdu, touched, strikes)
	if err != nil {
		return nil, err
	}
	if err := k.pace.wait(p, started.Add(waited), k.profile.cost(apdu, w)); err != nil {
		return nil, err
	}
	return strikes.finish(answer), nil
}

// arrive notes the command and lets those faults strike that come before it is executed.
func (k *Key) arrive(p *power, apdu []byte) (strikes, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.cause != nil {
		return nil, p.cause
	}
	k.trace.add(apdu)
	hit := k.strike(apdu)
	if hit.find(FaultPulled) != nil {
		k.cut(hw.ErrRemoved)
		return nil, hw.ErrRemoved
	}
	if hit.find(FaultReset) != nil {
		k.cut(hw.ErrReset)
		k.power = &power{ended: make(chan struct{})}
		return nil, hw.ErrReset
	}
	return hit, nil
}

// answer executes the command and cuts the answer to the length that was asked for.
func (k *Key) answer(p *power, apdu []byte, touched bool, hit strikes) ([]byte, work, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.cause != nil {
		return nil, work{}, p.cause
	}
	answer, w := k.dispatch(apdu, touched, hit.find(FaultFull) != nil)
	if hit.find(FaultDies) != nil {
		k.cut(hw.ErrRemoved)
		return nil, w, hw.ErrRemoved
	}
	return answer, w, nil
}

// dispatch gives the command to whom it concerns: the key itself, or the selected applet.
func (k *Key) dispatch(apdu []byte, touched, full bool) ([]byte, work) {
	c, ok := parseCommand(apdu)
	switch {
	case !ok, c.extended && !k.takesExtended():
		return statusBytes(hw.StatusWrongLength), work{}
	case c.cla&^classChain != 0:
		return statusBytes(statusClaUnknown), work{}
	case c.cla&classChain != 0:
		k.chained = append(k.chained, c.data...)
		return statusBytes(hw.StatusOK), work{}
	}
	if k.chained != nil {
		c.data, k.chained = append(k.chained, c.data...), nil
	}
	if c.ins == insSelect && c.p1 == p1SelectByName {
		return k.selectApplet(c), work{}
	}
	if k.selected == nil {
		return statusBytes(hw.StatusInsUnknown), work{}
	}
	return k.delegate(c, touched, full)
}

func (k *Key) takesExtended() bool { return k.personality.extended && !k.options.Contactless }

// selectApplet answers a SELECT. One that fails leaves the selection as it was.
func (k *Key) selectApplet(c command) []byte {
	i := slices.IndexFunc(k.applets, func(a applet) bool { return len(c.data) >= 5 && bytes.HasPrefix(a.aid(), c.data) })
	if i < 0 || c.p2 != 0 {
		return statusBytes(hw.StatusFileNotFound)
	}
	k.selected, k.pending = k.applets[i], nil
	return append(k.selected.open(), statusBytes(hw.StatusOK)...)
}

// delegate has the selected applet execute the command, and saves what it changed: a change that
// cannot be saved is undone and answered with a memory failure.
func (k *Key) delegate(c command, touched, full bool) ([]byte, work) {
	if c.ins == k.moreINS() && k.pending != nil {
		return k.cutAnswer(c, k.pending), work{}
	}
	k.pending = nil
	if !touched {
		return statusBytes(hw.StatusAuthRequired), work{}
	}
	if full && c.ins == insPut {
		return statusBytes(k.personality.full), work{}
	}
	before := k.backup()
	e := k.selected.execute(c)
	if e.changed && k.save != nil {
		if err := k.save(*k.state); err != nil {
			*k.state = before
			return statusBytes(hw.StatusMemory), e.work
		}
	}
	if e.status != hw.StatusOK {
		return append(e.data, statusBytes(e.status)...), e.work
	}
	if e.listing || k.personality.chunking == chunkBytes {
		return k.cutAnswer(c, e.data), e.work
	}
	return append(e.data, statusBytes(hw.StatusOK)...), e.work
}

func (k *Key) backup() state {
	if k.save == nil {
		return state{}
	}
	return k.state.clone()
}

func (k *Key) moreINS() byte {
	if _, ok := k.selected.(*oathApplet); ok {
		return insSendRemaining
	}
	return insGetResponse
}

// cutAnswer returns the first part of data that fits, and keeps the rest for the next command.
func (k *Key) cutAnswer(c command, data []byte) []byte {
	part, rest := k.personality.split(c, data)
	k.pending = rest
	switch {
	case rest == nil:
		return append(part, statusBytes(hw.StatusOK)...)
	case k.personality.chunking == chunkEntries:
		return append(part, 0x61, 0xff)
	}
	return append(part, 0x61, byte(min(len(rest), 0xff)))
}

// split returns the part of data that goes into the answer to c, and what is left of it, nil if
// nothing is.
func (p *personality) split(c command, data []byte) (part, rest []byte) {
	limit := 0
	switch p.chunking {
	case chunkNever:
		return slices.Clip(data), nil
	case chunkEntries:
		for e := elements(data); len(e) > 0; {
			if e.skipEntry(); len(data)-len(e) > c.le {
				break
			}
			limit = len(data) - len(e)
		}
	default:
		limit = min(p.chunk, len(data))
		if c.extended {
			limit = len(data)
		}
		if c.le > 0 {
			limit = min(limit, c.le)
		}
	}
	if limit == len(data) {
		return slices.Clip(data), nil
	}
	return slices.Clip(data[:limit]), data[limit:]
}

// awaitTouch waits for a person where the command needs one. It reports whether there was a touch
// (or none was needed), and how long it took.
func (k *Key) awaitTouch(p *power, apdu []byte, hit strikes) (bool, time.Duration) {
	if !k.needsTouch(apdu) {
		return true, 0
	}
	started := time.Now()
	touched := k.finger.wait(k, p, hit)
	return touched, time.Since(started)
}

func (k *Key) needsTouch(apdu []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := parseCommand(apdu)
	if !ok || k.selected == nil || c.cla != 0 || (c.ins == insSelect && c.p1 == p1SelectByName) {
		return false
	}
	c.data = append(bytes.Clone(k.chained), c.data...)
	return k.selected.wantsTouch(c)
}

// SelectElsewhere selects an applet as another program would between two transactions: the key's
// selection changes, what was verified is lost, and no trace shows it.
func (k *Key) SelectElsewhere(aid []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.selectApplet(command{ins: insSelect, p1: p1SelectByName, data: aid})
}

func statusBytes(s hw.Status) []byte { return []byte{byte(s >> 8), byte(s)} }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(fmt.Sprintf("softkey: %q is not hexadecimal", s))
	}
	return b
}
