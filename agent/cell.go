package agent

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// cell keeps the last code of an account, read without a lock.
type cell struct{ last atomic.Pointer[api.Code] }

// load returns the code if it is of this moment's step and lives long enough.
func (c *cell) load(now time.Time, minValidity time.Duration) (api.Code, bool) {
	code := c.last.Load()
	if code == nil || now.Before(code.ValidFrom) || !now.Add(minValidity).Before(code.ValidUntil) {
		return api.Code{}, false
	}
	return *code, true
}

// cellOf returns the account's cell; it outlives the views. Callers hold a.mu.
func (a *Agent) cellOf(account string) *cell {
	c := a.cells[account]
	if c == nil {
		c = &cell{}
		a.cells[account] = c
	}
	return c
}

// dropCells forgets the cells of accounts that are no longer there. Callers hold a.mu.
func (a *Agent) dropCells(v *view) {
	for id, c := range a.cells {
		if v.accounts[id] == nil {
			c.last.Store(nil)
			delete(a.cells, id)
		}
	}
}

// emptyCells forgets the codes that keys gave which are gone now: who has pulled out a key wants no
// more codes of it. Callers hold a.mu.
func (a *Agent) emptyCells(left []*worker) {
	for _, w := range left {
		id := w.state.key
		if id == "" && w.state.known {
			id = seenID(w)
		}
		for _, c := range a.cells {
			if code := c.last.Load(); code != nil && code.Key == id {
				c.last.Store(nil)
			}
		}
	}
}

// emptyAllCells forgets every code.
func (a *Agent) emptyAllCells() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.cells {
		c.last.Store(nil)
	}
}

// jumpLimit is how far wall clock and monotonic clock may drift apart between two looks before it is called a
// jump: somebody set the clock, or the machine slept.
const jumpLimit = 2 * time.Second

// clock notices when the wall clock jumps.
type clock struct {
	mu   sync.Mutex
	base time.Time
}

func (c *clock) reset() { c.base = time.Now() }

// jumped reports whether the wall clock has jumped since the last call that said so.
func (c *clock) jumped(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	drift := now.Round(0).Sub(c.base.Round(0)) - now.Sub(c.base)
	if drift.Abs() < jumpLimit {
		return false
	}
	c.base = now
	return true
}
