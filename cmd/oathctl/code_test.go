package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// fakeDaemon answers as mux does, on a socket.
func fakeDaemon(t *testing.T, mux *http.ServeMux) *client.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return &client.Client{Socket: l.Addr().String()}
}

func answers(document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(document) }
}

// Whoever waits for longer than a moment is told what for: a finger, or the next time step.
func TestWhatACodeWaitsFor(t *testing.T) {
	for name, test := range map[string]struct {
		keys    []api.Key
		request api.CodeRequest
		want    string
	}{
		"touch":           {[]api.Key{{Label: "daily", Waiting: []string{"oathctl"}}}, api.CodeRequest{Account: "x"}, "touch daily: it blinks\n"},
		"touch and fresh": {[]api.Key{{Label: "daily", Waiting: []string{"oathctl"}}}, api.CodeRequest{Account: "x", Fresh: true}, "touch daily: it blinks\n"},
		"next step":       {[]api.Key{{Label: "daily"}}, api.CodeRequest{Account: "x", Fresh: true}, "waiting for a code that was never handed out: the next time step begins in "},
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan struct{}, 1)
			mux := http.NewServeMux()
			mux.HandleFunc("GET /v1/keys", answers(api.Keys{Keys: test.keys}))
			mux.HandleFunc("GET /v1/accounts", answers(api.Accounts{Accounts: []api.Account{{Period: 30}}}))
			mux.HandleFunc("POST /v1/code", func(w http.ResponseWriter, r *http.Request) {
				<-said
				answers(api.Code{Code: "755224"})(w, r)
			})
			term, out, _ := fakeTerminal()
			term.err = &tellTale{said: said}
			a := &app{term: term, client: fakeDaemon(t, mux)}
			if err := a.code(t.Context(), test.request, false); err != nil || out.String() != "755224\n" {
				t.Errorf("got %q, %v", out, err)
			}
			if got := term.err.(*tellTale).text; !strings.HasPrefix(got, test.want) {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// tellTale is a standard error that tells when something is said there.
type tellTale struct {
	text string
	said chan struct{}
}

func (t *tellTale) Write(p []byte) (int, error) {
	t.text += string(p)
	t.said <- struct{}{}
	return len(p), nil
}

// A bare code is one that is valid when it is printed.
func TestUntilValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, _, errOut := fakeTerminal()
		a, begun := &app{term: term}, time.Now()
		for _, code := range []api.Code{{}, {ValidFrom: begun.Add(-time.Second)}, {ValidFrom: begun}} {
			if err := a.untilValid(t.Context(), code); err != nil || time.Since(begun) > 0 || errOut.Len() > 0 {
				t.Errorf("%v: %v after %v, %q", code.ValidFrom, err, time.Since(begun), errOut)
			}
		}
		early := api.Code{ValidFrom: begun.Add(2500 * time.Millisecond)}
		if err := a.untilValid(t.Context(), early); err != nil || time.Since(begun) != 2500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if got := errOut.String(); got != "waiting for the next time step: the code is valid in 3 s\n" {
			t.Errorf("it says %q", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		early.ValidFrom = time.Now().Add(time.Minute)
		if err := a.untilValid(ctx, early); api.CodeOf(err) != api.CodeCanceled {
			t.Errorf("given up: %v", err)
		}
	})
}

func TestCopiedWords(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		c    copied
		code api.Code
		want string
	}{
		{copied{Label: "a:b", Tool: "xclip", ClearsAt: now.Add(17 * time.Second)}, api.Code{ValidFrom: now, ValidUntil: now.Add(17 * time.Second)},
			"a:b copied with xclip, 17 s left · out of the clipboard in 17 s"},
		{copied{Label: "a:b", Tool: "terminal"}, api.Code{ValidFrom: now.Add(2 * time.Second), ValidUntil: now.Add(32 * time.Second)},
			"a:b handed to the terminal to copy (not every terminal does), valid in 2 s · it stays in the clipboard"},
		{copied{Label: "hotp", Tool: "wl-copy", ClearsAt: now.Add(30 * time.Second)}, api.Code{}, "hotp copied with wl-copy, out of the clipboard in 30 s"},
	} {
		if got := copiedWords(test.c, test.code, now); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
