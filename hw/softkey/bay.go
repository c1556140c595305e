package softkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/oathd/oathd/hw"
)

// Bay is a place where soft keys are plugged in within this process. Its Watch and Transact are those
// that the agent wants of any bay: Watch reports the whole inventory after each change, Transact runs
// one transaction at a time on a key.
type Bay struct {
	mu      sync.Mutex
	readers []*reader
	trouble error
	changed chan struct{} // closed at the next change
}

// reader is one place in the bay. A key that is pulled out leaves it empty for the next.
type reader struct {
	name      string
	key       *Key // nil: empty
	insertion uint64
	held      bool
	turn      chan struct{} // held through a transaction
}

// NewBay returns a bay without readers; it has as many as keys were in it at one time. Like New, it
// is to be called within a synctest bubble that it is used in.
func NewBay() *Bay { return &Bay{changed: make(chan struct{})} }

// Insert plugs k into the first empty reader, and gives it power. A key that is in already stays.
func (b *Bay) Insert(k *Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.find(k) != nil {
		return
	}
	r := b.find(nil)
	if r == nil {
		r = &reader{name: fmt.Sprintf("oathd soft bay %02d", len(b.readers)), turn: make(chan struct{}, 1)}
		b.readers = append(b.readers, r)
	}
	k.Power(true)
	r.key, r.held = k, false
	r.insertion++
	b.notify()
}

// Remove pulls k out. A transaction that is under way, be it in the middle of a touch, ends with
// hw.ErrRemoved.
func (b *Bay) Remove(k *Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.find(k); r != nil {
		b.empty(r)
	}
}

// empty takes the key out of r; b.mu is held.
func (b *Bay) empty(r *reader) {
	k := r.key
	r.key = nil
	k.Power(false)
	b.notify()
}

// Keys returns the keys that are plugged in.
func (b *Bay) Keys() []*Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []*Key
	for _, r := range b.readers {
		if r.key != nil {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// Hold lets another program take k exclusively: a transaction that begins before release is called
// fails with hw.ErrHeld.
func (b *Bay) Hold(k *Key) (release func()) {
	b.setHeld(k, true)
	return func() { b.setHeld(k, false) }
}

func (b *Bay) setHeld(k *Key, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.find(k); r != nil {
		r.held = held
	}
}

// Reset lets another program reset k: a transaction that is under way ends with hw.ErrReset, and
// the next one finds nothing selected.
func (b *Bay) Reset(k *Key) { k.repower(hw.ErrReset, true) }

// SetTrouble lets the bay see nothing and say why, as when the PC/SC service is gone; nil ends that. The
// keys stay where they are.
func (b *Bay) SetTrouble(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = err
	b.notify()
}

// find returns the reader with k in it (nil: an empty one), or nil; b.mu is held.
func (b *Bay) find(k *Key) *reader {
	i := slices.IndexFunc(b.readers, func(r *reader) bool { return r.key == k })
	if i < 0 {
		return nil
	}
	return b.readers[i]
}

func (b *Bay) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Inventory returns what is plugged in now.
func (b *Bay) Inventory() hw.Inventory {
	inventory, _ := b.look()
	return inventory
}

// look returns what is plugged in, and a channel that is closed when that has changed.
func (b *Bay) look() (hw.Inventory, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble != nil {
		return hw.Inventory{Trouble: b.trouble}, b.changed
	}
	inventory := hw.Inventory{Readers: len(b.readers)}
	for _, r := range b.readers {
		if r.key != nil {
			inventory.Slots = append(inventory.Slots, hw.Slot{Reader: r.name, Insertion: r.insertion, ATR: r.key.ATR()})
		}
	}
	return inventory, b.changed
}

// Watch calls report with what is plugged in, at once and after each change, until ctx ends; it then
// returns nil. Changes that come while report runs are reported together.
func (b *Bay) Watch(ctx context.Context, report func(hw.Inventory)) error {
	for {
		inventory, changed := b.look()
		report(inventory)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// Transact runs work in one transaction with the key in the slot, and returns work's own error. It
// fails with hw.ErrRemoved if that insertion is over, hw.ErrHeld, or the bay's trouble.
func (b *Bay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	card, err := b.card(slot)
	if err != nil {
		return err
	}
	turn := card.turn
	turn <- struct{}{}
	defer func() { <-turn }()
	if card, err = b.card(slot); err != nil { // it may have gone while this transaction waited
		return err
	}
	return work(card)
}

// card returns the key in the slot, if the same insertion is still in it and free.
func (b *Bay) card(slot hw.Slot) (*bayCard, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble != nil {
		return nil, b.trouble
	}
	r := b.at(slot)
	switch {
	case r == nil:
		return nil, hw.ErrRemoved
	case r.held:
		return nil, hw.ErrHeld
	}
	return &bayCard{bay: b, slot: slot, key: r.key, power: r.key.current(), turn: r.turn}, nil
}

// at returns the slot's reader if the same insertion is still in it, or nil; b.mu is held.
func (b *Bay) at(slot hw.Slot) *reader {
	for _, r := range b.readers {
		if r.name == slot.Reader && r.insertion == slot.Insertion && r.key != nil {
			return r
		}
	}
	return nil
}

// bayCard is a key within one transaction.
type bayCard struct {
	bay   *Bay
	slot  hw.Slot
	key   *Key
	power *power
	turn  chan struct{}
}

// Transmit sends the command to the key. A key that a fault has pulled leaves the bay.
func (c *bayCard) Transmit(apdu []byte) ([]byte, error) {
	answer, err := c.key.transmit(c.power, apdu)
	if errors.Is(err, hw.ErrRemoved) {
		c.bay.removeInsertion(c.slot)
	}
	return answer, err
}

// removeInsertion empties the slot's reader if the same insertion is still in it.
func (b *Bay) removeInsertion(slot hw.Slot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.at(slot); r != nil {
		b.empty(r)
	}
}
