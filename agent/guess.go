package agent

import (
	"sync/atomic"
	"time"
)

// touchGuess is after how long without an answer a key is presumed to wait for a touch, where it is not
// known whether the credential needs one. The slowest computation known takes 70 ms.
const touchGuess = 500 * time.Millisecond

// guess waits until one key has not answered for touchGuess. Its timer is left running after an answer: to set on one that runs costs
// nothing, to start one wakes a sleeping thread, and that between two commands to the key.
type guess struct {
	timer *time.Timer
	asked atomic.Pointer[asking]
}

// asking is a touch that the key may wait for since it was asked.
type asking struct {
	touch *touch
	since time.Time
}

func newGuess() *guess {
	g := new(guess)
	g.timer = time.AfterFunc(touchGuess, g.over)
	return g
}

// prepare starts the timer, so that begin need not. It is for the moment at which work is queued, when threads are awake.
func (g *guess) prepare() { g.timer.Reset(touchGuess) }

// begin is called right before the key is asked for what may take a touch.
func (g *guess) begin(t *touch) {
	g.asked.Store(&asking{t, time.Now()})
	g.timer.Reset(touchGuess)
}

// end is called when the key has answered.
func (g *guess) end(t *touch) {
	if asked := g.asked.Load(); asked != nil && asked.touch == t {
		g.asked.CompareAndSwap(asked, nil)
	}
}

// over is what the timer does, which may have been set for another touch.
func (g *guess) over() {
	if asked := g.asked.Load(); asked != nil && time.Since(asked.since) >= touchGuess {
		asked.touch.begin()
	}
}

// stop is for when the key is gone.
func (g *guess) stop() { g.timer.Stop() }
