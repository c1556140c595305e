package socket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/internal/need"
)

func TestListenIsPrivate(t *testing.T) {
	path := filepath.Join(shortDir(t), "a", "b", "oathd.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]fs.FileMode{path: 0o600 | fs.ModeSocket, filepath.Dir(path): 0o700 | fs.ModeDir} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	file := func(t *testing.T, dir string) string {
		path := filepath.Join(dir, "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name    string
		path    func(t *testing.T, dir string) string
		message string
	}{
		{"a long path", func(_ *testing.T, dir string) string { return filepath.Join(dir, strings.Repeat("x", 100)) }, "at most 107 bytes"},
		{"an open directory", func(t *testing.T, dir string) string {
			if err := os.Chmod(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "s")
		}, "open to others (mode 0750)"},
		{"a file in place of the directory", func(t *testing.T, dir string) string { return filepath.Join(file(t, dir), "s") }, "not a directory"},
		{"a file in place of the socket", file, "something else of that name"},
		{"a live daemon", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "s")
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return path
		}, "another daemon answers"},
		{"somebody else's directory", func(t *testing.T, dir string) string {
			need.That(t, os.Getuid() == 0, "root, to give a directory away")
			if err := os.Chown(dir, 65534, 65534); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "s")
		}, "belongs to user 65534"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := test.path(t, shortDir(t))
			l, err := Listen(path)
			if err == nil {
				_ = l.Close()
				t.Fatal("it listens")
			}
			if !strings.Contains(err.Error(), test.message) {
				t.Errorf("%v; want %q", err, test.message)
			}
		})
	}
}

func TestListenKeepsForeignFile(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Listen(path)
	if hw.Hint(err) == "" {
		t.Errorf("no hint: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file has gone: %v", err)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("nobody listens: %v", err)
	} else {
		_ = c.Close()
	}
}

func TestRemoveStaleWithoutSocket(t *testing.T) {
	if err := removeStale(filepath.Join(shortDir(t), "s")); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
}

// passed is a file as systemd passes it.
func passed(t *testing.T, network, address, name string) *os.File {
	t.Helper()
	var source interface {
		File() (*os.File, error)
		Close() error
	}
	switch network {
	case "unix":
		l, err := net.ListenUnix(network, &net.UnixAddr{Name: address, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		source = l
	case "unixgram":
		c, err := net.ListenUnixgram(network, &net.UnixAddr{Name: address, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		source = c
	default:
		l, err := net.ListenTCP(network, nil)
		if err != nil {
			t.Fatal(err)
		}
		source = l
	}
	defer source.Close()
	f, err := source.File()
	if err != nil {
		t.Fatal(err)
	}
	fd := f.Fd()
	t.Cleanup(func() { _ = f.Close() })
	return os.NewFile(fd, name)
}

func TestInherit(t *testing.T) {
	dir := shortDir(t)
	path, codes, own := filepath.Join(dir, "s"), filepath.Join(dir, "c"), filepath.Join(dir, "d", "own")
	passed, err := inherit([]*os.File{passed(t, "unix", codes, CodesName), passed(t, "unix", path, APIName)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{APIName: path, CodesName: codes} {
		l, err := passed.Listen(name, own)
		if err != nil || l.Addr().String() != want {
			t.Fatalf("%s: %v, %v", name, l, err)
		}
		_ = l.Close()
		if _, err := os.Lstat(want); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("systemd's socket %s was removed", want)
		}
	}
	l, err := passed.Listen(APIName, own)
	if err != nil || l.Addr().String() != own {
		t.Fatalf("without systemd: %v, %v", l, err)
	}
	_ = l.Close()
}

func TestInheritedIsClosed(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	passed, err := inherit([]*os.File{passed(t, "unix", path, CodesName)})
	if err != nil {
		t.Fatal(err)
	}
	passed.Close()
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		t.Error("somebody listens")
	}
}

func TestInheritRefuses(t *testing.T) {
	dir := shortDir(t)
	for _, test := range []struct {
		name  string
		files []*os.File
	}{
		{"a TCP port", []*os.File{passed(t, "tcp", "", APIName)}},
		{"another name", []*os.File{passed(t, "unix", filepath.Join(dir, "a"), "oathd.socket")}},
		{"two sockets", []*os.File{passed(t, "unix", filepath.Join(dir, "b"), APIName), passed(t, "unix", filepath.Join(dir, "c"), APIName)}},
		{"a datagram socket", []*os.File{passed(t, "unixgram", filepath.Join(dir, "d"), APIName)}},
	} {
		if l, err := inherit(test.files); err == nil {
			t.Errorf("%s was taken: %v", test.name, l)
		}
	}
	if c, err := net.Dial("unix", filepath.Join(dir, "b")); err == nil {
		_ = c.Close()
		t.Error("a socket that was taken before the error is still listened on")
	}
}
