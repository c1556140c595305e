package socket

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

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

func TestHalfSentRequests(t *testing.T) {
	d := start(t, hello, echo)
	for _, part := range []string{
		"G",
		"GET /v1/hello HTTP/1.1\r\nHost: oa",
		"POST /v1/echo HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"acc",
	} {
		fmt.Fprint(d.dial(), part)
	}
	if status, body := d.do("GET", "/v1/hello", nil); status != 200 {
		t.Errorf("status %d: %s", status, body)
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
