// Package desktop owns what the daemon wants of the desktop around it, as a client on its buses: that people are told what they
// would wait for in vain, that it is noticed when nobody sits at the screen any more, and when the machine sleeps or its clock is
// not to be trusted; and that keys derived from passwords outlive the daemon in the keyring, never the passwords. None of those services need be there, and none that hangs holds up anybody else.
package desktop

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/line"
)

// Options are what a Desktop needs.
type Options struct {
	// Session and System are the addresses of the two buses, in D-Bus's own form; "" for a bus that is not to be used.
	Session, System string
	// Quiet has nobody told anything.
	Quiet bool
	// Ykman has keys looked up that ykman and Yubico Authenticator remember, too.
	Ykman bool
	Log   *slog.Logger
}

// Keys is what people are told of.
type Keys interface {
	// Events tells that something has happened, until ctx ends.
	Events(ctx context.Context) <-chan api.Event
	// Touches lists the keys that wait for a finger, Key finds one key.
	Touches() []agent.Touch
	Key(selector string) (api.Key, error)
}

// Memory is what is not to outlive a person's presence.
type Memory interface {
	// Forget forgets the codes that are in memory; Awake does too, and looks at the keys again that a sleep may have cost.
	Forget()
	Awake(ctx context.Context)
}

// Core is the agent.
type Core interface {
	Keys
	Memory
	// Recall unlocks the keys whose passwords the keyring remembers.
	Recall(ctx context.Context)
}

// Desktop is the daemon's side of the desktop. Its methods may be called by several goroutines, and before Run.
type Desktop struct {
	session, system line.Line
	board           *board // nil where nobody is told anything
	presence        presence
	clock           clock
	keyring         keyring
	ykman           bool
	log             *slog.Logger
	// away is poked when nobody may sit at the screen any more.
	away chan struct{}
}

const (
	// callTime is how long a service may take to answer, startTime how long one that may have to be started first.
	callTime  = 5 * time.Second
	startTime = 30 * time.Second
)

// New returns a desktop that has not looked for its buses yet. A bus whose address cannot be used is one that is not there.
func New(o Options) *Desktop {
	d := &Desktop{ykman: o.Ykman, log: o.Log, away: make(chan struct{}, 1)}
	d.session, d.system = d.lineTo("session bus", o.Session), d.lineTo("system bus", o.System)
	if !o.Quiet {
		d.board = newBoard(o.Log)
	}
	return d
}

func (d *Desktop) lineTo(name, address string) line.Line {
	if address == "" {
		return line.Line{}
	}
	l, err := line.New(name, address, d.log)
	if err != nil {
		d.log.Warn("cannot reach the desktop", "error", err)
	}
	return l
}

// Run deals with the desktop until ctx ends.
func (d *Desktop) Run(ctx context.Context, core Core) {
	var running sync.WaitGroup
	running.Go(func() { d.forget(ctx, core) })
	running.Go(func() { d.session.Keep(ctx, d.openSession(core)) })
	running.Go(func() { d.system.Keep(ctx, d.openSystem(core)) })
	if d.board != nil {
		d.board.watch(ctx, core)
	}
	running.Wait()
}

// forget has the codes forgotten whenever somebody may have left the screen, until ctx ends.
func (d *Desktop) forget(ctx context.Context, core Core) {
	for {
		select {
		case <-d.away:
			core.Forget()
		case <-ctx.Done():
			return
		}
	}
}

// left notes that somebody may have left the screen. It never blocks.
func (d *Desktop) left() { poke(d.away) }

// Locked reports whether nobody sits at the screen who may be shown anything: it is locked, or another user has it. Where no
// desktop says so, it is not.
func (d *Desktop) Locked() bool { return d.presence.locked() }

// Tell tells the person something that nobody waits for. It never blocks, and takes the place of what was told before.
func (d *Desktop) Tell(title, text string) {
	if d.board != nil {
		d.board.put(news, &notice{title: title, body: text})
	}
}

// ClockWarning says what is wrong with the clock, "" where nothing is known to be wrong. It never blocks.
func (d *Desktop) ClockWarning() string { return d.clock.warning() }

// poke wakes whoever waits for c, or has it go on once more.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
