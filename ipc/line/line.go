// Package line owns how a connection to a D-Bus comes about and what goes over it: where a bus listens, that it may be absent, go
// away and come back, and that nothing which strangers send can end or swell the program. What is said on it is for others to know.
package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/sentry"
)

// Line is the way to one bus, whether it is there or not. Without sockets it leads nowhere.
type Line struct {
	name    string
	sockets []string
	log     *slog.Logger
}

// New returns the line to the bus at an address, in D-Bus's own form; name is what the log calls it.
func New(name, address string, log *slog.Logger) (Line, error) {
	names, err := sockets(address)
	return Line{name, names, log}, err
}

// Open connects to the bus that listens on the socket, up to the point where it is to be greeted. ctx ends the connection.
func Open(ctx context.Context, socket string, options ...dbus.ConnOption) (*dbus.Conn, error) {
	dialed, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	w := &wire{UnixConn: dialed.(*net.UnixConn)}
	conn, err := dbus.NewConn(w, append(options, dbus.WithContext(ctx), dbus.WithIncomingInterceptor(w.receive))...)
	if err != nil {
		_ = dialed.Close()
		return nil, err
	}
	return conn, nil
}

// Greet makes an open connection known to the bus, or closes it.
func Greet(conn *dbus.Conn, socket string) error {
	err := conn.Auth(nil)
	if err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("the bus at %s does not let us in: %w", socket, err)
	}
	return nil
}

const (
	// minPause is how long to wait before a bus that has ended two connections gets a third, maxPause how long at
	// most if it goes on so.
	minPause = time.Second
	maxPause = time.Minute
)

// Opener connects to the bus that listens on a socket. What it returns serves the connection until its end.
type Opener func(ctx context.Context, socket string) (serve func() error, err error)

// Keep holds a connection whenever the bus is there, until ctx ends. While there is none it sleeps until the bus's socket
// appears. It returns when serve has.
func (l Line) Keep(ctx context.Context, open Opener) {
	var pause time.Duration
	for len(l.sockets) > 0 {
		serve := l.connect(ctx, open)
		if serve == nil {
			return
		}
		began := time.Now()
		if err := serve(); err != nil && ctx.Err() == nil {
			l.log.Warn("lost the "+l.name, "error", err)
		}
		if time.Since(began) > maxPause {
			pause = 0
		}
		wait(ctx, pause)
		pause = max(minPause, min(2*pause, maxPause))
	}
}

// wait returns after so long, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// connect returns once the bus lets us in; nil when ctx has ended, or when there is nothing to wait
// for: an abstract socket that is gone never comes back under its name.
func (l Line) connect(ctx context.Context, open Opener) (serve func() error) {
	files := paths(l.sockets)
	if len(files) == 0 {
		serve, _ = l.try(ctx, open, "")
		return serve
	}
	said, settle := "", false
	for ctx.Err() == nil {
		// The watch comes first, so that nothing is missed between the attempt and the wait.
		watch, err := sentry.New(files[0], files[1:]...)
		if err != nil {
			l.log.Warn("not on D-Bus: cannot wait for the "+l.name, "error", err)
			return nil
		}
		if serve, said = l.try(ctx, open, said); serve == nil {
			settle, _ = watch.Wait(ctx, settle)
		}
		watch.Close()
		if serve != nil {
			return serve
		}
	}
	return nil
}

// try tries the sockets in their order. Where that fails it says why, unless this is what was said last.
func (l Line) try(ctx context.Context, open Opener, last string) (serve func() error, said string) {
	var failures []error
	for _, socket := range l.sockets {
		serve, err := open(ctx, socket)
		if err == nil {
			return serve, ""
		}
		failures = append(failures, err)
	}
	said = errors.Join(failures...).Error()
	if said != last && ctx.Err() == nil {
		l.log.Info("not on D-Bus now", "bus", l.name, "reason", said)
	}
	return nil, said
}
