package vpcd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/oathd/oathd/hw"
)

// fakeCard notes what happens to it, and answers each command with itself and 9000.
type fakeCard struct {
	mu       sync.Mutex
	events   []string
	err      error
	answer   []byte
	blocking chan struct{} // if set, Transmit waits until power goes
	started  chan struct{} // closed when a blocking Transmit has begun
}

func (c *fakeCard) note(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, s)
}

func (c *fakeCard) ATR() []byte { return []byte{0x3b, 0x00} }

func (c *fakeCard) Power(on bool) {
	if on {
		c.note("on")
		return
	}
	c.note("off")
	if c.blocking != nil {
		select {
		case <-c.blocking:
		default:
			close(c.blocking)
		}
	}
}

func (c *fakeCard) Transmit(command []byte) ([]byte, error) {
	c.note("transmit")
	if c.blocking != nil {
		close(c.started)
		<-c.blocking
		return nil, hw.ErrRemoved
	}
	if c.err != nil || c.answer != nil {
		return c.answer, c.err
	}
	return append(bytes.Clone(command), 0x90, 0x00), nil
}

// plugIn has Serve connect the card to a listener that plays the virtual reader. It returns the
// reader's end and a function that waits for Serve's error.
func plugIn(t *testing.T, ctx context.Context, card Card) (net.Conn, func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	result := make(chan error, 1)
	go func() { result <- Serve(ctx, l.Addr().String(), card) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, func() error { return <-result }
}

// send writes a message as vpcd 3.3 does, in two writes.
func send(t *testing.T, conn net.Conn, body ...byte) {
	t.Helper()
	if _, err := conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(body)))); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestServe(t *testing.T) {
	card := &fakeCard{}
	conn, wait := plugIn(t, t.Context(), card)
	send(t, conn, controlATR)
	if got := receive(t, conn); !bytes.Equal(got, card.ATR()) {
		t.Errorf("ATR %x", got)
	}
	send(t, conn, controlOn)
	send(t, conn, 0x00, 0xa4, 0x04, 0x00)
	if got, want := receive(t, conn), []byte{0x00, 0xa4, 0x04, 0x00, 0x90, 0x00}; !bytes.Equal(got, want) {
		t.Errorf("answer %x, want %x", got, want)
	}
	send(t, conn, controlReset)
	send(t, conn, controlOff)
	_ = conn.Close()
	if err := wait(); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want one that wraps io.EOF", err)
	}
	if want := []string{"on", "transmit", "off", "on", "off", "off", "off"}; !slices.Equal(card.events, want) {
		t.Errorf("events %v, want %v", card.events, want)
	}
}

// TestCommandWithoutPower: another program's end took power away in the middle of ours.
func TestCommandWithoutPower(t *testing.T) {
	card := &fakeCard{}
	conn, wait := plugIn(t, t.Context(), card)
	send(t, conn, controlOn)
	send(t, conn, controlOff)
	send(t, conn, 0x00, 0xa4, 0x04, 0x00)
	if got := receive(t, conn); len(got) != 6 {
		t.Errorf("answer %x", got)
	}
	_ = conn.Close()
	_ = wait()
	if want := []string{"on", "off", "on", "transmit", "off", "off"}; !slices.Equal(card.events, want) {
		t.Errorf("events %v, want %v", card.events, want)
	}
}

func TestServeEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	conn, wait := plugIn(t, ctx, &fakeCard{})
	cancel()
	if err := wait(); err != nil {
		t.Errorf("error %v after the context ended", err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the connection is still open: %d bytes, %v", n, err)
	}
}

// TestConnectionEndsDuringTransmit: a touch must not outlive the reader.
func TestConnectionEndsDuringTransmit(t *testing.T) {
	card := &fakeCard{blocking: make(chan struct{}), started: make(chan struct{})}
	conn, wait := plugIn(t, t.Context(), card)
	send(t, conn, 0x00, 0xa2, 0x00, 0x01)
	<-card.started
	_ = conn.Close()
	if err := wait(); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("error %v, want one that wraps hw.ErrRemoved", err)
	}
}

func TestContextEndsDuringTransmit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	card := &fakeCard{blocking: make(chan struct{}), started: make(chan struct{})}
	conn, wait := plugIn(t, ctx, card)
	send(t, conn, 0x00, 0xa2, 0x00, 0x01)
	<-card.started
	cancel()
	if err := wait(); err != nil {
		t.Errorf("error %v after the context ended", err)
	}
}

func TestCardFailures(t *testing.T) {
	t.Run("removed", func(t *testing.T) {
		conn, wait := plugIn(t, t.Context(), &fakeCard{err: hw.ErrRemoved})
		send(t, conn, 0x00, 0xa4, 0x04, 0x00)
		if err := wait(); !errors.Is(err, hw.ErrRemoved) {
			t.Errorf("error %v, want one that wraps hw.ErrRemoved", err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a card that is gone answered %d bytes, %v", n, err)
		}
	})
	t.Run("other error", func(t *testing.T) {
		conn, _ := plugIn(t, t.Context(), &fakeCard{err: hw.ErrReset})
		send(t, conn, 0x00, 0xa4, 0x04, 0x00)
		if got := receive(t, conn); !bytes.Equal(got, []byte{0x6f, 0x00}) {
			t.Errorf("answer %x, want 6f00", got)
		}
	})
	t.Run("over-long answer", func(t *testing.T) {
		conn, wait := plugIn(t, t.Context(), &fakeCard{answer: make([]byte, 0x10000)})
		send(t, conn, 0x00, 0xa4, 0x04, 0x00)
		if err := wait(); !errors.Is(err, hw.ErrMalformed) {
			t.Errorf("error %v, want one that wraps hw.ErrMalformed", err)
		}
	})
}

func TestGarbage(t *testing.T) {
	for name, message := range map[string][]byte{
		"empty message":   {0, 0},
		"unknown control": {0, 1, 9},
		"torn length":     {0},
		"torn body":       {0, 5, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			conn, wait := plugIn(t, t.Context(), &fakeCard{})
			if _, err := conn.Write(message); err != nil {
				t.Fatal(err)
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			err := wait()
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if err := Serve(t.Context(), addr, &fakeCard{}); err == nil {
		t.Error("no error although nobody listens")
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte{0, 1, 4})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readMessage(bytes.NewReader(b))
		if err == nil && (len(body) == 0 || len(body) > len(b)-2) {
			t.Errorf("%d bytes from %d", len(body), len(b))
		}
	})
}
