package socket

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

func TestThousandIdleConnections(t *testing.T) {
	d := start(t, hello)
	for range 1000 {
		d.dial()
	}
	if status, body := d.do("GET", "/v1/hello", nil); status != 200 {
		t.Errorf("status %d: %s", status, body)
	}
}

// halves are requests that do not end.
var halves = []string{
	"G",
	"GET /v1/hello HTTP/1.1\r\nHost: oa",
	"POST /v1/echo HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"acc",
	"POST /v1/echo HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"acc",
}

// TestHalfSentRequests: half a request is no work, so any number of them makes way for a whole one.
func TestHalfSentRequests(t *testing.T) {
	d := start(t, hello, echo)
	for i := range 2 * maxConns {
		fmt.Fprint(d.dial(), halves[i%len(halves)])
	}
	if status, body := d.do("GET", "/v1/hello", nil); status != 200 {
		t.Errorf("status %d: %s", status, body)
	}
}

// TestIdleConnectionsEnd lets time pass for those that have no request, and for half a one; who waits for an
// answer is left alone.
func TestIdleConnectionsEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	path, l := listenOn(t)
	s := newServer(quiet, []route{hello, waits(begun, release, make(chan struct{}, 1))})
	d := serveOn(t, l, path, s)
	idle, half, busy := d.dial(), d.dial(), d.dial()
	for _, c := range []net.Conn{idle, half} {
		fmt.Fprint(c, "GET /v1/hello HTTP/1.1\r\nHost: oathd\r\n\r\n")
		if status, body := d.answerOn(c); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	fmt.Fprint(half, "GET /v1/hel")
	fmt.Fprint(busy, "GET /v1/wait HTTP/1.1\r\nHost: oathd\r\n\r\n")
	await(t, "the request", begun)
	s.gate.sweep()
	// An answer is there a moment before its connection is idle.
	for end := time.Now().Add(patience); s.gate.age(0) != 2; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d connections are idle, want 2", s.gate.age(0))
		}
	}
	s.gate.age(idleTimeout)
	s.gate.sweep()
	for _, c := range []net.Conn{idle, half} {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("an idle connection goes on: %v", err)
		}
	}
	close(release)
	if status, body := d.answerOn(busy); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// age makes those that are idle idle for so much longer, and counts them.
func (g *gate) age(by time.Duration) (idle int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		if c.idleSince() != working {
			c.idle.Add(-int64(by))
			idle++
		}
	}
	return idle
}

// TestSweepingEnds: without connections nothing ticks.
func TestSweepingEnds(t *testing.T) {
	g, c := newGate(), newConn(loose())
	if g.sweeper.Stop() {
		t.Error("a gate without connections ticks")
	}
	if err := g.admit(c); err != nil {
		t.Fatal(err)
	}
	g.sweep()
	if !g.sweeper.Stop() {
		t.Error("nobody looks after the connection")
	}
	g.remove(c)
	g.add(c)
	g.changed(c, http.StateClosed)
	if g.sweeper.Stop() {
		t.Error("it ticks although the connection has ended")
	}
	g.sweep()
	if g.sweeper.Stop() {
		t.Error("a last look makes it tick")
	}
}

func TestTooManyRequests(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	d := start(t, hello, waits(begun, release, make(chan struct{}, maxConns)))
	busy := make([]net.Conn, maxConns)
	for i := range busy {
		busy[i] = d.dial()
		fmt.Fprint(busy[i], "GET /v1/wait HTTP/1.1\r\nHost: oathd\r\n\r\n")
		await(t, "the request", begun)
	}
	status, body := d.do("GET", "/v1/hello", nil)
	if e := refusal(t, body); status != 503 || e.Code != api.CodeBusy {
		t.Errorf("one too many: %d %s", status, body)
	}
	close(release)
	for _, c := range busy {
		if status, body := d.answerOn(c); status != 200 {
			t.Fatalf("one of many: %d %s", status, body)
		}
	}
	if status, body := d.do("GET", "/v1/hello", nil); status != 200 {
		t.Errorf("afterwards: %d %s", status, body)
	}
}

// endless is a body that never ends, and counts what was read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestHundredMegabytes(t *testing.T) {
	d := start(t, echo)
	const size = 100 << 20
	for name, body := range map[string]io.Reader{
		"announced": bytes.NewReader(make([]byte, size)),
		"chunked":   io.LimitReader(&endless{}, size),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, answer := d.do("POST", "/v1/echo", body, "Content-Type", api.JSONType)
			runtime.ReadMemStats(&after)
			if e := refusal(t, answer); status != 413 || e.Code != api.CodeTooLarge {
				t.Errorf("%d %s", status, answer)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("%d bytes were allocated", used)
			}
		})
	}
}

func TestTooLargeEndsConnection(t *testing.T) {
	d := start(t, echo)
	c := d.dial()
	go func() {
		fmt.Fprintf(c, "POST /v1/echo HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 100<<20)
		_, _ = io.Copy(c, io.LimitReader(&endless{}, 100<<20))
	}()
	if status, body := d.answerOn(c); status != 413 {
		t.Errorf("%d %s", status, body)
	}
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection goes on: %v", err)
	}
}
