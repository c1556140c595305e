package pcsc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// awake reports whether the sentry wakes up for act.
func awake(t *testing.T, s *sentry, act func() error) bool {
	t.Helper()
	if err := act(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := s.wait(ctx, false)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return err == nil
}

func TestSentry(t *testing.T) {
	dir := t.TempDir()
	join := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	touch := func(path string) func() error { return func() error { return os.WriteFile(path, nil, 0o600) } }
	mkdir := func(path string) func() error { return func() error { return os.Mkdir(path, 0o700) } }
	for _, c := range []struct {
		what string
		act  func() error
		want bool
	}{
		{"a stranger", touch(join("stranger")), false},
		{"a strange directory", mkdir(join("strange")), false},
		{"the outer directory", mkdir(join("run")), true},
		{"a stranger in it", touch(join("run", "stranger")), false},
		{"the inner directory", mkdir(join("run", "pcscd")), true},
		{"the file", touch(join("run", "pcscd", "socket")), true},
		{"its mode", func() error { return os.Chmod(join("run", "pcscd", "socket"), 0o666) }, true},
		{"its end", func() error { return os.Remove(join("run", "pcscd", "socket")) }, false},
		{"one moved to its place", func() error { return os.Rename(join("stranger"), join("run", "pcscd", "socket")) }, true},
		{"the end of the directory", func() error { return os.RemoveAll(join("run", "pcscd")) }, true},
		{"the second path", touch(join("second")), true},
	} {
		s, err := newSentry(join("run", "pcscd", "socket"), join("second"))
		if err != nil {
			t.Fatal(err)
		}
		if got := awake(t, s, c.act); got != c.want {
			t.Errorf("%s: woken %v", c.what, got)
		}
		s.close()
	}
}

func TestSentryEndsWithContext(t *testing.T) {
	s, err := newSentry(filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.wait(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.wait(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended before: %v", err)
	}
}

func TestSentrySettles(t *testing.T) {
	s, err := newSentry(filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	began := time.Now()
	again, err := s.wait(context.Background(), true)
	if waited := time.Since(began); err != nil || again || waited < settleTime || waited > 5*settleTime {
		t.Errorf("again %v after %v: %v", again, waited, err)
	}
}
