package agent

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
)

// worker owns one insertion of a key: its goroutine is the only one that has the bay touch the card.
// Everybody else queues a job and waits with a context of his own, for a card call cannot be cancelled.
type worker struct {
	slot  hw.Slot
	bay   Bay
	guess *guess

	// state is what the key told when it was looked at, next the look that is queued, if one is; both are
	// guarded by Agent.mu.
	state keyState
	next  *sighting
	// recalled is the device id that was last looked up in the keyring, recall is closed when a look-up has ended; nil while there is
	// none. They are guarded by Agent.mu too.
	recalled string
	recall   chan struct{}

	mu    sync.Mutex
	queue []job
	over  bool
	wake  chan struct{}
	// gone is closed when the agent knows that the key was pulled out.
	gone chan struct{}
}

// keyState is what is known of a key that is plugged in.
type keyState struct {
	// known says that the key was looked at; until then nothing else here means anything.
	known bool
	// key is the ledger's id of an adopted key, else "".
	key string
	// identity does not change while the key is plugged in; it is read once.
	identity identity
	// info is what the applet said when it was last selected; selected says that it ever was.
	selected bool
	info     ykoath.Info
	locked   bool
	listing  []ykoath.Entry
	// trouble says why the last look failed.
	trouble error
}

// job is one unit of work in one transaction. done is called exactly once, whether work was begun or not: from the
// worker's goroutine, or, where the key is gone, from that of submit or stop.
type job struct {
	work func(hw.Card) error
	done func(error)
	// alone: without a transaction, and without the card, for somebody who takes it exclusively.
	alone bool
}

func newWorker(slot hw.Slot, bay Bay) *worker {
	return &worker{slot: slot, bay: bay, guess: newGuess(), wake: make(chan struct{}, 1), gone: make(chan struct{})}
}

// run works until stop is called.
func (w *worker) run() {
	for {
		j, over := w.take()
		if over {
			return
		}
		if j == nil {
			<-w.wake
			continue
		}
		if j.alone {
			j.done(j.work(nil))
			continue
		}
		j.done(w.bay.Transact(w.slot, j.work))
	}
}

// take returns the next job, nil if none is queued.
func (w *worker) take() (j *job, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || len(w.queue) == 0 {
		return nil, w.over
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

// stop ends the worker: the key is gone. What is queued fails; a job that is under way ends by itself.
func (w *worker) stop() {
	w.mu.Lock()
	left := w.queue
	w.queue, w.over = nil, true
	w.mu.Unlock()
	close(w.gone)
	w.guess.stop()
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

// do runs work in a transaction and then, before anybody else uses the key, record, which gets work's error and
// returns the final one. When ctx ends before work has begun, neither is called; once it has begun it
// is waited for, so that its outcome is always known to the one who has to write it down, and what
// the caller owns is no longer in use when do returns.
func (w *worker) do(ctx context.Context, work func(hw.Card) error, record func(error) error) error {
	return w.perform(ctx, false, work, record)
}

// alone runs work while nobody here uses the key.
func (w *worker) alone(ctx context.Context, work func() error) error {
	return w.perform(ctx, true, func(hw.Card) error { return work() }, asIs)
}

func (w *worker) perform(ctx context.Context, alone bool, work func(hw.Card) error, record func(error) error) error {
	var claimed atomic.Bool // by the work as it begins, or by the caller as he gives up
	begun := false
	result := make(chan error, 1)
	w.submit(job{
		alone: alone,
		work: func(card hw.Card) error {
			if begun = claimed.CompareAndSwap(false, true); !begun {
				return context.Canceled
			}
			return work(card)
		},
		done: func(err error) {
			if begun {
				err = record(err)
			}
			result <- err
		},
	})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		if claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-result
	}
}

// asIs is a record that has nothing to write down.
func asIs(err error) error { return err }
