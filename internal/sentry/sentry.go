// Package sentry waits for files to appear or to be replaced, as the sockets of services do that start after
// us or start again. It sleeps in the kernel (inotify): nothing is polled.
package sentry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Settle is how long after something has happened it is worth to try once more: a service that has made
// its socket may not yet listen on it.
const Settle = 2 * time.Second

// watched are what can happen to a file that comes to be: it is made, moved to its place, or,
// as many sockets are last of all, given its mode. loss says that the directory is gone, or that events
// were lost.
const (
	watched = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	loss    = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT | unix.IN_IGNORED | unix.IN_Q_OVERFLOW
)

// Sentry watches one or more paths. It is used by one goroutine at a time.
type Sentry struct {
	file *os.File
	path string
	// names holds, by watch, the entries of a directory that matter.
	names map[int32][]string
}

// New watches for a path; where a directory of it does not exist, for that directory. The further paths
// are watched too if that can be done. To miss nothing, look whether the file is there after New, and
// before Wait; and make a new Sentry for each look, as the directories may have changed.
func New(path string, further ...string) (*Sentry, error) {
	descriptor, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot wait for %s with inotify: %w", path, err)
	}
	s := &Sentry{file: os.NewFile(uintptr(descriptor), "inotify"), path: path, names: make(map[int32][]string)}
	if err := s.add(descriptor, path); err != nil {
		s.Close()
		return nil, err
	}
	for _, path := range further {
		_ = s.add(descriptor, path)
	}
	return s, nil
}

// add watches the deepest directory of path that exists, and looks again afterwards: it may have got a
// subdirectory meanwhile.
func (s *Sentry) add(descriptor int, path string) error {
	for {
		dir, name := deepest(path)
		watch, err := unix.InotifyAddWatch(descriptor, dir, watched)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot watch %s: %w", dir, err)
		}
		s.names[int32(watch)] = append(s.names[int32(watch)], name)
		if now, _ := deepest(path); now == dir {
			return nil
		}
	}
}

// deepest returns the deepest directory of path that exists, and the name below it that path goes on with.
func deepest(path string) (dir, name string) {
	dir, name = filepath.Split(filepath.Clean(path))
	for dir = filepath.Clean(dir); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			break
		}
		name = filepath.Base(dir)
	}
	return dir, name
}

// Wait returns nil once something has happened at one of the paths, or, if settle is set, after
// Settle at most; again says whether the next wait should settle. The error is that of ctx.
func (s *Sentry) Wait(ctx context.Context, settle bool) (again bool, err error) {
	var deadline time.Time
	if settle {
		deadline = time.Now().Add(Settle)
	}
	if err := s.file.SetReadDeadline(deadline); err != nil {
		return false, fmt.Errorf("cannot wait for %s: %w", s.path, err)
	}
	defer context.AfterFunc(ctx, func() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) })()
	buffer := make([]byte, 4<<10)
	for {
		n, err := s.file.Read(buffer)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("cannot wait for %s: %w", s.path, err)
		}
		if s.matters(buffer[:n]) {
			return true, nil
		}
	}
}

// matters reports whether one of the events (inotify(7)) is about a path that is watched for.
func (s *Sentry) matters(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		watch := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name := strings.TrimRight(string(events[unix.SizeofInotifyEvent:end]), "\x00")
		if mask&loss != 0 || slices.Contains(s.names[watch], name) {
			return true
		}
		events = events[end:]
	}
	return false
}

// Close ends the watch.
func (s *Sentry) Close() { _ = s.file.Close() }
