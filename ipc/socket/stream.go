package socket

import (
	"context"
	"net/http"

	"github.com/oathd/oathd/ipc/api"
)

// stream writes NDJSON, each line at once. It is used by one goroutine at a time.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
	// stop is called when the client does not take its lines any more.
	stop context.CancelFunc
}

func newStream(w http.ResponseWriter, stop context.CancelFunc) *stream {
	return &stream{w: w, control: http.NewResponseController(w), stop: stop}
}

// start sends the header, after which only lines can follow.
func (s *stream) start() {
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", api.StreamType)
		s.w.WriteHeader(http.StatusOK)
	}
}

// line sends v.
func (s *stream) line(v any) {
	s.start()
	if _, err := s.w.Write(encode(v)); err != nil {
		s.stop()
		return
	}
	s.flush()
}

func (s *stream) flush() {
	if err := s.control.Flush(); err != nil {
		s.stop()
	}
}

// reported answers with a stream of steps that a report or an error ends. An error before the first
// line is an ordinary answer with its own status. The client's leaving cancels work's context.
func reported(w http.ResponseWriter, r *http.Request, work func(context.Context, func(api.Step)) (api.Report, error)) error {
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	s := newStream(w, stop)
	report, err := work(ctx, func(step api.Step) { s.line(api.Line{Step: &step}) })
	switch {
	case err == nil:
		s.line(api.Line{Report: &report})
	case s.started:
		s.line(api.Line{Error: wireError(err)})
	default:
		return err
	}
	return nil
}

// maxSubscribers is how many may listen at one door: many times what a desktop has, and a quarter of the connections.
const maxSubscribers = 64

// events streams what happens until the client leaves. The header is sent at once, to say that nothing is
// missed from here on. A client that reads slowly, or not at all, is waited for: meanwhile the core drops what does
// not fit, and tells it so.
func events(subscribe func(context.Context) <-chan api.Event) handler {
	seats := make(chan struct{}, maxSubscribers)
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := options(r); err != nil {
			return err
		}
		select {
		case seats <- struct{}{}:
			defer func() { <-seats }()
		default:
			return busy("%d programs listen to events already", maxSubscribers)
		}
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		defer connOf(r).waitForReader(ctx)()
		happened := subscribe(ctx)
		s := newStream(w, stop)
		s.start()
		s.flush()
		for event := range happened {
			s.line(event)
		}
		return nil
	}
}
