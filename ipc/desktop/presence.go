package desktop

import (
	"maps"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// presence knows whether somebody sits at the screen: what the session manager says of the user's sessions, and what the screen
// savers say of themselves. Each change answers whether somebody may have left.
type presence struct {
	mu    sync.Mutex
	seats map[dbus.ObjectPath]seat
	// savers are the screen savers that are on, by service.
	savers map[string]bool
}

// seat is a graphical session of the user.
type seat struct {
	// active says that it has the screen, locked that it is locked.
	active, locked bool
}

func (s seat) open() bool { return s.active && !s.locked }

// locked: a saver is on, or there are sessions and none of them is open. Where there is none, nobody knows.
func (p *presence) locked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, on := range p.savers {
		if on {
			return true
		}
	}
	return len(p.seats) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(p.seats)), seat.open)
}

// reset takes all sessions over. A session that is gone was left.
func (p *presence) reset(seats map[dbus.ObjectPath]seat) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, before := range p.seats {
		left = left || before.open() && !seats[path].open()
	}
	p.seats = seats
	return left
}

// set takes one session over, drop lets it go.
func (p *presence) set(path dbus.ObjectPath, now seat) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left = p.seats[path].open() && !now.open()
	if p.seats == nil {
		p.seats = map[dbus.ObjectPath]seat{}
	}
	p.seats[path] = now
	return left
}

func (p *presence) drop(path dbus.ObjectPath) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left = p.seats[path].open()
	delete(p.seats, path)
	return left
}

// seat returns a session of the user's.
func (p *presence) seat(path dbus.ObjectPath) (s seat, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ours = p.seats[path]
	return s, ours
}

// save takes over whether a screen saver is on.
func (p *presence) save(service string, on bool) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left = on && !p.savers[service]
	if p.savers == nil {
		p.savers = map[string]bool{}
	}
	p.savers[service] = on
	return left
}
