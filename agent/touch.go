package agent

import (
	"slices"
	"sync"

	"github.com/oathd/oathd/ipc/api"
)

// touches lists the keys that wait for a finger now, the most recent last.
type touches struct {
	mu   sync.Mutex
	list []*touch
}

// touch is a stretch of time in which a key may wait for a finger.
type touch struct {
	a     *Agent
	event api.Event
	// names lists who waits; tell, if set, is called when the key begins to blink; stop, if set, has all of them give up.
	names      func() []string
	tell, stop func()
	guess      *guess

	mu           sync.Mutex
	blinks, over bool
	// told is the event that was published last.
	told api.EventKind
}

// Touch is a key that waits for a finger now.
type Touch struct {
	Key, KeyLabel string
	// Account and Label say what for, where it is for a code or a proof.
	Account, Label string
	// Waiting names everyone who waits.
	Waiting []string
	// Stop has everyone who waits give up; nil where they cannot, as what they have begun must end before they know what became
	// of it. The key blinks on.
	Stop func()
}

// Touches lists the keys that wait for a finger that somebody wants, the most recent last.
func (a *Agent) Touches() []Touch {
	var list []Touch
	for _, t := range a.touches.all() {
		if waiting := t.names(); len(waiting) > 0 {
			list = append(list, Touch{t.event.Key, t.event.KeyLabel, t.event.Account, t.event.Label, waiting, t.stop})
		}
	}
	return list
}

// expectTouch tells everybody that a key blinks: at once if the credential is known to need a touch, else when the
// answer takes longer than any computation. The caller calls end when the answer is there.
func (a *Agent) expectTouch(w *worker, known bool, about api.Event, names func() []string, tell func()) *touch {
	t := a.newTouch(w, about, names, tell)
	t.expect(known)
	return t
}

// newTouch is expectTouch in two steps, for those who must have the touch at hand before anybody hears of it.
func (a *Agent) newTouch(w *worker, about api.Event, names func() []string, tell func()) *touch {
	about.KeyLabel = a.keyLabel(about.Key)
	return &touch{a: a, event: about, names: names, tell: tell, guess: w.guess}
}

func (t *touch) expect(known bool) {
	if known {
		t.begin()
	} else {
		t.guess.begin(t)
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

// changed tells everybody that one more waits, or one less.
func (t *touch) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blinks && !t.over {
		t.announce(api.EventTouchWanted)
	}
}

// end says that the key no longer waits, and reports whether it did.
func (t *touch) end() bool {
	t.guess.end(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.blinks {
		t.a.touches.drop(t)
		t.announce(api.EventTouchDone)
	}
	return t.blinks
}

// announce publishes an event. A touch that nobody waits for any more is as good as done, which is said once. Callers hold t.mu.
func (t *touch) announce(kind api.EventKind) {
	e := t.event
	if kind == api.EventTouchWanted {
		if e.Waiting = t.names(); len(e.Waiting) == 0 {
			kind = api.EventTouchDone
		}
	}
	if kind == api.EventTouchDone && t.told == kind {
		return
	}
	e.Kind, t.told = kind, kind
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

// all lists the touches; what they have to say is asked of them without a lock.
func (ts *touches) all() []*touch {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.Clone(ts.list)
}

// waiting lists everybody who waits for a touch of the key.
func (ts *touches) waiting(key string) []string {
	var names []string
	for _, t := range ts.all() {
		if t.event.Key == key {
			names = append(names, t.names()...)
		}
	}
	return names
}

// only is the list of one who waits alone.
func only(who Caller) func() []string { return func() []string { return []string{who.String()} } }
