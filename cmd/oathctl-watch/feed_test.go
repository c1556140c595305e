package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// fakeDaemon answers with the household, and has the events happen that it is given.
type fakeDaemon struct {
	*httptest.Server
	events chan api.Event
}

// socketPath is short enough for a socket, which t.TempDir's names are not.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func startFake(t *testing.T, socket string) *fakeDaemon {
	t.Helper()
	d := &fakeDaemon{events: make(chan api.Event)}
	answer := func(document any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(document) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/keys", answer(api.Keys{Keys: household.keys}))
	mux.HandleFunc("GET /v1/accounts", answer(api.Accounts{Accounts: household.accounts}))
	mux.HandleFunc("POST /v1/code", func(w http.ResponseWriter, r *http.Request) {
		var request api.CodeRequest
		if _ = json.NewDecoder(r.Body).Decode(&request); request.Account != "alice" {
			w.WriteHeader(http.StatusNotFound)
			answer(api.ErrorBody{Error: &api.Error{Code: api.CodeNotFound, Message: "cannot find it", Hint: "look"}})(w, r)
			return
		}
		answer(api.Code{Label: "GitHub:alice", Code: "755224", KeyLabel: "daily", Proved: true})(w, r)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case e := <-d.events:
				answer(e)(w, r)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewUnstartedServer(mux)
	_ = d.Listener.Close()
	d.Listener = l
	d.Start()
	return d
}

// end closes it as if it had been killed.
func (d *fakeDaemon) end() {
	d.CloseClientConnections()
	d.Close()
}

const patience = time.Minute

// next wants the next thing that is told to be a T.
func next[T any](t *testing.T, told <-chan tea.Msg) T {
	t.Helper()
	select {
	case msg := <-told:
		if wanted, ok := msg.(T); ok {
			return wanted
		}
		t.Fatalf("told %T: %+v", msg, msg)
	case <-time.After(patience):
		t.Fatal("nothing is told")
	}
	panic("unreachable")
}

func TestFeed(t *testing.T) {
	socket := socketPath(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan tea.Msg)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		feed(ctx, &client.Client{Socket: socket}, func(msg tea.Msg) {
			select {
			case told <- msg:
			case <-ctx.Done():
			}
		})
	})
	defer feeding.Wait()
	defer cancel()
	if g := next[gone](t, told); api.CodeOf(g.err) != api.CodeNoDaemon {
		t.Errorf("before there is a daemon: %v", g.err)
	}
	d := startFake(t, socket)
	if l := afterSettling(t, told); len(l.keys) != 2 || len(l.accounts) != 6 {
		t.Errorf("%+v", l)
	}
	d.events <- api.Event{Kind: api.EventKeyOut, KeyLabel: "daily"}
	if e := next[happened](t, told); e.Kind != api.EventKeyOut {
		t.Errorf("%+v", e)
	}
	next[listed](t, told)

	d.end()
	next[gone](t, told)
	d = startFake(t, socket)
	defer d.end()
	afterSettling(t, told)
}

// afterSettling skips what is told while the daemon's socket is there and nobody listens on it yet.
func afterSettling(t *testing.T, told <-chan tea.Msg) listed {
	t.Helper()
	for {
		select {
		case msg := <-told:
			if l, ok := msg.(listed); ok {
				return l
			}
		case <-time.After(patience):
			t.Fatal("no list")
		}
	}
}

// A terminal that cannot move the cursor is talked to line by line.
func TestConversation(t *testing.T) {
	socket := socketPath(t)
	d := startFake(t, socket)
	defer d.end()
	typed, keyboard := io.Pipe()
	screen := &paper{lines: make(chan string, 100)}
	w := watch{client: &client.Client{Socket: socket}, look: ink.Look{}, filter: "git"}
	ended := make(chan error, 1)
	go func() { ended <- w.converse(t.Context(), typed, screen) }()
	screen.wants(t, "A name is answered", "GitHub:alice  on daily", "GitLab:bob  on daily")
	say := func(line string) {
		if _, err := io.WriteString(keyboard, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	say("alice")
	screen.wants(t, "755224  GitHub:alice . daily . proved")
	say("nobody")
	screen.wants(t, "cannot find it (look)")
	say("")
	screen.wants(t, "GitHub:alice  on daily", "GitLab:bob  on daily")
	d.events <- api.Event{Kind: api.EventKeyOut, KeyLabel: "daily"}
	if got := screen.next(t); !strings.HasSuffix(got, " daily: pulled out") {
		t.Errorf("got %q", got)
	}
	d.end()
	screen.next(t)
	screen.wants(t, "waiting for it")
	_ = keyboard.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// paper hands over what is written to it line by line.
type paper struct {
	text  bytes.Buffer
	lines chan string
}

func (p *paper) Write(b []byte) (int, error) {
	p.text.Write(b)
	for bytes.Contains(p.text.Bytes(), []byte("\n")) {
		line, _ := p.text.ReadString('\n')
		p.lines <- strings.TrimSuffix(line, "\n")
	}
	return len(b), nil
}

func (p *paper) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-p.lines:
		return line
	case <-time.After(patience):
		t.Fatal("nothing is said")
		return ""
	}
}

func (p *paper) wants(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if got := p.next(t); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
