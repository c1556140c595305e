package agent

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// noticeTime is how long it may take until a key that does not answer any more is seen to be gone.
const noticeTime = 2 * time.Second

// flightID names what two requests must have in common to share one computation.
type flightID struct {
	account string
	key     string // "" if any key will do
	step    uint64
	pair    bool
}

// flight is one computation on its way, with everybody who waits for it.
type flight struct {
	id      flightID
	acc     *accountView
	sources []source
	// fresh flights have a step of their own, which is marked as used already.
	fresh bool
	// repeated says that a reset by another program was made up for once.
	repeated bool

	code  api.Code
	err   error
	ended chan struct{}
	touch atomic.Pointer[touch]

	// waiters and stopped are guarded by flights.mu. stopped is closed when those who wait are to give up; those who come later
	// get another.
	waiters []string
	stopped chan struct{}
}

func (f *flight) hotp() bool { return f.acc.oath.Type == oath.HOTP }

// shared reports whether others may have this code too. Each HOTP code is given once, as is each fresh one.
func (f *flight) shared() bool { return !f.hotp() && !f.fresh }

// flights are the computations that can be joined.
type flights struct {
	mu   sync.Mutex
	byID map[flightID]*flight
}

// join lets name wait for f, or for the like of f that is on its way already, until it ends or stopped is closed.
func (fs *flights) join(f *flight, name string) (joined *flight, stopped <-chan struct{}, first bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if there := fs.byID[f.id]; there != nil && f.shared() {
		there.waiters = append(there.waiters, name)
		return there, there.stopped, false
	}
	f.ended, f.stopped = make(chan struct{}), make(chan struct{})
	f.waiters = []string{name}
	if f.shared() {
		if fs.byID == nil {
			fs.byID = map[flightID]*flight{}
		}
		fs.byID[f.id] = f
	}
	return f, f.stopped, true
}

// stop has everybody give up who waits now.
func (fs *flights) stop(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiters = nil
	close(f.stopped)
	f.stopped = make(chan struct{})
}

// leave takes a waiter out who has given up.
func (fs *flights) leave(f *flight, name string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if i := slices.Index(f.waiters, name); i >= 0 {
		f.waiters = slices.Delete(f.waiters, i, i+1)
	}
}

// wanted reports whether anybody still waits. If not, nobody can join any more.
func (fs *flights) wanted(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(f.waiters) == 0 {
		fs.drop(f)
	}
	return len(f.waiters) > 0
}

// land hands the result to everybody who waits.
func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.drop(f)
	close(f.ended)
}

func (fs *flights) drop(f *flight) {
	if fs.byID[f.id] == f {
		delete(fs.byID, f.id)
	}
}

// names lists who waits for f.
func (fs *flights) names(f *flight) []string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(f.waiters)
}

// fly starts f or joins its like, and waits. Who gives up leaves the key blinking: PC/SC cannot cancel.
func (a *Agent) fly(ctx context.Context, who Caller, f *flight) (api.Code, error) {
	name := who.String()
	f, stopped, first := a.flights.join(f, name)
	if first {
		a.launch(f)
	} else {
		f.changed()
	}
	select {
	case <-f.ended:
		if f.err == nil && f.over(time.Now()) {
			return api.Code{}, refuse(api.CodeClock, "ask again", "cannot give a code of %s: its time was over before the key answered", f.acc.Label())
		}
		return f.code, f.err
	case <-stopped:
		return api.Code{}, refuse(api.CodeCanceled, "ask again, and touch the key", "cannot wait any longer for a code of %s: you chose to stop", f.acc.Label())
	case <-ctx.Done():
		a.flights.leave(f, name)
		f.changed()
		return api.Code{}, cardError(ctx.Err(), "cannot wait any longer for a code of %s", f.acc.Label())
	}
}

// over reports whether the code is of another time than now, as it is where the clock was set or the machine slept while a finger was
// waited for. Services take a code for one step more (RFC 6238, 5.2).
func (f *flight) over(now time.Time) bool {
	if f.hotp() {
		return false
	}
	step, end := oath.Step(now, f.acc.Period), f.id.step+f.steps()
	return step > end || step+1 < f.id.step
}

// lost reports whether the flight came to nothing as its key was pulled out, which the agent then knows, too: what it shows from now
// on is what came after. So there is sense in planning another.
func (f *flight) lost(ctx context.Context, err error) bool {
	if !f.shared() || !errors.Is(err, hw.ErrRemoved) {
		return false
	}
	late := time.NewTimer(noticeTime)
	defer late.Stop()
	select {
	case <-f.sources[len(f.sources)-1].w.gone:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// changed tells those who look at a blinking key that others wait for it now.
func (f *flight) changed() {
	if t := f.touch.Load(); t != nil {
		t.changed()
	}
}

// launch has the best copy asked. Another flight may have landed with the code since the caller looked.
func (a *Agent) launch(f *flight) {
	code := f.acc.cell.last.Load()
	if code != nil && f.shared() && !f.id.pair && f.id.key == "" && code.ValidFrom.Equal(oath.StepStart(f.id.step, f.acc.Period)) {
		f.code = *code
		a.flights.land(f)
		return
	}
	a.try(f, 0)
}

// owe notes that the code is being handed out. That it cannot be recorded is no reason to lock somebody out, for only who
// asks for a fresh code relies on it.
func (a *Agent) owe(f *flight) {
	if !f.shared() {
		return
	}
	if trouble := a.used.owe(f.acc.seed, f.id.step, f.steps()); trouble != nil {
		f.code.Warnings = append(f.code.Warnings, "the ledger cannot be written, so that --fresh may give this code again: "+trouble.Error())
	}
}

// pay records what owe has noted.
func (a *Agent) pay(f *flight) {
	if err := a.used.pay(f.acc.seed); err != nil {
		a.log.Warn("cannot record that a code is handed out", "error", err)
	}
}

func (f *flight) steps() uint64 {
	if f.id.pair {
		return 2
	}
	return 1
}

// try asks the n-th source. When its key cannot answer, the next is asked. The code arrives as soon as it is there:
// nobody waits for the transaction's end, nor for the commit of its step, and what goes wrong then is no news about the code.
func (a *Agent) try(f *flight, n int) {
	from, arrived := f.sources[n], false
	touch := a.flightTouch(f, from)
	from.w.guess.prepare()
	from.w.submit(job{
		work: func(card hw.Card) error {
			err := a.compute(f, from, card, touch)
			if arrived = err == nil; arrived {
				a.arrive(f, from, nil)
				runtime.Gosched() // those who wait go first, on this thread
			}
			return err
		},
		done: func(err error) {
			touch.end()
			a.noticed(from.w, err)
			switch {
			case arrived:
				a.pay(f)
			case errors.Is(err, hw.ErrReset) && f.shared() && !f.repeated:
				f.repeated = true
				a.try(f, n)
			case elsewhere(err) && n+1 < len(f.sources):
				a.try(f, n+1)
			case errors.Is(err, ykoath.ErrLocked):
				a.arrive(f, from, lockedKey(from.KeyLabel, "cannot give a code of %s: %s is locked", f.acc.Label(), from.KeyLabel))
			default:
				a.arrive(f, from, err)
			}
		},
	})
}

// compute is the unit of work that yields the code, if anybody still wants it.
func (a *Agent) compute(f *flight, from source, card hw.Card, t *touch) error {
	if !a.flights.wanted(f) {
		return context.Canceled
	}
	s, err := a.open(from.w, card)
	if err != nil {
		return err
	}
	f.touch.Store(t) // before it is told, for who hears of it may join
	t.expect(from.Touch)
	err = f.calculate(s, from)
	f.touch.Store(nil)
	f.code.Touch = t.end()
	return err
}

// flightTouch is the touch that a copy may ask for.
func (a *Agent) flightTouch(f *flight, from source) *touch {
	about := api.Event{Key: from.Key, Account: f.acc.ID, Label: f.acc.Label()}
	t := a.newTouch(from.w, about, func() []string { return a.flights.names(f) }, nil)
	t.stop = func() {
		a.flights.stop(f)
		t.changed()
	}
	return t
}

// elsewhere reports whether another key may still give what this one could not: any failure but that of the
// person, who was asked once.
func elsewhere(err error) bool {
	return err != nil && !errors.Is(err, ykoath.ErrTouchTimeout) && !errors.Is(err, context.Canceled)
}

// arrive hands the code, or the last error, to those who wait, and keeps a code for this step. One that took a touch is not
// kept beyond them, nor is that of an unproven copy, of which nobody knows whether it needs one.
func (a *Agent) arrive(f *flight, from source, err error) {
	f.err = err
	c := &f.code
	c.Account, c.Label, c.Key, c.KeyLabel = f.acc.ID, f.acc.Label(), from.Key, from.KeyLabel
	c.Proved, c.Soft = from.proved, from.Soft
	c.Warnings = f.acc.warnings(from)
	if clock := a.options.ClockWarning(); clock != "" && !f.hotp() {
		c.Warnings = append(c.Warnings, clock)
	}
	if err == nil {
		a.owe(f)
	}
	if f.err == nil && c.Proved && !c.Touch && !f.hotp() && !f.id.pair {
		f.acc.cell.last.Store(c)
	}
	a.flights.land(f)
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
	if from.State == api.CopyUnproven && acc.recorded && acc.oath.Type == oath.TOTP {
		list = append(list, "this copy is not proved; \"oathctl verify --touch\" proves it")
	}
	return list
}
