package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/oathd/oathd/hw"
)

// The reasons for which a ledger cannot be used; errors wrap them and carry a hint.
var (
	// ErrDamaged: the file is not a ledger, or no longer a whole one.
	ErrDamaged = errors.New("the file is damaged")
	// ErrNewer: a newer oathd has written the file.
	ErrNewer = errors.New("it was written by a newer oathd")
	// ErrReadOnly: the file, its directory or its file system cannot be written.
	ErrReadOnly = errors.New("it cannot be written")
	// ErrFull: the disk or the quota is full.
	ErrFull = errors.New("the disk is full")
	// ErrBusy: another daemon has the ledger, or another program has locked the file.
	ErrBusy = errors.New("another program uses it")
	// ErrUnsafe: other users can write the file or its directory.
	ErrUnsafe = errors.New("other users could change it")
)

// explain gives an error of SQLite or of the file system its meaning and a hint.
func explain(err error) error {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return explainCode(err, failure.Code())
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return readOnly(err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return full(err)
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
		return hw.WithHint(err, "the file system cannot lock files: name a place on another one with the setting `ledger`")
	}
	return err
}

// explainCode knows SQLite's result codes (https://www.sqlite.org/rescode.html); the low byte is the
// class of the error.
func explainCode(err error, code int) error {
	switch code & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR:
		// SQLITE_ERROR is a statement that does not fit the tables. Ours fit those that we made.
		return damaged("%v", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return readOnly(err)
	case sqlite3.SQLITE_FULL:
		return full(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return hw.WithHint(fmt.Errorf("%w: %w", ErrBusy, err), "close the program that has locked the file, then try again")
	case sqlite3.SQLITE_IOERR:
		if code == sqlite3.SQLITE_IOERR_SHMSIZE {
			return full(err) // there is no room for the index of the write-ahead log
		}
		return hw.WithHint(err, "look at the disk: `df` shows whether it or your quota is full, `dmesg` whether it fails")
	}
	return err
}

func damaged(format string, args ...any) error {
	return hw.WithHint(fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...),
		"put a backup of the file in its place, or move it away to begin a new ledger: the keys keep their accounts, and `oathctl key adopt` takes them in again")
}

func readOnly(err error) error {
	return hw.WithHint(fmt.Errorf("%w: %w", ErrReadOnly, err), "make the file and its directory writable for you, or name another place with the setting `ledger`")
}

func full(err error) error {
	return hw.WithHint(fmt.Errorf("%w: %w", ErrFull, err), "make room on the disk, then try again: nothing was changed")
}
