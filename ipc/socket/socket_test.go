package socket

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

var quiet = Options{Log: slog.New(slog.DiscardHandler), StopTimeout: patience}

// daemon is a server on a socket of its own.
type daemon struct {
	t    testing.TB
	path string
	http *http.Client
	// stop ends the server and returns what Serve returned.
	stop func() error
}

func start(t testing.TB, routes ...route) *daemon {
	t.Helper()
	path, l := listenOn(t)
	return serveOn(t, l, path, newServer(quiet, routes))
}

// listenOn opens a socket.
func listenOn(t testing.TB) (string, *net.UnixListener) {
	t.Helper()
	path := filepath.Join(shortDir(t), "oathd", "oathd.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, l
}

func serveOn(t testing.TB, l *net.UnixListener, path string, s *Server) *daemon {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	d := &daemon{t: t, path: path, http: &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var result error
	stopped := false
	d.stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-ended
			transport.CloseIdleConnections()
		}
		return result
	}
	t.Cleanup(func() { _ = d.stop() })
	return d
}

// shortDir is a temporary directory with a path that is short enough for a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// do sends a request; header alternates between names and values.
func (d *daemon) do(method, path string, body io.Reader, header ...string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequest(method, "http://oathd"+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(b)
}

func (d *daemon) post(path, body string) (int, string) {
	d.t.Helper()
	return d.do("POST", path, strings.NewReader(body), "Content-Type", api.JSONType)
}

// dial opens a bare connection.
func (d *daemon) dial() net.Conn {
	d.t.Helper()
	c, err := net.Dial("unix", d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// answerOn reads one answer from a bare connection.
func (d *daemon) answerOn(c net.Conn) (int, string) {
	d.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		d.t.Fatalf("no answer: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// refusal is the error in an answer's body.
func refusal(t testing.TB, body string) *api.Error {
	t.Helper()
	var e api.ErrorBody
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == nil {
		t.Fatalf("not an error body: %q", body)
	}
	return e.Error
}

// hello answers without looking at anything.
var hello = route{"GET /v1/hello", func(w http.ResponseWriter, r *http.Request) error {
	return answer(w, map[string]string{"name": connOf(r).caller().Name}, nil)
}}

// echo answers with the request that it has read.
var echo = route{"POST /v1/echo", func(w http.ResponseWriter, r *http.Request) error {
	req, err := readJSON[api.CodeRequest](w, r)
	return answer(w, req, err)
}}

// waits answers when its client leaves or release is closed, and tells of both.
func waits(begun chan<- struct{}, release <-chan struct{}, left chan<- struct{}) route {
	return route{"GET /v1/wait", func(w http.ResponseWriter, r *http.Request) error {
		begun <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
			left <- struct{}{}
			return &api.Error{Code: api.CodeCanceled, Message: "given up"}
		}
		return answer(w, "released", nil)
	}}
}

// await waits for a signal.
func await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
}
