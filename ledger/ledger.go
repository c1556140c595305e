// Package ledger owns the record of what is on which key and since when that is proved: keys, seeds'
// fingerprints, accounts, copies, open intents, the steps that were handed out, the vault with its payloads, and the audit
// log. It is one SQLite file. No seed, password or code ever enters it in clear; the schema has no place for them.
//
// A daemon has the ledger to itself; other programs may read the file while it runs.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/oathd/oathd/hw"
)

// Memory is the path of a ledger that is kept in memory and gone when it is closed.
const Memory = ":memory:"

// The two ways in which a commit is written, as values of SQLite's "synchronous".
const (
	// durable commits have reached the disk when they return. EXTRA is FULL, and in the rollback mode it
	// syncs the directory too, without which a power cut could bring the journal back.
	durable = "EXTRA"
	// relaxed commits survive the death of the process, and are not waited for.
	relaxed = "NORMAL"
)

// Ledger is an open ledger. Its methods may be called from any goroutine. They run one at a time, so a
// function given to Change or Observe must not call them.
//
// A context bounds the wait for the turn only: what has begun is finished or undone, whatever
// becomes of the caller.
type Ledger struct {
	db  *sql.DB
	now func() time.Time
	// synchronous is how the one connection commits; it belongs to who has the connection.
	synchronous string
	marks       marks

	// The file at path and the lock beside it; all three are zero in memory.
	path string
	file fs.FileInfo
	lock *os.File
	// orphaned is what Orphaned returns.
	orphaned bool
}

// Open opens the ledger at path, or creates it: a file of mode 0600 in a directory of mode 0700. It
// refuses a file that is damaged (ErrDamaged), of a newer oathd (ErrNewer), not writable (ErrReadOnly),
// in use by another daemon (ErrBusy) or in reach of other users (ErrUnsafe); nothing is changed then. A
// ledger of an older oathd is brought up to date. The errors carry hints (hw.Hint).
func Open(ctx context.Context, path string) (*Ledger, error) {
	l, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the ledger %s: %w", path, err)
	}
	return l, nil
}

func open(ctx context.Context, path string) (*Ledger, error) {
	if path == Memory {
		return openMemory(ctx)
	}
	path, err := resolve(path)
	if err != nil {
		return nil, explain(err)
	}
	lock, orphaned, err := claim(path)
	if err != nil {
		return nil, err
	}
	db, file, err := openFile(ctx, path, lock)
	if err != nil {
		return nil, errors.Join(explain(err), lock.Close())
	}
	return &Ledger{db: db, now: time.Now, path: path, file: file, lock: lock, orphaned: orphaned}, nil
}

func openMemory(ctx context.Context) (*Ledger, error) {
	db, err := connect("file::memory:")
	if err != nil {
		return nil, err
	}
	if err := initialise(ctx, db); err != nil {
		return nil, errors.Join(explain(err), db.Close())
	}
	return &Ledger{db: db, now: time.Now}, nil
}

// Close closes the ledger and lets another daemon have it.
func (l *Ledger) Close() error {
	err := l.db.Close()
	if l.lock != nil {
		err = errors.Join(err, giveBack(l.lock))
	}
	if err != nil {
		return fmt.Errorf("cannot close the ledger: %w", explain(err))
	}
	return nil
}

// Orphaned reports whether the daemon that had the ledger before this one did not close it: it was killed, and what it was
// just doing may not be in here.
func (l *Ledger) Orphaned() bool { return l.orphaned }

// Change runs f and commits what it did together with a line of the audit log: who did what. It has
// reached the disk when Change returns nil. If f fails, or the line cannot be written, nothing is left
// of it. An error of f comes back as it is.
func (l *Ledger) Change(ctx context.Context, who, what string, f func(*Tx) error) error {
	return l.write(ctx, durable, func(tx *Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return tx.audit(who, what)
	})
}

// Observe is Change without a line in the audit log, for what was seen and not done: proofs, the day
// a key was last seen.
func (l *Ledger) Observe(ctx context.Context, f func(*Tx) error) error {
	return l.write(ctx, durable, f)
}

// write runs f in one transaction. SQLite takes back the whole transaction at some errors, and
// what f does then would be committed by itself; so after the first error a Tx does nothing more, and the
// transaction fails even if f hides the error.
func (l *Ledger) write(ctx context.Context, synchronous string, f func(*Tx) error) error {
	conn, err := l.begin(ctx, synchronous)
	if err != nil {
		return fmt.Errorf("cannot write the ledger: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("cannot write the ledger: %w", explain(err))
	}
	defer tx.Rollback()

	t := &Tx{tx: tx, at: l.now().UTC().Truncate(time.Second), prepared: map[string]*sql.Stmt{}}
	if err := f(t); err != nil {
		return err
	}
	if t.err != nil {
		return t.err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("cannot write the ledger: %w", explain(err))
	}
	if t.erases {
		emptyLog(ctx, conn)
	}
	return nil
}

// emptyLog moves all that was committed into the file and leaves nothing in the log of what was there before. Where that cannot be done
// now, as somebody reads or the disk is full, it is done later, or when the ledger is closed; what was committed is so anyway.
func emptyLog(ctx context.Context, conn *sql.Conn) {
	_, _ = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)")
}

// begin waits for the connection and settles how it commits.
func (l *Ledger) begin(ctx context.Context, synchronous string) (*sql.Conn, error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err = l.inPlace(); err == nil && l.synchronous != synchronous {
		l.synchronous = synchronous
		_, err = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = "+synchronous)
	}
	if err != nil {
		l.synchronous = ""
		return nil, errors.Join(explain(err), conn.Close())
	}
	return conn, nil
}

// inPlace refuses to write a file that was deleted, moved or replaced: what is written to it would be
// gone at the next start.
func (l *Ledger) inPlace() error {
	if l.path == "" {
		return nil
	}
	file, err := os.Stat(l.path)
	if err == nil && os.SameFile(file, l.file) {
		return nil
	}
	return hw.WithHint(fmt.Errorf("%w: %s is no longer the file that was opened", ErrDamaged, l.path),
		"put the file back, or restart oathd to work with what is there now")
}

// read runs f on one state of the ledger.
func (l *Ledger) read(ctx context.Context, f func(*sql.Tx) error) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the ledger: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot read the ledger: %w", explain(err))
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return fmt.Errorf("cannot read the ledger: %w", explain(err))
	}
	return nil
}
