package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw"
)

// resolve returns the absolute path of the ledger itself where path is a symbolic link, so that two
// names of it have one lock.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return real, err
}

// claim takes the ledger at path for this process: it makes the directory and holds a lock on a file
// beside the ledger, which the kernel releases when the process dies. (A lock on the ledger itself would
// be lost with the first of its descriptors that is closed, and would keep readers out.) Whoever gives it back empties that
// file, so orphaned says that the last one could not.
func claim(path string) (lock *os.File, orphaned bool, err error) {
	if err := secureDir(filepath.Dir(path)); err != nil {
		return nil, false, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, explain(err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = inUse(f)
	}
	if err == nil {
		orphaned, err = takeOver(f)
	}
	if err != nil {
		return nil, false, errors.Join(explain(err), f.Close())
	}
	return f, orphaned, nil
}

// takeOver puts our process id into the lock, and reports whether another was left in it.
func takeOver(lock *os.File) (orphaned bool, err error) {
	info, err := lock.Stat()
	if err != nil {
		return false, err
	}
	return info.Size() > 0, writePID(lock)
}

// giveBack empties the lock and lets it go.
func giveBack(lock *os.File) error { return errors.Join(lock.Truncate(0), lock.Close()) }

// inUse names the process that holds the lock.
func inUse(lock *os.File) error {
	who, _ := io.ReadAll(io.LimitReader(lock, 20))
	return hw.WithHint(fmt.Errorf("%w: the daemon with process id %s", ErrBusy, strings.TrimSpace(string(who))),
		"one daemon is enough, `oathctl` talks to it; to start another, end that one or give this one another ledger")
}

func writePID(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// secureDir makes the directory, or refuses one in which others could replace files.
func secureDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return explain(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return explain(err)
	}
	return secure(dir, info, 0)
}

// secure refuses what belongs to neither this user nor a trusted one, and what other users can write.
func secure(name string, info fs.FileInfo, trusted ...uint32) error {
	owner := info.Sys().(*syscall.Stat_t).Uid
	ours := owner == uint32(os.Geteuid())
	for _, uid := range trusted {
		ours = ours || owner == uid
	}
	if !ours {
		return hw.WithHint(fmt.Errorf("%w: %s belongs to the user with id %d", ErrUnsafe, name, owner),
			"run oathd as that user, or name another place with the setting `ledger`")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return hw.WithHint(fmt.Errorf("%w: %s has mode %#o", ErrUnsafe, name, info.Mode().Perm()), "chmod go-w %q", name)
	}
	return nil
}
