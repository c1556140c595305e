package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

// confined is a scene whose ledger lies on a small file system of its own.
func (s *stage) confined(t *testing.T, out ...string) *scene {
	t.Helper()
	sc := s.prepare(t, out...)
	dir := filepath.Dir(sc.ledger())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	need.SmallDisk(t, dir, "2m")
	t.Cleanup(func() { sc.leave(syscall.SIGKILL) })
	sc.furnish()
	sc.begin()
	return sc
}

func (s *scene) ballast() string { return filepath.Join(filepath.Dir(s.ledger()), "ballast") }

// fill leaves no room on the scene's file system.
func (s *scene) fill() {
	f, err := os.Create(s.ballast())
	if err != nil {
		s.t.Error(err)
		return
	}
	for err == nil {
		_, err = f.Write(make([]byte, os.Getpagesize()))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Error(err)
	}
	_ = f.Close()
}

// TestDiskFull has no room left before each commit of every deed, as if somebody downloaded something just then.
func TestDiskFull(t *testing.T) {
	atEach(t, commits, "the disk was full at %d commits", func(t *testing.T, d deed, _, n int) bool { return fullAt(t, d, n) })
}

// fullAt lets the disk be full from the nth point on. What is done says so; when there is room again it can be done. It reports whether
// the daemon came that far: it may have less to observe than another had.
func fullAt(t *testing.T, d deed, n int) bool {
	t.Helper()
	s := d.stage(t).confined(t, d.out...)
	s.fate.mishap = s.fill
	points, _, err := s.attempt(n, func() error { return d.do(s) })
	switch {
	case points < n:
		s.expect(err)
		return false
	case err != nil:
		saysFull(t, err)
	default:
		s.expect(d.done(s))
	}
	s.expect(os.Remove(s.ballast()))
	s.recovers(d)
	return true
}

// saysFull wants an error to tell people what is wrong and what to do about it.
func saysFull(t *testing.T, err error) {
	t.Helper()
	if !strings.Contains(err.Error(), "full") {
		t.Errorf("it says %q", err)
	}
	if refused, ok := errors.AsType[*api.Error](err); ok && !strings.Contains(refused.Hint, "make room") {
		t.Errorf("its hint is %q", refused.Hint)
	}
}

// TestStartOnAFullDisk: the daemon says what is wrong and touches nothing; with room it is as before.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := furnished(t).confined(t)
	s.leave(syscall.SIGTERM)
	s.fill()
	said, err := s.refuses()
	if err == nil || !strings.Contains(said, "full") || !strings.Contains(said, "make room") {
		t.Errorf("%v: %q", err, said)
	}
	if err := os.Remove(s.ballast()); err != nil {
		t.Fatal(err)
	}
	s.begin()
	s.expect(s.sound(), s.settled())
}

// refuses runs a daemon that is to end by itself, and returns what it says.
func (s *scene) refuses() (said string, err error) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), patience)
	defer stop()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "oathd"))
	cmd.Env = s.env
	b, err := cmd.CombinedOutput()
	return string(b), err
}
