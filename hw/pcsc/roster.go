package pcsc

import (
	"bytes"
	"slices"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
)

// roster tells one insertion into a reader from the next. pcscd counts the insertions and removals of
// each reader in 16 bits, and begins again when the reader comes back or pcscd is started again; the
// roster's own numbers are never used twice.
type roster struct {
	seats   map[string]seat // the readers that hold a card
	slots   []hw.Slot       // as of the last update
	readers int
	last    uint64
}

// seat is an insertion that goes on.
type seat struct {
	insertion uint64
	counter   uint16
}

// update takes in the states of all readers and returns the slots, in their order, and whether they or
// the number of readers changed.
func (r *roster) update(states []scard.ReaderState) (slots []hw.Slot, changed bool) {
	seats := make(map[string]seat, len(states))
	for _, state := range states {
		if !usable(state.EventState) {
			continue
		}
		now, counter := r.seats[state.Reader], counterOf(uint32(state.EventState))
		if now.insertion == 0 || now.counter != counter {
			r.last++
			now = seat{insertion: r.last, counter: counter}
		}
		seats[state.Reader] = now
		exclusive := state.EventState&scard.StateExclusive != 0
		slots = append(slots, hw.Slot{Reader: state.Reader, Insertion: now.insertion, ATR: state.Atr, Exclusive: exclusive})
	}
	changed = r.readers != len(states) || !slices.EqualFunc(r.slots, slots, same)
	r.seats, r.slots, r.readers = seats, slots, len(states)
	return slots, changed
}

// usable reports whether there is a card that answers. A mute one shows as soon as it does.
func usable(state scard.StateFlag) bool {
	return state&scard.StatePresent != 0 && state&scard.StateMute == 0
}

func same(s, t hw.Slot) bool { return s.Same(t) && bytes.Equal(s.ATR, t.ATR) }

// counterOf returns the count of insertions and removals in the upper half of an event state
// (SCardGetStatusChange) or of a card's state (SCardStatus).
func counterOf(state uint32) uint16 { return uint16(state >> 16) }

// current reports whether slot's insertion goes on at a time when pcscd counts counter.
func (r *roster) current(slot hw.Slot, counter uint16) bool {
	now, ok := r.seats[slot.Reader]
	return ok && now.insertion == slot.Insertion && now.counter == counter
}

// drop ends the insertions into readers that were gone, if only for a moment.
func (r *roster) drop(readers []string) {
	for _, reader := range readers {
		delete(r.seats, reader)
	}
}

// forget ends all insertions.
func (r *roster) forget() { r.seats, r.slots, r.readers = nil, nil, 0 }
