package socket

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

const (
	// maxConns bounds the connections, and with them the memory: some 20 KiB each.
	maxConns = 256

	// grace is how long a connection may be idle before it must make room for a new one. It is long enough for an
	// honest client to send what it connected for.
	grace = 100 * time.Millisecond
)

// gate counts the connections. When there are too many, the one that has been idle the longest is closed for a
// new one's sake, so those that only sit there harm nobody; if all are at work, the new one is told so.
type gate struct {
	mu sync.Mutex
	// idleSince holds every open connection; the time is zero while it has a request.
	idleSince map[net.Conn]time.Time
	// freed is signalled when a connection ends or begins to be idle.
	freed chan struct{}
}

func newGate() *gate {
	return &gate{idleSince: make(map[net.Conn]time.Time), freed: make(chan struct{}, 1)}
}

// admit counts c in. It may wait for grace; a refusal is api.CodeBusy, and c is counted nonetheless.
func (g *gate) admit(c net.Conn) error {
	for {
		wait, err := g.makeRoom()
		if wait == 0 {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.idleSince[c] = time.Now()
			return err
		}
		select {
		case <-g.freed:
		case <-time.After(wait):
		}
	}
}

// makeRoom closes an idle connection if there are too many. It returns how long to wait before the oldest idle one
// may be closed, or the error for a connection for which there is no room.
func (g *gate) makeRoom() (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.idleSince) < maxConns {
		return 0, nil
	}
	oldest, since := g.oldestIdle()
	if oldest == nil {
		return 0, &api.Error{
			Code:    api.CodeBusy,
			Message: "cannot answer: too many requests at once",
			Hint:    "try again in a moment",
		}
	}
	if wait := grace - time.Since(since); wait > 0 {
		return wait, nil
	}
	delete(g.idleSince, oldest)
	_ = oldest.Close()
	return 0, nil
}

func (g *gate) oldestIdle() (oldest net.Conn, since time.Time) {
	for c, t := range g.idleSince {
		if !t.IsZero() && (oldest == nil || t.Before(since)) {
			oldest, since = c, t
		}
	}
	return oldest, since
}

// changed is the server's ConnState.
func (g *gate) changed(c net.Conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, open := g.idleSince[c]; !open {
		return // closed to make room
	}
	switch state {
	case http.StateActive:
		g.idleSince[c] = time.Time{}
		return
	case http.StateIdle:
		g.idleSince[c] = time.Now()
	case http.StateClosed, http.StateHijacked:
		delete(g.idleSince, c)
	}
	select {
	case g.freed <- struct{}{}:
	default:
	}
}

// closeIdle closes every connection that has no request.
func (g *gate) closeIdle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, since := range g.idleSince {
		if !since.IsZero() {
			_ = c.Close()
		}
	}
}
