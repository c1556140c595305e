package socket

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

const (
	// maxConns bounds the connections to a door, and with them the memory: some 20 KiB each.
	maxConns = 256

	// grace is how long a connection may be idle before it must make room for a new one. It is long enough for an
	// honest client to send what it connected for.
	grace = 100 * time.Millisecond

	// sweepInterval is how often idle connections are looked for, while there are any: a timer for each would have to
	// be set anew for every request.
	sweepInterval = idleTimeout / 2
)

// gate counts the connections of one door. When there are too many, the one that has been idle the longest is
// closed for a new one's sake, so those that only sit there harm nobody; if all are at work, the new one is told
// so. Idle is every connection without a whole request: half of one is no work. After idleTimeout it is closed in
// any case.
type gate struct {
	mu    sync.Mutex
	conns map[*conn]struct{}
	// sweeper runs while there are connections.
	sweeper *time.Timer
	// full says that somebody waits for freed, which is signalled when a connection ends or begins to be idle.
	full  atomic.Bool
	freed chan struct{}
}

func newGate() *gate {
	g := &gate{conns: make(map[*conn]struct{}), freed: make(chan struct{}, 1)}
	g.sweeper = time.AfterFunc(idleTimeout, g.sweep)
	g.sweeper.Stop()
	return g
}

// admit counts c in. It may wait for grace; a refusal is api.CodeBusy, and c is counted nonetheless.
func (g *gate) admit(c *conn) error {
	for {
		wait, err := g.makeRoom()
		if wait == 0 {
			g.add(c)
			return err
		}
		select {
		case <-g.freed:
		case <-time.After(wait):
		}
	}
}

func (g *gate) add(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) == 0 {
		g.sweeper.Reset(sweepInterval)
	}
	g.conns[c] = struct{}{}
}

// makeRoom closes an idle connection if there are too many. It returns how long to wait before the oldest idle one
// may be closed, or the error for a connection for which there is no room.
func (g *gate) makeRoom() (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.full.Store(len(g.conns) >= maxConns)
	if len(g.conns) < maxConns {
		return 0, nil
	}
	oldest, since := g.oldestIdle()
	if oldest == nil {
		return 0, busy("too many requests at once")
	}
	if wait := grace - (uptime() - since); wait > 0 {
		return wait, nil
	}
	delete(g.conns, oldest)
	_ = oldest.Close()
	return 0, nil
}

func busy(format string, args ...any) *api.Error {
	return &api.Error{Code: api.CodeBusy, Message: "cannot answer: " + fmt.Sprintf(format, args...), Hint: "try again in a moment"}
}

func (g *gate) oldestIdle() (oldest *conn, since time.Duration) {
	for c := range g.conns {
		if t := c.idleSince(); t != working && (oldest == nil || t < since) {
			oldest, since = c, t
		}
	}
	return oldest, since
}

// changed is the server's ConnState.
func (g *gate) changed(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle:
		c.(*conn).rest()
		c.(*conn).between = true
	case http.StateClosed, http.StateHijacked:
		g.remove(c.(*conn))
	default:
		return
	}
	if g.full.Load() {
		select {
		case g.freed <- struct{}{}:
		default:
		}
	}
}

func (g *gate) remove(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	if len(g.conns) == 0 {
		g.sweeper.Stop()
	}
}

// sweep closes what has been idle for too long, and comes again as long as there is anything.
func (g *gate) sweep() {
	g.closeIdle(idleTimeout)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) > 0 {
		g.sweeper.Reset(sweepInterval)
	}
}

// settle waits until no connection has a request, or is so new that its first one may be on the way, and no longer than limit.
func (g *gate) settle(limit time.Duration) {
	tick := time.NewTicker(grace / 20)
	defer tick.Stop()
	for end := uptime() + limit; g.busy() && uptime() < end; {
		<-tick.C
	}
}

func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if since := c.idleSince(); since == working || uptime()-since < grace {
			return true
		}
	}
	return false
}

// close ends the sweeping, and every connection that has no request.
func (g *gate) close() {
	g.sweeper.Stop()
	g.closeIdle(0)
}

// closeIdle closes every connection that has had no request for so long.
func (g *gate) closeIdle(limit time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if since := c.idleSince(); since != working && uptime()-since >= limit {
			_ = c.Close()
		}
	}
}
