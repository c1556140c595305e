package sentry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// awake reports whether the sentry wakes up for act. That it sleeps on is known after a while.
func awake(t *testing.T, s *Sentry, act func() error, patience time.Duration) bool {
	t.Helper()
	if err := act(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.Wait(ctx, false)
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
		{"the inner directory", mkdir(join("run", "service")), true},
		{"the file", touch(join("run", "service", "socket")), true},
		{"its mode", func() error { return os.Chmod(join("run", "service", "socket"), 0o666) }, true},
		{"its end", func() error { return os.Remove(join("run", "service", "socket")) }, false},
		{"one moved to its place", func() error { return os.Rename(join("stranger"), join("run", "service", "socket")) }, true},
		{"the end of the directory", func() error { return os.RemoveAll(join("run", "service")) }, true},
		{"the second path", touch(join("second")), true},
	} {
		s, err := New(join("run", "service", "socket"), join("second"))
		if err != nil {
			t.Fatal(err)
		}
		patience := map[bool]time.Duration{true: time.Minute, false: 50 * time.Millisecond}[c.want]
		if got := awake(t, s, c.act, patience); got != c.want {
			t.Errorf("%s: woken %v", c.what, got)
		}
		s.Close()
	}
}

func TestSentryEndsWithContext(t *testing.T) {
	s, err := New(filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.Wait(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Wait(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended before: %v", err)
	}
}

func TestSentrySettles(t *testing.T) {
	s, err := New(filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	again, err := s.Wait(context.Background(), true)
	if waited := time.Since(began); err != nil || again || waited < Settle || waited > 5*Settle {
		t.Errorf("again %v after %v: %v", again, waited, err)
	}
}
