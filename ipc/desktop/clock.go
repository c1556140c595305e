package desktop

import (
	"sync"
	"time"
)

// The names of systemd's keeper of the time, org.freedesktop.timedate1(5).
const (
	timeName = "org.freedesktop.timedate1"
	timePath = "/org/freedesktop/timedate1"
)

// clockLife is how long it is believed what the keeper of the time has said.
const clockLife = 10 * time.Minute

// clock knows whether the clock is held to others. Its keeper tells of no change, so it is asked: when there is one, when the
// machine has slept, and when somebody wants to know who has not been told of late. While nobody does, nothing is asked.
type clock struct {
	mu   sync.Mutex
	link *link // nil while there is none
	// asked is when it was last asked, asking that the answer is yet to come.
	asked  time.Time
	asking bool
	// loose says that the clock is not held to others.
	loose bool
}

// use has the keeper asked over a link, or, with nil, no more.
func (c *clock) use(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
}

// warning says what was told last, and asks again if that was long ago.
func (c *clock) warning() string {
	c.mu.Lock()
	old, loose := time.Since(c.asked) > clockLife, c.loose
	c.mu.Unlock()
	if old {
		c.look()
	}
	if loose {
		return "the clock is not synchronised, so that codes may be refused; \"timedatectl set-ntp true\" has it held to others"
	}
	return ""
}

// look asks, unless that is under way. It does not wait for the answer.
func (c *clock) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || c.asking {
		return
	}
	c.asking, c.asked = true, time.Now()
	l := c.link
	l.running.Go(func() { c.ask(l) })
}

func (c *clock) ask(l *link) {
	var synchronised bool
	call := l.activate(l.conn.Context(), timeName, timePath, "org.freedesktop.DBus.Properties.Get", timeName, "NTPSynchronized")
	err := call.Store(&synchronised)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = false
	if err == nil {
		c.loose = !synchronised
	}
}
