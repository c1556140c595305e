package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
)

// touchGuess is after how long without an answer a key is presumed to wait for a touch, where it is not
// known whether the credential needs one. The slowest computation known takes 70 ms.
const touchGuess = 500 * time.Millisecond

// flight is one computation on its way, with everybody who waits for it.
type flight struct {
	// id is "" for what nobody can share, as an HOTP code.
	id      string
	acc     *accountView
	sources []source
	step    uint64
	pair    bool

	code    api.Code
	err     error
	ended   chan struct{}
	waiters []string
	// touching is the key that waits for a touch, "" if none does.
	touching string
}

// flights knows the flights by id and who waits for which key.
type flights struct {
	mu     sync.Mutex
	byID   map[string]*flight
	active map[*flight]struct{}
}

// join lets name wait for f, or for the flight with the same id that is on its way already.
func (fs *flights) join(f *flight, name string) (joined *flight, first bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if there := fs.byID[f.id]; f.id != "" && there != nil {
		there.waiters = append(there.waiters, name)
		return there, false
	}
	if fs.byID == nil {
		fs.byID, fs.active = map[string]*flight{}, map[*flight]struct{}{}
	}
	if f.id != "" {
		fs.byID[f.id] = f
	}
	fs.active[f] = struct{}{}
	f.ended = make(chan struct{})
	f.waiters = []string{name}
	return f, true
}

// leave takes a waiter out who has given up.
func (fs *flights) leave(f *flight, name string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if i := slices.Index(f.waiters, name); i >= 0 {
		f.waiters = slices.Delete(f.waiters, i, i+1)
	}
}

// land ends a flight and reports whether anybody still waited.
func (fs *flights) land(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byID[f.id] == f {
		delete(fs.byID, f.id)
	}
	delete(fs.active, f)
	close(f.ended)
	return len(f.waiters) > 0
}

// names lists who waits for f.
func (fs *flights) names(f *flight) []string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(f.waiters)
}

// touch notes that f waits for a touch of key ("" when it no longer does), unless f has landed.
func (fs *flights) touch(f *flight, key string) (before string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if _, flying := fs.active[f]; !flying {
		return ""
	}
	before, f.touching = f.touching, key
	return before
}

// touching returns the key whose touch f waits for.
func (fs *flights) touching(f *flight) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.touching
}

// waiting lists everybody who waits for a touch of the key.
func (fs *flights) waiting(key string) []string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var names []string
	for f := range fs.active {
		if f.touching == key {
			names = append(names, f.waiters...)
		}
	}
	slices.Sort(names)
	return names
}

// fly starts f or joins its like, and waits. Who gives up leaves the key blinking: PC/SC cannot cancel.
func (a *Agent) fly(ctx context.Context, who Caller, f *flight) (api.Code, error) {
	name := who.String()
	f, first := a.flights.join(f, name)
	if first {
		a.try(f, 0)
	} else if key := a.flights.touching(f); key != "" {
		a.announce(api.EventTouchWanted, f, key)
	}
	select {
	case <-f.ended:
		if f.err != nil {
			return api.Code{}, cardError(f.err, "cannot compute a code of %s", f.acc.Label())
		}
		return f.code, nil
	case <-ctx.Done():
		a.flights.leave(f, name)
		return api.Code{}, cardError(ctx.Err(), "cannot wait any longer for a code of %s", f.acc.Label())
	}
}

// try asks the n-th source; when its key leaves, or another program holds it, the next is asked.
func (a *Agent) try(f *flight, n int) {
	from := f.sources[n]
	var timer *time.Timer
	from.w.submit(job{
		work: func(card hw.Card) error {
			if len(a.flights.names(f)) == 0 {
				return context.Canceled
			}
			s, err := a.open(from.w, card)
			if err != nil {
				return err
			}
			timer = a.expectTouch(f, from)
			return f.calculate(s, from)
		},
		done: func(err error) {
			if timer != nil {
				timer.Stop()
			}
			a.touchOver(f)
			a.noticed(from.w, err)
			if elsewhere(err) && n+1 < len(f.sources) {
				a.try(f, n+1)
				return
			}
			a.arrive(f, from, err)
		},
	})
}

// elsewhere reports whether another key may still give what this one could not.
func elsewhere(err error) bool {
	return gone(err) || errors.Is(err, hw.ErrHeld) || errors.Is(err, hw.ErrReset) || errors.Is(err, ykoath.ErrLocked) || errors.Is(err, ykoath.ErrNoSuchCredential)
}

// noticed has the key looked at again where an error shows that it is not what it was.
func (a *Agent) noticed(w *worker, err error) {
	if errors.Is(err, errSwapped) || errors.Is(err, ykoath.ErrLocked) || errors.Is(err, ykoath.ErrNoSuchCredential) {
		w.submit(a.identify(w, false))
	}
}

// expectTouch tells everybody that the key blinks: at once if the credential is known to need a touch, else when
// it takes longer than any computation.
func (a *Agent) expectTouch(f *flight, from source) *time.Timer {
	blink := func() {
		a.flights.touch(f, from.Key)
		a.announce(api.EventTouchWanted, f, from.Key)
	}
	if !from.Touch {
		return time.AfterFunc(touchGuess, blink)
	}
	blink()
	return nil
}

func (a *Agent) touchOver(f *flight) {
	if key := a.flights.touch(f, ""); key != "" {
		a.announce(api.EventTouchDone, f, key)
	}
}

func (a *Agent) announce(kind api.EventKind, f *flight, key string) {
	e := api.Event{Kind: kind, Key: key, Account: f.acc.ID, Label: f.acc.Label()}
	if k := a.view.Load().keys[key]; k != nil {
		e.KeyLabel = k.Label
	}
	if kind == api.EventTouchWanted {
		e.Waiting = a.flights.names(f)
	}
	a.events.publish(e)
}

// arrive hands the code to those who wait, and keeps it for this step. A code that took a touch is
// not kept beyond them, nor is that of an unproven copy, of which nobody knows whether it needs one.
func (a *Agent) arrive(f *flight, from source, err error) {
	f.err = err
	c := &f.code
	c.Account, c.Label, c.Key, c.KeyLabel = f.acc.ID, f.acc.Label(), from.Key, from.KeyLabel
	c.Proved, c.Soft, c.Touch = from.proved, from.Soft, from.Touch
	c.Warnings = f.acc.warnings(from)
	wanted := a.flights.land(f)
	if err == nil && wanted && !from.Touch && !c.ValidUntil.IsZero() && !f.pair && from.proved {
		f.acc.cell.last.Store(c)
	}
}

// warnings says what a person should know about a code.
func (acc *accountView) warnings(from source) []string {
	var list []string
	if acc.Superseded {
		list = append(list, "this account was superseded by another of the same name")
	}
	if acc.Conflict {
		list = append(list, "another account of this name has another seed; \"oathctl verify --current KEY\" settles which is valid")
	}
	if from.State == api.CopyUnproven && acc.recorded {
		list = append(list, "this copy is not proved; \"oathctl verify --touch\" proves it")
	}
	return list
}
