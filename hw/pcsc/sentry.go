package pcsc

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// socketPath is where libpcsclite looks for pcscd.
func socketPath() string {
	return cmp.Or(os.Getenv("PCSCLITE_CSOCK_NAME"), "/run/pcscd/pcscd.comm")
}

// sessionPath is the file that systemd-logind writes anew whenever the user's sessions begin, end or become
// active, as sd_login_monitor(3) watches it. Whom polkit refuses as inactive may be let in then.
func sessionPath() string {
	return filepath.Join("/run/systemd/users", strconv.Itoa(os.Getuid()))
}

// sentryEvents are what can happen to a file that comes to be: it is made, moved to its place, or,
// as pcscd's socket is last of all, given its mode. sentryLoss says that the directory is gone, or that events
// were lost.
const (
	sentryEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	sentryLoss   = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT | unix.IN_IGNORED | unix.IN_Q_OVERFLOW
)

// sentry waits for files to appear or to be replaced, with inotify.
type sentry struct {
	file *os.File
	// names holds, by watch, the entries of a directory that matter.
	names map[int32][]string
}

// newSentry watches for a path; where a directory of it does not exist, for that directory. The further paths
// are watched too if that can be done.
func newSentry(path string, further ...string) (*sentry, error) {
	descriptor, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot wait for pcscd with inotify: %w", err)
	}
	s := &sentry{file: os.NewFile(uintptr(descriptor), "inotify"), names: make(map[int32][]string)}
	if err := s.add(descriptor, path); err != nil {
		s.close()
		return nil, err
	}
	for _, path := range further {
		_ = s.add(descriptor, path)
	}
	return s, nil
}

// add watches the deepest directory of path that exists, and looks again afterwards: it may have got a
// subdirectory meanwhile.
func (s *sentry) add(descriptor int, path string) error {
	for {
		dir, name := deepest(path)
		watch, err := unix.InotifyAddWatch(descriptor, dir, sentryEvents)
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

// wait returns nil once something has happened at one of the paths, or, if settle is set, two seconds
// later at most; again says whether the next wait should settle. The error is that of ctx.
func (s *sentry) wait(ctx context.Context, settle bool) (again bool, err error) {
	var deadline time.Time
	if settle {
		deadline = time.Now().Add(settleTime)
	}
	if err := s.file.SetReadDeadline(deadline); err != nil {
		return false, fmt.Errorf("cannot wait for pcscd: %w", err)
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
			return false, fmt.Errorf("cannot wait for pcscd: %w", err)
		}
		if s.matters(buffer[:n]) {
			return true, nil
		}
	}
}

// matters reports whether one of the events (inotify(7)) is about a path that is watched for.
func (s *sentry) matters(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		watch := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name := strings.TrimRight(string(events[unix.SizeofInotifyEvent:end]), "\x00")
		if mask&sentryLoss != 0 || slices.Contains(s.names[watch], name) {
			return true
		}
		events = events[end:]
	}
	return false
}

func (s *sentry) close() { _ = s.file.Close() }
