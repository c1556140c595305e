package agent

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// cell keeps the last code of an account, read without a lock. It belongs to a view and is empty in the next:
// whatever changes (a key leaves, an account is renamed), no code outlives it.
type cell struct{ last atomic.Pointer[api.Code] }

// load returns the code if it is of this moment's step and lives long enough, else nil. It is not to be changed.
func (c *cell) load(now time.Time, minValidity time.Duration) *api.Code {
	code := c.last.Load()
	if code == nil || now.Before(code.ValidFrom) || !now.Add(minValidity).Before(code.ValidUntil) {
		return nil
	}
	return code
}

// jumpLimit is how far wall clock and monotonic clock may drift apart between two looks before it is called a
// jump: somebody set the clock, or the machine slept.
const jumpLimit = 2 * time.Second

// clock notices when the wall clock jumps against the monotonic one.
type clock struct {
	mu sync.Mutex
	// wall and base are the same moment, by either clock.
	wall, base time.Time
}

func (c *clock) set(now time.Time) { c.wall, c.base = now.Round(0), now }

// jumped reports whether the wall clock has jumped since the last call that said so.
func (c *clock) jumped(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	drift := now.Round(0).Sub(c.wall) - now.Sub(c.base)
	if drift.Abs() < jumpLimit {
		return false
	}
	c.set(now)
	return true
}
