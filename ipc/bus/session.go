package bus

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/line"
)

// session is one connection to the bus, from its beginning to its end.
type session struct {
	families
	agent   *agent.Agent
	log     *slog.Logger
	conn    *dbus.Conn
	callers callers
	finder  finder

	// world is what is served now, read without a lock; changing holds off a second refresh.
	world    atomic.Pointer[world]
	changing sync.Mutex
}

// open connects to the bus that listens on the socket. ctx ends the connection.
func (s *Server) open(ctx context.Context, socket string) (*session, error) {
	now := &session{families: s.families, agent: s.agent, finder: finder{Search: s.search}, log: s.log}
	now.world.Store(newWorld(nil, nil))
	conn, err := line.Open(ctx, socket, dbus.WithHandler(now), dbus.WithSignalHandler(now))
	if err != nil {
		return nil, err
	}
	now.conn = conn
	now.callers = callers{conn: conn, known: map[string]*caller{}}
	return now, line.Greet(conn, socket)
}

// serve answers calls and tells of events until the connection ends. Calls under way are then cancelled, and
// waited for as long as timeout.
func (s *session) serve(timeout time.Duration) error {
	// The events come first, so that nothing is missed between them and the objects.
	events := s.agent.Events(s.conn.Context())
	s.world.Store(newWorld(s.lookAtKeys(), s.lookAtAccounts()))
	err := s.claimName()
	if err != nil {
		_ = s.conn.Close()
	}
	for e := range events {
		s.report(e, events)
	}
	return cmp.Or(err, s.callers.close(timeout), io.EOF)
}

// claimName asks for our name. Where another program has it, the bus lets us wait for it, and tells us
// when it is ours (NameAcquired).
func (s *session) claimName() error {
	reply, err := s.conn.RequestName(api.BusName, 0)
	if err != nil {
		return fmt.Errorf("cannot get the name %s: %w", api.BusName, err)
	}
	if reply == dbus.RequestNameReplyInQueue {
		s.log.Warn("another program has our name on the session bus; it is ours when that program ends", "name", api.BusName, "owner", s.owner())
	}
	return nil
}

// owner says who has our name.
func (s *session) owner() string {
	var sender string
	if err := s.conn.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, api.BusName).Store(&sender); err != nil {
		return "unknown"
	}
	_, pid, err := credentials(s.conn.Context(), s.conn, sender)
	if err != nil {
		return sender
	}
	return fmt.Sprintf("%s (pid %d)", sender, pid)
}

// report tells of an event and of those that wait behind it, after what they have changed.
func (s *session) report(first api.Event, more <-chan api.Event) {
	batch := []api.Event{first}
	for range len(more) {
		if e, ok := <-more; ok {
			batch = append(batch, e)
		}
	}
	accounts := false
	for _, e := range batch {
		accounts = accounts || !aboutKeys(e.Kind)
	}
	s.refresh(accounts)
	for _, e := range batch {
		if name, values := signalOf(e); name != "" {
			s.emit(api.BusPath, api.BusManager+"."+name, values...)
		}
	}
}

// refresh brings the objects up to date, the accounts if that is asked for, and announces what has changed.
func (s *session) refresh(accounts bool) {
	s.changing.Lock()
	defer s.changing.Unlock()
	before := s.world.Load()
	now := &world{s.lookAtKeys(), before.accounts, before.index}
	if accounts {
		now = newWorld(now.keys, s.lookAtAccounts())
	}
	s.world.Store(now)
	s.announce(before.keys, now.keys)
	if accounts {
		s.announce(before.accounts, now.accounts)
	}
}

// emit sends a signal; what goes wrong with the connection ends it, and is met there.
func (s *session) emit(path dbus.ObjectPath, name string, values ...any) {
	if err := s.conn.Emit(path, name, values...); err != nil {
		s.log.Debug("cannot send a signal", "signal", name, "error", err)
	}
}

// DeliverSignal is dbus.SignalHandler. godbus calls it in the order in which signals and answers arrive.
func (s *session) DeliverSignal(_, _ string, signal *dbus.Signal) {
	if signal.Sender != "org.freedesktop.DBus" || len(signal.Body) == 0 {
		return
	}
	name, _ := signal.Body[0].(string)
	switch signal.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		s.callers.drop(name)
	case "org.freedesktop.DBus.NameAcquired":
		if name == api.BusName {
			s.log.Info("on the session bus", "name", name)
		}
	case "org.freedesktop.DBus.NameLost":
		if name == api.BusName {
			s.log.Warn("the bus has given our name to another program", "name", name)
		}
	}
}
