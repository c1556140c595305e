package hwtest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/mgmt"
	"github.com/oathd/oathd/hw/pcsc"
	"github.com/oathd/oathd/hw/ykoath"
)

// patience is how long a test waits for a key to be seen.
const patience = time.Minute

// inventory is what a Watch has last reported.
type inventory struct {
	mutex   sync.Mutex
	slots   []hw.Slot
	changed chan struct{} // closed at the next report
}

func newInventory() *inventory { return &inventory{changed: make(chan struct{})} }

func (i *inventory) report(now hw.Inventory) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.slots = now.Slots
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *inventory) look() ([]hw.Slot, <-chan struct{}) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.slots, i.changed
}

// find waits for a slot of which good is true.
func (i *inventory) find(t *testing.T, what string, good func(hw.Slot) bool) hw.Slot {
	t.Helper()
	late := time.After(patience)
	for {
		slots, changed := i.look()
		for _, slot := range slots {
			if good(slot) {
				return slot
			}
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("never seen: %s; last seen: %v", what, slots)
		}
	}
}

// await waits for a key in a reader.
func (i *inventory) await(t *testing.T, reader string) hw.Slot {
	t.Helper()
	return i.find(t, reader, func(slot hw.Slot) bool { return slot.Reader == reader })
}

// bySerial waits for the key with a serial number, and returns its reader and what its OATH application says.
func (i *inventory) bySerial(t *testing.T, bay *pcsc.Bay, serial uint32) (reader string, info ykoath.Info) {
	t.Helper()
	slot := i.find(t, "a key with that serial number", func(slot hw.Slot) bool {
		return bay.Transact(slot, func(card hw.Card) error {
			found, err := mgmt.Read(card)
			if err != nil || found.Serial != serial {
				return hw.ErrRemoved
			}
			session, err := ykoath.Select(card)
			if err == nil {
				info = session.Info()
			}
			return err
		}) == nil
	})
	return slot.Reader, info
}
