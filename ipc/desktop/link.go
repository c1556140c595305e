package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/line"
)

// link is one connection to a bus on which we listen to some services, each known by its well-known name.
type link struct {
	conn  *dbus.Conn
	heard chan heard
	// running are those who wait for answers; they end with the connection.
	running sync.WaitGroup

	mu sync.Mutex
	// owners has the unique name of whoever owns a service's name now: any program can send us a signal in any name, but for this.
	owners map[string]string
	// lost says that more came than there was room for.
	lost bool
}

// heard is a signal of a service, or, with a nil body and owner as its name, that it has come or gone.
type heard struct {
	service string
	path    dbus.ObjectPath
	// name is the signal's, with its interface.
	name string
	body []any
}

const (
	// cameOrWent is the name of what is heard when a service has begun or ended.
	cameOrWent = "org.freedesktop.DBus.NameOwnerChanged"
	// overheard is the name of what is heard after more was said than could be listened to.
	overheard = "overheard"
	// maxHeard is how many signals may wait: more than people cause in a second.
	maxHeard = 256

	busName = "org.freedesktop.DBus"
)

// dial connects to the bus that listens on the socket and begins to listen to the services. ctx ends the connection.
func dial(ctx context.Context, socket string, services ...string) (*link, error) {
	l := &link{heard: make(chan heard, maxHeard), owners: map[string]string{}}
	conn, err := line.Open(ctx, socket, dbus.WithSignalHandler(l))
	if err != nil {
		return nil, err
	}
	l.conn = conn
	if err := line.Greet(conn, socket); err != nil {
		return nil, err
	}
	for _, service := range services {
		if err := l.follow(service); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("cannot listen on the bus at %s: %w", socket, err)
		}
	}
	return l, nil
}

// follow keeps track of who has a service's name.
func (l *link) follow(service string) error {
	err := l.match(dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service))
	if err != nil {
		return err
	}
	var owner string
	err = l.conn.BusObject().CallWithContext(l.conn.Context(), busName+".GetNameOwner", 0, service).Store(&owner)
	if _, absent := errors.AsType[dbus.Error](err); err != nil && !absent {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, newer := l.owners[service]; !newer {
		l.owners[service] = owner
	}
	return nil
}

func (l *link) match(options ...dbus.MatchOption) error {
	return l.conn.AddMatchSignalContext(l.conn.Context(), options...)
}

// listen asks for some signals of a service.
func (l *link) listen(service string, options ...dbus.MatchOption) error {
	return l.match(append(options, dbus.WithMatchSender(service))...)
}

// there reports whether a service is on the bus.
func (l *link) there(service string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owners[service] != ""
}

// call asks a service something, and has it answer within callTime. A service that is not there is not started.
func (l *link) call(ctx context.Context, service string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return l.conn.Object(service, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// activate is call, and starts the service if it is not there.
func (l *link) activate(ctx context.Context, service string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return l.conn.Object(service, path).CallWithContext(ctx, method, 0, args...)
}

// properties reads all properties of an interface.
func (l *link) properties(ctx context.Context, service string, path dbus.ObjectPath, of string) (all map[string]dbus.Variant, err error) {
	err = l.call(ctx, service, path, "org.freedesktop.DBus.Properties.GetAll", of).Store(&all)
	return all, err
}

// DeliverSignal is dbus.SignalHandler. godbus calls it in the order in which signals arrive, and reads no more meanwhile.
func (l *link) DeliverSignal(_, _ string, signal *dbus.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if signal.Sender == busName {
		l.owned(signal)
		return
	}
	for service, owner := range l.owners { // a program may have several names, and be heard as each of them
		if owner == signal.Sender {
			l.hear(heard{service, signal.Path, signal.Name, signal.Body})
		}
	}
}

// owned notes that a service has come or gone. Callers hold l.mu.
func (l *link) owned(signal *dbus.Signal) {
	var service, before, now string
	if signal.Name != cameOrWent || dbus.Store(signal.Body, &service, &before, &now) != nil {
		return
	}
	l.owners[service] = now
	l.hear(heard{service: service, name: cameOrWent})
}

// hear passes on what was heard, or notes that there was more. Callers hold l.mu.
func (l *link) hear(h heard) {
	select {
	case l.heard <- h:
	default:
		l.lost = true
	}
}

// each hands on what is heard, until the connection ends and nobody waits for an answer any more.
func (l *link) each(take func(heard)) error {
	defer l.running.Wait()
	for {
		select {
		case h := <-l.heard:
			take(h)
			if l.missed() {
				take(heard{name: overheard})
			}
		case <-l.conn.Context().Done():
			return io.EOF
		}
	}
}

// missed reports whether signals were lost, once.
func (l *link) missed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lost && len(l.heard) == 0
	if lost {
		l.lost = false
	}
	return lost
}
