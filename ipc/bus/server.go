// Package bus serves the core on D-Bus: keys and accounts as objects that come and go, codes for whoever
// asks, and signals about what happens. It owns what D-Bus adds to the core: names, object paths, who calls, and a
// bus that may be absent, go away and come back.
//
//	busctl --user tree org.oathd.Oathd1
package bus

import (
	"context"
	"log/slog"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/line"
)

// Options are what a Server needs.
type Options struct {
	Agent *agent.Agent
	// Search is how the desktop finds accounts.
	Search Search
	// Address is that of a bus, in D-Bus's own form, or Auto, or Off.
	Address string
	// StopTimeout is how long cancelled calls may take to end.
	StopTimeout time.Duration
	Log         *slog.Logger
}

// Auto as an address stands for the session bus, where there is one; Off for no bus at all.
const (
	Auto = "auto"
	Off  = "off"
)

// Server serves the core on one bus.
type Server struct {
	families
	agent       *agent.Agent
	line        line.Line
	search      Search
	stopTimeout time.Duration
	log         *slog.Logger
}

// lineName is what the log calls the bus.
const lineName = "session bus"

// New returns a server that has not looked for its bus yet. An address that cannot be used is an error; a
// session that has no bus, or one that nobody can be told apart on, is none.
func New(o Options) (*Server, error) {
	s := &Server{families: newFamilies(), agent: o.Agent, search: o.Search, stopTimeout: o.StopTimeout, log: o.Log}
	var err error
	switch o.Address {
	case Off, "":
	case Auto:
		s.line = sessionLine(o.Log)
	default:
		s.line, err = line.New(lineName, o.Address, o.Log)
	}
	return s, err
}

// sessionLine returns the way to the session bus, or says why there is none.
func sessionLine(log *slog.Logger) line.Line {
	address := line.Session()
	if address == "" {
		log.Info("not on D-Bus: this session has no bus")
		return line.Line{}
	}
	l, err := line.New(lineName, address, log)
	if err != nil {
		log.Warn("not on D-Bus", "error", err)
	}
	return l
}

// Serve is on the bus whenever the bus is there, until ctx ends. While there is none it sleeps until the
// bus's socket appears. It returns when the calls under way have ended, or when StopTimeout is over.
func (s *Server) Serve(ctx context.Context) {
	s.line.Keep(ctx, func(ctx context.Context, socket string) (func() error, error) {
		now, err := s.open(ctx, socket)
		return func() error { return now.serve(s.stopTimeout) }, err
	})
}
