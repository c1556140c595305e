package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// touchGuess is after how long without an answer a key is presumed to wait for a touch, where it is not
// known whether the credential needs one. The slowest computation known takes 70 ms.
const touchGuess = 500 * time.Millisecond

// touches lists the keys that wait for a finger now, the most recent last.
type touches struct {
	mu   sync.Mutex
	list []*touch
}

// touch is a stretch of time in which a key may wait for a finger.
type touch struct {
	a     *Agent
	event api.Event
	// names lists who waits; tell, if set, is called when the key begins to blink.
	names func() []string
	tell  func()
	timer *time.Timer

	mu           sync.Mutex
	blinks, over bool
}

// expectTouch tells everybody that a key blinks: at once if the credential is known to need a touch, else when the
// answer takes longer than any computation. The caller calls end when the answer is there.
func (a *Agent) expectTouch(known bool, about api.Event, names func() []string, tell func()) *touch {
	t := a.newTouch(about, names, tell)
	t.expect(known)
	return t
}

// newTouch is expectTouch in two steps, for those who must have the touch at hand before anybody hears of it.
func (a *Agent) newTouch(about api.Event, names func() []string, tell func()) *touch {
	about.KeyLabel = a.keyLabel(about.Key)
	return &touch{a: a, event: about, names: names, tell: tell}
}

func (t *touch) expect(known bool) {
	if known {
		t.begin()
	} else {
		t.timer = time.AfterFunc(touchGuess, t.begin)
	}
}

func (t *touch) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.blinks = true
	t.a.touches.add(t)
	t.announce(api.EventTouchWanted)
	if t.tell != nil {
		t.tell()
	}
}

// joined tells everybody that one more waits.
func (t *touch) joined() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blinks && !t.over {
		t.announce(api.EventTouchWanted)
	}
}

// end says that the key no longer waits, and reports whether it did.
func (t *touch) end() bool {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.blinks {
		t.a.touches.drop(t)
		t.announce(api.EventTouchDone)
	}
	return t.blinks
}

func (t *touch) announce(kind api.EventKind) {
	e := t.event
	e.Kind = kind
	if kind == api.EventTouchWanted {
		e.Waiting = t.names()
	}
	t.a.events.publish(e)
}

func (ts *touches) add(t *touch) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.list = append(ts.list, t)
}

func (ts *touches) drop(t *touch) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.list = slices.DeleteFunc(ts.list, func(other *touch) bool { return other == t })
}

// waiting lists everybody who waits for a touch of the key.
func (ts *touches) waiting(key string) []string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var names []string
	for _, t := range ts.list {
		if t.event.Key == key {
			names = append(names, t.names()...)
		}
	}
	return names
}

// only is the list of one who waits alone.
func only(who Caller) func() []string { return func() []string { return []string{who.String()} } }
