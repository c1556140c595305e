package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// virtualReader is the virtual reader's end of the connection.
type virtualReader struct {
	*testing.T
	net.Conn
}

// pluggedKey is a running "oathd softkey".
type pluggedKey struct {
	cancel context.CancelFunc
	status chan int
	out    bytes.Buffer
}

// wait returns the exit status and what was printed.
func (c *pluggedKey) wait() (int, string) { return <-c.status, c.out.String() }

// end stops it as SIGTERM does.
func (c *pluggedKey) end() (int, string) {
	c.cancel()
	return c.wait()
}

// plugIn runs "oathd softkey" with a listener that plays the virtual reader.
func plugIn(t *testing.T, args ...string) (virtualReader, *pluggedKey) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c := &pluggedKey{cancel: cancel, status: make(chan int, 1)}
	go func() {
		c.status <- run(ctx, append([]string{"softkey", "--vpcd", l.Addr().String()}, args...), streams{&c.out, &c.out})
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return virtualReader{t, conn}, c
}

func (r virtualReader) send(message string) {
	r.Helper()
	body, err := hex.DecodeString(message)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := r.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)); err != nil {
		r.Fatal(err)
	}
}

func (r virtualReader) receive() string {
	r.Helper()
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		r.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r, body); err != nil {
		r.Fatal(err)
	}
	return hex.EncodeToString(body)
}

// The messages of a reader that powers the key, selects its OATH application, stores the touch account "p" and
// wants a code of it.
const (
	powerOn   = "01"
	selectAID = "00a4040007a000000527210100"
	putTouch  = "00010000" + "1d" + "710170" + "7316" + "2106" + "3132333435363738393031323334353637383930" + "7802"
	calculate = "00a20001" + "0d" + "710170" + "74080000000000000000" + "00"
)

func TestSoftkeyCommand(t *testing.T) {
	r, c := plugIn(t, "--personality", "yubikey-5.4", "--serial", "42")
	r.send("04")
	if got := r.receive(); !strings.HasPrefix(got, "3bfd13") {
		t.Errorf("ATR %s", got)
	}
	r.send(powerOn)
	r.send(selectAID)
	if got := r.receive(); !strings.HasSuffix(got, "9000") {
		t.Errorf("SELECT is answered %s", got)
	}
	status, out := c.end()
	if status != exitDone || !strings.HasPrefix(out, "soft key 42 (yubikey-5.4) is plugged in at 127.0.0.1:") || strings.Count(out, "\n") != 1 {
		t.Errorf("exit status %d, printed %q", status, out)
	}
}

// TestSoftkeyTouchedBySignal: SIGUSR1 is the finger of a manual key.
func TestSoftkeyTouchedBySignal(t *testing.T) {
	r, c := plugIn(t, "--personality", "yubikey-5.4", "--touch", "manual")
	r.send(powerOn)
	for _, m := range []string{selectAID, putTouch} {
		r.send(m)
		if got := r.receive(); !strings.HasSuffix(got, "9000") {
			t.Fatalf("%s is answered %s", m, got)
		}
	}
	r.send(calculate)
	answered := make(chan string, 1)
	go func() { answered <- r.receive() }()
	again := time.NewTicker(10 * time.Millisecond) // a touch before the key blinks does not count
	defer again.Stop()
	for done := false; !done; {
		select {
		case got := <-answered:
			if got != "760506000b86189000" { // RFC 4226, appendix D, count 0
				t.Errorf("CALCULATE is answered %s", got)
			}
			done = true
		case <-again.C:
			if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if status, out := c.end(); status != exitDone {
		t.Errorf("exit status %d, printed %q", status, out)
	}
}

// TestSoftkeyState: without a state file everything is lost, with one it is there again.
func TestSoftkeyState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	for _, tt := range []struct {
		args []string
		want string // what LIST answers the second time
	}{
		{nil, "9000"},
		{[]string{"--insecure-state", file}, "72022170" + "9000"},
	} {
		var got string
		for _, m := range []string{putTouch, "00a1000000"} {
			r, c := plugIn(t, append(tt.args, "--personality", "yubikey-5.4")...)
			r.send(powerOn)
			r.send(selectAID)
			r.receive()
			r.send(m)
			got = r.receive()
			c.end()
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestSoftkeyReaderGoes(t *testing.T) {
	r, c := plugIn(t)
	_ = r.Close()
	if status, out := c.wait(); status != exitError || !strings.Contains(out, "ended") {
		t.Errorf("exit status %d, printed %q", status, out)
	}
}

func TestSoftkeyRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--personality", "x"}, {"--touch", "x"}, {"--profile", "x"}, {"--insecure-state", "/"},
		{"--vpcd", "127.0.0.1:1"}, {"--serial", "-1"}, {"superfluous"},
	} {
		var out bytes.Buffer
		status := run(t.Context(), append([]string{"softkey", "--vpcd", "127.0.0.1:1"}, args...), streams{&out, &out})
		if status == exitDone || !strings.HasPrefix(out.String(), "oathd: ") {
			t.Errorf("%q: exit status %d, printed %q", args, status, out.String())
		}
	}
}
