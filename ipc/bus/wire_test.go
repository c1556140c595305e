package bus

import (
	"os"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestDescriptorsHarmNobody sends descriptors where none belong. An array of them ends a program that lets godbus
// read them, and none may stay open.
func TestDescriptorsHarmNobody(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	k, err := r.Key("key1")
	if err != nil {
		t.Fatal(err)
	}
	path := api.BusKeyPath(k.ID)
	file := open(t, "/dev/null")
	fd := dbus.UnixFD(file.Fd())
	before := openFiles(t)
	for range 3 {
		for method, argument := range map[string]any{
			api.BusKey + ".Unlock":   []dbus.UnixFD{fd, fd, fd},
			"Introspect":             fd,
			"x.y.Z":                  map[string]dbus.UnixFD{"a": fd},
			api.BusAccount + ".None": options{"key": dbus.MakeVariant(fd)},
			propertiesName + ".Get":  struct{ A, B any }{fd, "a"},
		} {
			if err := c.call(path, method, argument).Err; err == nil {
				t.Errorf("%s took %v", method, argument)
			}
		}
		if err := c.call(path, "org.freedesktop.DBus.Peer.Ping", fd).Err; err != nil {
			t.Errorf("Ping with a descriptor: %v", err)
		}
	}
	// The next message has those of the last one closed; Ping's is the garbage collector's.
	if err := c.call(path, "org.freedesktop.DBus.Peer.Ping").Err; err != nil {
		t.Fatal(err)
	}
	if after := openFiles(t); after > before+3 {
		t.Errorf("%d files were open, and %d are now", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestOversizedMessage sends more than any honest program: it gets no answer, and others do.
func TestOversizedMessage(t *testing.T) {
	_, b, c := onBus(t)
	liar := b.dial(t)
	large := liar.Object(api.BusName, api.BusPath).Go(api.BusManager+".Find", 0, nil, strings.Repeat("x", 16<<20))
	if err := liar.call(api.BusPath, "org.freedesktop.DBus.Peer.Ping").Err; err != nil {
		t.Errorf("after it, the same program gets %v", err)
	}
	if err := c.call(api.BusPath, api.BusManager+".Refresh").Err; err != nil {
		t.Errorf("another program gets %v", err)
	}
	select {
	case <-large.Done:
		t.Errorf("it was answered: %v", large.Err)
	default:
	}
	long := strings.Repeat("x", 100<<10)
	wantError(t, liar.call(api.BusPath, api.BusManager+".Find", long).Err, api.BusError(api.CodeNotFound))
}
