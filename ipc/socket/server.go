// Package socket serves the core over HTTP/1.1 and JSON on a Unix socket. It owns the socket, who may speak to
// it, how much may be sent, and how requests are read and answers written; what they do is the agent's.
//
//	curl --unix-socket $XDG_RUNTIME_DIR/oathd/oathd.sock http://oathd/v1/accounts
package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// The limits of a connection. A request has idleTimeout to begin and to arrive, an answer or a line of a stream
// answerTimeout to be taken, the end of a stream of events farewell; what the daemon does in between may take as
// long as a person who looks for a key.
const (
	idleTimeout   = time.Minute
	answerTimeout = 10 * time.Second
	farewell      = time.Second
	maxHeader     = 16 << 10
)

// Options are what a Server needs.
type Options struct {
	Agent *agent.Agent
	// CodesOnly makes it a door for others: it gives lists and codes, and refuses all else.
	CodesOnly bool
	// Soft moves the daemon's own soft keys; nil where there are none.
	Soft Soft
	// StopTimeout is how long cancelled requests may take to end once the server is to stop.
	StopTimeout time.Duration
	Log         *slog.Logger
}

// Server answers the routes of version 1.
type Server struct {
	mux  *http.ServeMux
	gate *gate
	// again answers requests that came before, byte by byte; nil where there is nothing of that kind.
	again       func(raw []byte) []byte
	stopTimeout time.Duration
	// farewell is how long requests under way may take once Serve is to end.
	farewell time.Duration
	log      *slog.Logger
}

// New returns a server for one door.
func New(o Options) *Server {
	codes := newCodes(o.Agent)
	open, private := readings(o.Agent, codes), writings(o.Agent)
	if o.Soft != nil {
		private = append(private, softRoutes(o.Soft)...)
	}
	if o.CodesOnly {
		for i := range private {
			private[i].handle = shut
		}
	}
	s := newServer(o, append(open, private...))
	s.again = codes.again
	return s
}

func newServer(o Options, routes []route) *Server {
	s := &Server{mux: http.NewServeMux(), gate: newGate(), stopTimeout: o.StopTimeout, farewell: grace, log: o.Log}
	for _, r := range routes {
		s.mux.HandleFunc(r.pattern, s.serve(r.handle))
	}
	s.mux.HandleFunc("/", s.serve(s.unknown))
	return s
}

// Serve answers requests until ctx ends. It then takes no new connections, gives who is connected a moment, so that nobody who asks
// while the daemon is restarted goes away without an answer, cancels what is under way, and returns when that has ended, or when
// StopTimeout is over. It closes l.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// It has no timeouts: the gate and the connections see to them, with far fewer timers.
	server := &http.Server{
		Handler:        http.HandlerFunc(s.guarded),
		BaseContext:    func(net.Listener) context.Context { return requests },
		ConnContext:    withConn,
		ConnState:      s.gate.changed,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		MaxHeaderBytes: maxHeader,
		// OPTIONS * would be answered without the guards.
		DisableGeneralOptionsHandler: true,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener{l, s.gate, s.again}) }()
	select {
	case err := <-ended:
		return fmt.Errorf("cannot serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	_ = l.Close()
	<-ended
	s.gate.settle(s.farewell)
	cancel()
	s.shutDown(server)
	return nil
}

// shutDown closes idle connections first: http.Server would wait 5 s for one that has sent nothing yet.
func (s *Server) shutDown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.stopTimeout)
	defer cancel()
	s.gate.close()
	if err := server.Shutdown(ctx); err != nil {
		s.log.Warn("requests did not end in time", "error", err)
		_ = server.Close()
	}
}

// A handler answers one request, or returns the error to be answered in its place.
type handler func(w http.ResponseWriter, r *http.Request) error

// serve is the one place where errors become answers.
func (s *Server) serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.refuse(w, r, err)
		}
	}
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	wire := wireError(err)
	if wire.Code == api.CodeInternal {
		s.log.Error("request failed", "route", r.Pattern, "error", err)
	}
	writeJSON(w, status(wire.Code), api.ErrorBody{Error: wire})
}

// guarded answers the requests that may be answered at all.
func (s *Server) guarded(w http.ResponseWriter, r *http.Request) {
	c := connOf(r)
	c.between = false
	if err := guard(r); err != nil {
		w.Header().Set("Connection", "close")
		s.refuse(w, r, err)
		return
	}
	if r.ContentLength == 0 {
		c.work()
	}
	s.mux.ServeHTTP(w, r)
}

// guard refuses those who have no business here: other users, and browsers, which a page could send to
// any door that speaks HTTP. The path is checked because the mux redirects an unclean one, and no
// client of ours follows.
func guard(r *http.Request) error {
	if c := connOf(r); c.refused != nil {
		return c.refused
	}
	for _, header := range []string{"Origin", "Referer"} {
		if _, ok := r.Header[header]; ok {
			return forbidden("a request with a header %s comes from a browser", header)
		}
	}
	if !slices.Contains(hosts, strings.ToLower(r.Host)) {
		return forbidden("the host is oathd or localhost, not %q", r.Host)
	}
	if p := r.URL.EscapedPath(); !path.IsAbs(p) || path.Clean(p) != p {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("cannot find %q", r.URL.Path)}
	}
	return nil
}

// hosts are the names, in lower case, that programs give to the other end of a Unix socket: Go's often unix, and axios
// [::1]. No page of a stranger is called so.
var hosts = []string{"", "oathd", "localhost", "unix", "127.0.0.1", "[::1]"}

func forbidden(format string, args ...any) *api.Error {
	return &api.Error{Code: api.CodeForbidden, Message: "cannot answer: " + fmt.Sprintf(format, args...)}
}

// unknown answers what is not a route: 405 if the path is one with other methods, which it names; else 404.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	err := &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("cannot find %s %q", r.Method, r.URL.Path)}
	methods := s.methods(r.URL)
	if methods == "" {
		return err
	}
	err.Hint = "this route takes " + methods
	w.Header().Set("Allow", methods)
	writeJSON(w, http.StatusMethodNotAllowed, api.ErrorBody{Error: err})
	return nil
}

// methods lists what a path takes, for people and for the header Allow.
func (s *Server) methods(path *url.URL) string {
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		if _, pattern := s.mux.Handler(&http.Request{Method: m, URL: path}); pattern != "/" {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ", ")
}

// wireError returns the *api.Error in err's chain, or makes one of it.
func wireError(err error) *api.Error {
	if wire, ok := errors.AsType[*api.Error](err); ok {
		return wire
	}
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}
