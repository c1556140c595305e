package agent

import "time"

// JumpClock makes it look as if the wall clock had just jumped by d.
func (a *Agent) JumpClock(d time.Duration) {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	a.clock.wall = a.clock.wall.Add(-d)
}

// Passwords counts the passwords that are remembered.
func (a *Agent) Passwords() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.passwords)
}

// Publish makes the view anew.
func (a *Agent) Publish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.publish()
}

// WrapLedger has the commits of an agent, which must be idle, go somewhere else.
func WrapLedger(a *Agent, c committer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commits = c
}
