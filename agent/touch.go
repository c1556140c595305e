package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// board lists who waits for a touch of which key outside of a request for a code.
type board struct {
	mu    sync.Mutex
	names map[string][]string
}

func (b *board) enter(key, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.names == nil {
		b.names = map[string][]string{}
	}
	b.names[key] = append(b.names[key], name)
}

// leave takes a name off the board and reports whether it was there.
func (b *board) leave(key, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.names[key], name)
	if i >= 0 {
		b.names[key] = slices.Delete(b.names[key], i, i+1)
	}
	return i >= 0
}

func (b *board) list(key string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.names[key])
}

// waitingFor lists everybody who waits for a touch of the key.
func (a *Agent) waitingFor(key string) []string {
	return append(a.flights.waiting(key), a.board.list(key)...)
}

// touching runs ask, which may wait for a touch, and tells everybody that the key blinks: at once where the
// credential is known to need a touch, else when ask takes longer than any computation.
func (a *Agent) touching(who Caller, key, account, label string, known bool, tell func(), ask func() error) error {
	e := api.Event{Kind: api.EventTouchWanted, Key: key, Account: account, Label: label}
	if k := a.view.Load().keys[key]; k != nil {
		e.KeyLabel = k.Label
	}
	blink := func() {
		a.board.enter(key, who.String())
		e := e
		e.Waiting = a.waitingFor(key)
		a.events.publish(e)
		tell()
	}
	delay := touchGuess
	if known {
		delay = 0
		blink()
	}
	over := make(chan struct{})
	var guess sync.WaitGroup
	if delay > 0 {
		guess.Go(func() {
			select {
			case <-over:
			case <-time.After(delay):
				blink()
			}
		})
	}
	err := ask()
	close(over)
	guess.Wait()
	if a.board.leave(key, who.String()) {
		e.Kind = api.EventTouchDone
		a.events.publish(e)
	}
	return err
}
