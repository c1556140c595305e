package pcsc

import (
	"slices"
	"testing"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
)

// look is what pcscd says of one reader.
func look(reader string, state scard.StateFlag, counter int) scard.ReaderState {
	return scard.ReaderState{Reader: reader, EventState: state | scard.StateFlag(counter)<<16, Atr: []byte{0x3b}}
}

func TestRoster(t *testing.T) {
	const present, empty = scard.StatePresent | scard.StateChanged, scard.StateEmpty | scard.StateChanged
	type step struct {
		what    string
		before  func(*roster)
		states  []scard.ReaderState
		want    []uint64 // the insertions of the slots
		changed bool
	}
	steps := []step{
		{"nothing at first", nil, nil, nil, false},
		{"an empty reader", nil, []scard.ReaderState{look("a", empty, 0)}, nil, true},
		{"a key", nil, []scard.ReaderState{look("a", present, 1)}, []uint64{1}, true},
		{"the same again, now in use", nil, []scard.ReaderState{look("a", present|scard.StateInuse, 1)}, []uint64{1}, false},
		{"pulled and plugged between two looks", nil, []scard.ReaderState{look("a", present, 3)}, []uint64{2}, true},
		{"a second reader", nil, []scard.ReaderState{look("a", present, 3), look("b", present, 1)}, []uint64{2, 3}, true},
		{"the other order", nil, []scard.ReaderState{look("b", present, 1), look("a", present, 3)}, []uint64{3, 2}, true},
		{"a mute key", nil, []scard.ReaderState{look("b", present|scard.StateMute, 1), look("a", present, 3)}, []uint64{2}, true},
		{"it answers", nil, []scard.ReaderState{look("b", present, 1), look("a", present, 3)}, []uint64{4, 2}, true},
		{"a reader went", nil, []scard.ReaderState{look("a", present, 3)}, []uint64{2}, true},
		{"one that was gone for a moment, and counts anew", func(r *roster) { r.drop([]string{"a"}) },
			[]scard.ReaderState{look("a", present, 3)}, []uint64{5}, true},
		{"pcscd was started again", (*roster).forget, []scard.ReaderState{look("a", present, 3)}, []uint64{6}, true},
		{"the counter ran over", nil, []scard.ReaderState{look("a", present, 0)}, []uint64{7}, true},
	}
	var r roster
	for _, s := range steps {
		if s.before != nil {
			s.before(&r)
		}
		slots, changed := r.update(s.states)
		var got []uint64
		for _, slot := range slots {
			got = append(got, slot.Insertion)
		}
		if !slices.Equal(got, s.want) || changed != s.changed {
			t.Errorf("%s: insertions %v, changed %v, want %v, %v", s.what, got, changed, s.want, s.changed)
		}
	}
}

func TestRosterCurrent(t *testing.T) {
	var r roster
	slots, _ := r.update([]scard.ReaderState{look("a", scard.StatePresent, 5)})
	for _, c := range []struct {
		what    string
		slot    hw.Slot
		counter uint16
		want    bool
	}{
		{"the slot itself", slots[0], 5, true},
		{"pcscd has counted on", slots[0], 7, false},
		{"another insertion", hw.Slot{Reader: "a", Insertion: slots[0].Insertion + 1}, 5, false},
		{"another reader", hw.Slot{Reader: "b", Insertion: slots[0].Insertion}, 5, false},
	} {
		if got := r.current(c.slot, c.counter); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
