package line

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// messageOf is a message as the bus would send it.
func messageOf(t testing.TB, body ...any) []byte {
	m := &dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath("/a")),
		dbus.FieldInterface: dbus.MakeVariant("a.b"),
		dbus.FieldMember:    dbus.MakeVariant("C"),
		dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
	}, Body: body}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wires returns a wire after its handshake, and its other end.
func wires(t testing.TB) (*wire, *net.UnixConn) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range ends {
		f := os.NewFile(uintptr(fd), "end")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		conns[i] = c.(*net.UnixConn)
	}
	return &wire{UnixConn: conns[0], begun: true}, conns[1]
}

func TestWireCutsMessages(t *testing.T) {
	w, end := wires(t)
	small, medium, oversized := messageOf(t, "a"), messageOf(t, strings.Repeat("b", 2*keptBuffer)), messageOf(t, strings.Repeat("c", maxMessage))
	go func() {
		for _, m := range [][]byte{small, oversized, medium, oversized, small} {
			_, _ = end.Write(m)
		}
		_ = end.Close()
	}()
	got, err := io.ReadAll(w)
	if want := bytes.Join([][]byte{small, medium, small}, nil); !errors.Is(err, io.EOF) || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// TestWireHandsFilesOver has two messages with descriptors: each gets its own, and what is not claimed is closed.
func TestWireHandsFilesOver(t *testing.T) {
	w, end := wires(t)
	send := func(name string) {
		r, pipeEnd, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pipeEnd.WriteString(name); err != nil {
			t.Fatal(err)
		}
		_ = pipeEnd.Close()
		if _, _, err := end.WriteMsgUnix(messageOf(t, name), unix.UnixRights(int(r.Fd()), int(r.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	before := openFiles(t)
	for _, name := range []string{"first", "second"} {
		send(name)
	}
	for _, name := range []string{"first", "second"} {
		if _, err := w.Read(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
		m := &dbus.Message{Body: []any{"x", dbus.UnixFDIndex(1), dbus.UnixFDIndex(2), dbus.UnixFDIndex(1)}}
		w.claim(m)
		f, ok := m.Body[1].(*os.File)
		if !ok || m.Body[2] != dbus.UnixFDIndex(2) || m.Body[3] != dbus.UnixFDIndex(1) {
			t.Fatalf("%s: got %v", name, m.Body)
		}
		text, err := io.ReadAll(f)
		if err != nil || string(text) != name {
			t.Errorf("%s came with the file of %q, %v", name, text, err)
		}
		_ = f.Close()
	}
	_ = end.Close()
	if _, err := w.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if after := openFiles(t); after >= before {
		t.Errorf("%d files were open, and %d are now, one of them closed by the test", before, after)
	}
}

// TestDivert leaves calls that godbus answers wrongly to the handler, and all others as they are.
func TestDivert(t *testing.T) {
	const peer = "org.freedesktop.DBus.Peer"
	for _, test := range []struct {
		kind         dbus.Type
		family, name string
		diverted     bool
	}{
		{dbus.TypeMethodCall, peer, "GetMachineId", true},
		{dbus.TypeMethodCall, peer, "Ping", false},
		{dbus.TypeMethodCall, "a.b", "GetMachineId", false},
		{dbus.TypeSignal, peer, "GetMachineId", false},
	} {
		m := &dbus.Message{Type: test.kind, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldInterface: dbus.MakeVariant(test.family), dbus.FieldMember: dbus.MakeVariant(test.name),
		}}
		new(wire).receive(m)
		if _, left := m.Headers[dbus.FieldInterface]; left == test.diverted {
			t.Errorf("%+v: its interface is there: %t", test, left)
		}
	}
}

// TestHandshake has the bus agree to pass descriptors, refuse it, or break off.
func TestHandshake(t *testing.T) {
	for answer, fails := range map[string]bool{"AGREE_UNIX_FD\r\n": false, "ERROR\r\n": false, "": true, strings.Repeat("x", 2*keptBuffer): true} {
		w, end := wires(t)
		w.begun = false
		go func() {
			line := make([]byte, len("NEGOTIATE_UNIX_FD\r\n"))
			_, _ = io.ReadFull(end, line)
			_, _ = end.Write([]byte(answer))
			if answer == "" {
				_ = end.Close()
			}
		}()
		if _, err := w.Write(begin); (err != nil) != fails {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
}

// FuzzWire sends anything: what comes through is a beginning of whole messages, and nothing else happens.
func FuzzWire(f *testing.F) {
	f.Add(messageOf(f, "a"))
	f.Add(append(messageOf(f, uint32(1)), messageOf(f, []string{"b"})...))
	f.Add([]byte("l\x04\x00\x01\xff\xff\xff\xff\x01\x00\x00\x00\xff\xff\xff\xff"))
	f.Add([]byte("B\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		w, end := wires(t)
		go func() {
			_, _ = end.Write(sent)
			_ = end.Close()
		}()
		got, _ := io.ReadAll(w)
		if len(got) > len(sent) || len(got) > 0 && got[0] != 'l' && got[0] != 'B' {
			t.Errorf("%x became %x", sent, got)
		}
	})
}
