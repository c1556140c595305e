package bus

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// handOver are the ways in which a program may hand a password over; each returns what is to be passed.
var handOver = map[string]func(t *testing.T, password string) *os.File{
	"a pipe": func(t *testing.T, password string) *os.File {
		r, w := pipe(t)
		if _, err := w.WriteString(password); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		return r
	},
	"a socket": func(t *testing.T, password string) *os.File {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, w := os.NewFile(uintptr(ends[0]), "r"), os.NewFile(uintptr(ends[1]), "w")
		if _, err := w.WriteString(password); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		return r
	},
	"a file": func(t *testing.T, password string) *os.File {
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		return open(t, path)
	},
	"a file in memory": func(t *testing.T, password string) *os.File {
		fd, err := unix.MemfdCreate("password", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "memfd")
		if _, err := f.WriteString(password); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		return f
	},
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// lockedKey is a key with the password "correct horse" that an agent has just met.
func lockedKey(t *testing.T) (r *rig, c *client, path string) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	other := newAgent(t)
	other.insert(key)
	other.adopt("1000001", "key1")
	if _, err := other.SetPassword(t.Context(), tester, "key1", oath.CopySecret([]byte("correct horse"))); err != nil {
		t.Fatal(err)
	}
	other.bay.Remove(key)
	r, _, c = onBus(t, key)
	k, err := r.Key("key1")
	if err != nil || !k.Locked {
		t.Fatalf("%+v, %v", k, err)
	}
	return r, c, api.BusKeyPath(k.ID)
}

func (c *client) unlock(path string, f *os.File) error {
	defer f.Close()
	return c.call(path, api.BusKey+".Unlock", dbus.UnixFD(f.Fd())).Err
}

func TestUnlock(t *testing.T) {
	for name, hand := range handOver {
		t.Run(name, func(t *testing.T) {
			_, c, path := lockedKey(t)
			wantError(t, c.unlock(path, hand(t, "wrong horse")), api.BusError(api.CodeWrongPassword), "key1")
			wantError(t, c.unlock(path, hand(t, "")), api.BusError(api.CodeBadRequest), "empty")
			wantError(t, c.unlock(path, hand(t, strings.Repeat("x", maxPassword+1))), api.BusError(api.CodeTooLarge), "1024 bytes")
			if locked := c.property(path, api.BusKey+".Locked"); locked != true {
				t.Errorf("locked: %v", locked)
			}
			if err := c.unlock(path, hand(t, "correct horse")); err != nil {
				t.Fatal(err)
			}
			c.await("PropertiesChanged", func(s *dbus.Signal) bool { return s.Body[1].(options)["Locked"].Value() == false })
		})
	}
}

func TestUnlockRefuses(t *testing.T) {
	_, c, path := lockedKey(t)
	for _, name := range []string{"/dev/zero", "/dev/ptmx", "/"} {
		wantError(t, c.unlock(path, open(t, name)), api.BusError(api.CodeBadRequest), "in a pipe, a socket or a file")
	}
	err := c.call(path, api.BusKey+".Unlock", dbus.UnixFDIndex(7)).Err
	if err == nil {
		t.Error("a password that is not there was taken")
	}
}

// TestPasswordNeverEnds reads from a program that does not close its end.
func TestPasswordNeverEnds(t *testing.T) {
	for _, write := range []string{"", "half a pass"} {
		r, w := pipe(t)
		if _, err := w.WriteString(write); err != nil {
			t.Fatal(err)
		}
		if _, err := readPassword(t.Context(), r, time.Millisecond); api.CodeOf(err) != api.CodeBadRequest || !strings.Contains(err.Error(), "within 1ms") {
			t.Errorf("%q: %v", write, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := readPassword(ctx, r, time.Hour); err == nil {
			t.Errorf("%q: taken from a caller that has left", write)
		}
	}
}
