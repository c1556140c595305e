// Package bus serves the core on D-Bus: keys and accounts as objects that come and go, codes for whoever
// asks, and signals about what happens. It owns what D-Bus adds to the core: names, object paths, who calls, and a
// bus that may be absent, go away and come back.
//
//	busctl --user tree org.oathd.Oathd1
package bus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/internal/sentry"
)

// Options are what a Server needs.
type Options struct {
	Agent *agent.Agent
	// Address is that of a bus, in D-Bus's own form, or Auto, or Off.
	Address string
	// StopTimeout is how long cancelled calls may take to end.
	StopTimeout time.Duration
	Log         *slog.Logger
}

// Server serves the core on one bus.
type Server struct {
	families
	agent       *agent.Agent
	sockets     []string
	stopTimeout time.Duration
	log         *slog.Logger
}

// New returns a server that has not looked for its bus yet. An address that cannot be used is an error; a
// session that has no bus, or one that nobody can be told apart on, is none.
func New(o Options) (*Server, error) {
	s := &Server{families: newFamilies(), agent: o.Agent, stopTimeout: o.StopTimeout, log: o.Log}
	switch o.Address {
	case Off, "":
		return s, nil
	case Auto:
		s.sockets = sessionSockets(o.Log)
		return s, nil
	}
	var err error
	s.sockets, err = sockets(o.Address)
	return s, err
}

// sessionSockets returns those of the session bus, or says why there are none.
func sessionSockets(log *slog.Logger) []string {
	address := sessionBus()
	if address == "" {
		log.Info("not on D-Bus: this session has no bus")
		return nil
	}
	names, err := sockets(address)
	if err != nil {
		log.Warn("not on D-Bus", "error", err)
	}
	return names
}

const (
	// minPause is how long to wait before a bus that has ended two connections gets a third, maxPause how long at
	// most if it goes on so.
	minPause = time.Second
	maxPause = time.Minute
)

// Serve is on the bus whenever the bus is there, until ctx ends. While there is none it sleeps until the
// bus's socket appears. It returns when the calls under way have ended, or when StopTimeout is over.
func (s *Server) Serve(ctx context.Context) {
	var pause time.Duration
	for len(s.sockets) > 0 {
		now := s.connect(ctx)
		if now == nil {
			return
		}
		began := time.Now()
		if err := now.serve(s.stopTimeout); err != nil && ctx.Err() == nil {
			s.log.Warn("lost the session bus", "error", err)
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

// connect returns a session once the bus lets us in; nil when ctx has ended, or when there is nothing to wait
// for: an abstract socket that is gone never comes back under its name.
func (s *Server) connect(ctx context.Context) *session {
	files := paths(s.sockets)
	if len(files) == 0 {
		now, _ := s.try(ctx, "")
		return now
	}
	said, settle := "", false
	for ctx.Err() == nil {
		// The watch comes first, so that nothing is missed between the attempt and the wait.
		watch, err := sentry.New(files[0], files[1:]...)
		if err != nil {
			s.log.Warn("not on D-Bus: cannot wait for the bus", "error", err)
			return nil
		}
		var now *session
		if now, said = s.try(ctx, said); now == nil {
			settle, _ = watch.Wait(ctx, settle)
		}
		watch.Close()
		if now != nil {
			return now
		}
	}
	return nil
}

// try tries the sockets in their order. Where that fails it says why, unless this is what was said last.
func (s *Server) try(ctx context.Context, last string) (now *session, said string) {
	var failures []error
	for _, socket := range s.sockets {
		now, err := s.open(ctx, socket)
		if err == nil {
			return now, ""
		}
		failures = append(failures, err)
	}
	said = errors.Join(failures...).Error()
	if said != last && ctx.Err() == nil {
		s.log.Info("not on D-Bus now", "reason", said)
	}
	return nil, said
}
