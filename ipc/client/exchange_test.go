package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// answering is a client of a peer that reads one request to the end of its header and then does as answer says.
func answering(t *testing.T, answer func(conn net.Conn)) *Client {
	t.Helper()
	return &Client{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			head := bufio.NewReader(theirs)
			for line := "-"; strings.TrimSpace(line) != ""; {
				var err error
				if line, err = head.ReadString('\n'); err != nil {
					return
				}
			}
			answer(theirs)
		}()
		return ours, nil
	}}
}

func says(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

func TestStrangeAnswers(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		code         api.ErrorCode
		text         string
	}{
		{"nothing", "", api.CodeNoDaemon, "went away"},
		{"half a header", "HTTP/1.0 200 OK\r\nContent-Type: a", api.CodeNoDaemon, "went away"},
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", api.CodeInternal, "not HTTP"},
		{"another version", "HTTP/2 200\r\n\r\n{}", api.CodeInternal, "not HTTP"},
		{"no status", "HTTP/1.0\r\n\r\n{}", api.CodeInternal, "not HTTP"},
		{"an empty line first", "\r\nHTTP/1.0 200 OK\r\n\r\n{}", api.CodeInternal, "not HTTP"},
		{"an endless line", "HTTP/1.0 200 " + strings.Repeat("x", 1<<16), api.CodeInternal, "not HTTP"},
		{"an endless header", "HTTP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 1000), api.CodeInternal, "not HTTP"},
		{"a number that is not a status", "HTTP/1.0 2000 OK\r\n\r\n{}", api.CodeInternal, `"2000 OK"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := answering(t, says(test.answer)).Status(t.Context())
			if api.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v (%s), want %q (%s)", err, api.CodeOf(err), test.text, test.code)
			}
		})
	}
}

// Lines may end without a carriage return, and the body begins wherever the header's last packet ends.
func TestAnswerInPieces(t *testing.T) {
	c := answering(t, func(conn net.Conn) {
		for piece := range strings.SplitSeq("HTTP/1.1 20|0 OK\nA: b\r|\n\r|\n{\"pid\"|:7}", "|") {
			_, _ = io.WriteString(conn, piece)
		}
	})
	if status, err := c.Status(t.Context()); err != nil || status.PID != 7 {
		t.Errorf("%+v, %v", status, err)
	}
}

// What is refused before it was read to its end is refused with the daemon's reason.
func TestRefusedWhileSending(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		always(413, `{"error":{"code":"too_large","message":"m"}}`)(w, nil)
	})
	seed := oath.NewSecret(8 << 20)
	defer seed.Wipe()
	_, err := c.Add(t.Context(), api.AddRequest{Accounts: []api.NewAccount{{}}}, []*oath.Secret{seed}, nil)
	if api.CodeOf(err) != api.CodeTooLarge {
		t.Errorf("%v", err)
	}
}

func TestSentToNobody(t *testing.T) {
	c := &Client{Dial: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		return ours, theirs.Close()
	}}
	if _, err := c.Status(t.Context()); api.CodeOf(err) != api.CodeNoDaemon || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// What a reader was given stays in its buffer, read or not, until it is wiped.
func TestWipe(t *testing.T) {
	b := body{Reader: bufio.NewReader(strings.NewReader("a secret, and more"))}
	held, err := b.Peek(18)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Discard(8); err != nil {
		t.Fatal(err)
	}
	if b.wipe(); strings.Trim(string(held), "\x00") != "" {
		t.Errorf("it still has %q", held)
	}
}

// FuzzHead: whatever answers, reading its header ends, and yields a status or an error.
func FuzzHead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nA: b\r\n\r\n")
	f.Add("HTTP/1.0 404\n\n")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, text string) {
		status, err := body{Reader: bufio.NewReader(strings.NewReader(text))}.head()
		if (status == "") != (err != nil) || strings.ContainsAny(status, "\n") {
			t.Errorf("%q: %q, %v", text, status, err)
		}
	})
}
