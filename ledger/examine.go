package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Examined is what Examine found.
type Examined struct {
	// Old says that an older oathd has written the ledger: Open will bring it up to date, and what else is said here is missing.
	Old bool
	// Vault is the vault's text, nil if there is none.
	Vault []byte
	// Intact says that nobody has tampered with the audit log; see Ledger.Audit.
	Intact bool
}

// Examine checks the ledger at path as Open does, but changes nothing and takes no lock: a daemon may have it open. The error is
// fs.ErrNotExist where there is none.
func Examine(ctx context.Context, path string) (Examined, error) {
	found, err := examine(ctx, path)
	if err != nil {
		return Examined{}, fmt.Errorf("cannot use the ledger %s: %w", path, err)
	}
	return found, nil
}

func examine(ctx context.Context, path string) (found Examined, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return found, explain(err)
	case !info.Mode().IsRegular():
		return found, damaged("it is not a file")
	case info.Size() == 0:
		return found, damaged("it is empty")
	}
	db, err := connectReader(path)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := check(ctx, db); err != nil {
		return found, explain(err)
	}
	if found.Old, err = older(ctx, db); err != nil || found.Old {
		return found, explain(err)
	}
	return examineContent(ctx, &Ledger{db: db})
}

// connectReader connects to a file for reading. SQLite would leave an empty write-ahead log beside a ledger that has none; it does
// not beside one that is said to be immutable (https://www.sqlite.org/uri.html).
func connectReader(path string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: path}
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Lstat(path + suffix); err == nil {
			return connect(name.String(), "mode=ro")
		}
	}
	return connect(name.String(), "mode=ro", "immutable=1")
}

// older reports whether the ledger has to be brought up to date.
func older(ctx context.Context, db *sql.DB) (bool, error) {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return false, err
	}
	if version > len(migrations) {
		return false, newer(version, len(migrations))
	}
	return version < len(migrations), nil
}

// examineContent reads all that the daemon would read.
func examineContent(ctx context.Context, l *Ledger) (found Examined, err error) {
	book, err := l.Load(ctx)
	if err != nil {
		return found, err
	}
	found.Vault = book.Vault
	_, found.Intact, err = l.Audit(ctx)
	return found, err
}
