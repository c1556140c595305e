package agent

import (
	"context"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// eventBuffer is how many events a slow reader may lag behind before it misses some.
const eventBuffer = 64

// hub hands events to its subscribers without ever waiting for one.
type hub struct {
	mu   sync.Mutex
	seq  uint64
	subs map[*subscriber]struct{}
}

type subscriber struct {
	ch      chan api.Event
	skipped uint64
}

func (h *hub) publish(e api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.Seq, e.At = h.seq, time.Now().UTC()
	for s := range h.subs {
		s.offer(e)
	}
}

// offer delivers e, preceded by a note of what was missed. It keeps one place free for that note.
func (s *subscriber) offer(e api.Event) {
	if free := cap(s.ch) - len(s.ch); free < 1 || s.skipped > 0 && free < 2 {
		s.skipped++
		return
	}
	if s.skipped > 0 {
		s.ch <- api.Event{Seq: e.Seq, At: e.At, Kind: api.EventSkipped, Skipped: s.skipped}
		s.skipped = 0
	}
	s.ch <- e
}

func (h *hub) subscribe(ctx context.Context) <-chan api.Event {
	s := &subscriber{ch: make(chan api.Event, eventBuffer)}
	h.mu.Lock()
	if h.subs == nil {
		h.subs = map[*subscriber]struct{}{}
	}
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, s)
		close(s.ch)
	})
	return s.ch
}

// Events returns a channel of events until ctx ends; then it is closed. A reader that is too slow
// misses events and is told how many (api.EventSkipped).
func (a *Agent) Events(ctx context.Context) <-chan api.Event { return a.events.subscribe(ctx) }
