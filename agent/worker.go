package agent

import (
	"context"
	"errors"
	"sync"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// worker owns one insertion of a key: its goroutine is the only one that has the bay touch the card.
// Everybody else queues a job and waits with a context of his own, for a card call cannot be cancelled.
type worker struct {
	slot hw.Slot
	bay  Bay

	// state is what the key told when it was looked at; guarded by Agent.mu.
	state keyState

	mu    sync.Mutex
	queue []job
	over  bool
	wake  chan struct{}
}

// keyState is what is known of a key that is plugged in.
type keyState struct {
	// known says that the key was looked at; until then nothing else here means anything.
	known bool
	// key is the ledger's id of an adopted key, else "".
	key      string
	serial   uint32
	firmware string
	form     string
	info     ykoath.Info
	locked   bool
	listing  []ykoath.Entry
	// probed says that the last look asked for fingerprints, and got them.
	probed  bool
	trouble error
}

// job is one unit of work in one transaction; done is called exactly once, from the worker's goroutine.
type job struct {
	work func(hw.Card) error
	done func(error)
}

func newWorker(slot hw.Slot, bay Bay) *worker {
	return &worker{slot: slot, bay: bay, wake: make(chan struct{}, 1)}
}

// run works until stop is called, then fails what is still queued.
func (w *worker) run() {
	for {
		j, over := w.next()
		if over {
			return
		}
		if j == nil {
			<-w.wake
			continue
		}
		j.done(w.bay.Transact(w.slot, j.work))
	}
}

func (w *worker) next() (j *job, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, true
	}
	if len(w.queue) == 0 {
		return nil, false
	}
	first := w.queue[0]
	w.queue = w.queue[1:]
	return &first, false
}

// submit queues a job; it never blocks.
func (w *worker) submit(j job) {
	w.mu.Lock()
	over := w.over
	if !over {
		w.queue = append(w.queue, j)
	}
	w.mu.Unlock()
	if over {
		j.done(hw.ErrRemoved)
		return
	}
	w.poke()
}

// stop ends the worker: the key is gone. A job that is under way ends by itself.
func (w *worker) stop() {
	w.mu.Lock()
	left := w.queue
	w.queue, w.over = nil, true
	w.mu.Unlock()
	w.poke()
	for _, j := range left {
		j.done(hw.ErrRemoved)
	}
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// do queues work and waits for it. When ctx ends first, work may still run: it must not touch what
// the caller owns unless it first sees that ctx is alive.
func (w *worker) do(ctx context.Context, work func(hw.Card) error) error {
	result := make(chan error, 1)
	w.submit(job{work: work, done: func(err error) { result <- err }})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// doAll is do for work that changes the card: it is not abandoned halfway, so that its outcome is
// always known to the one who writes it down.
func (w *worker) doAll(ctx context.Context, work func(hw.Card) error) error {
	return w.do(context.WithoutCancel(ctx), func(c hw.Card) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return work(c)
	})
}

// open begins a unit of work: SELECT, and VALIDATE where a password is set. It makes sure that the
// key is still the one that this worker has looked at.
func (a *Agent) open(w *worker, card hw.Card) (*ykoath.Session, error) {
	s, err := ykoath.Select(card)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	state := w.state
	key := a.passwords[s.Info().DeviceID()].Clone()
	a.mu.Unlock()
	defer key.Wipe()
	if state.known && state.info.DeviceID() != s.Info().DeviceID() {
		return nil, errSwapped
	}
	return s, a.validate(s, key)
}

// validate shows the card its password. One that no longer fits is forgotten.
func (a *Agent) validate(s *ykoath.Session, key *oath.Secret) error {
	if !s.Info().PasswordSet() {
		return nil
	}
	if key.Len() == 0 {
		return ykoath.ErrLocked
	}
	err := s.Validate(key)
	if errors.Is(err, ykoath.ErrWrongPassword) {
		a.forget(s.Info().DeviceID())
		return errors.Join(ykoath.ErrLocked, err)
	}
	return err
}

// remember keeps the key derived from a password until the daemon ends or the applet is reset.
func (a *Agent) remember(deviceID string, key *oath.Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passwords[deviceID].Wipe()
	a.passwords[deviceID] = key
}

func (a *Agent) forget(deviceID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passwords[deviceID].Wipe()
	delete(a.passwords, deviceID)
}
