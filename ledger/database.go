package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"

	"github.com/oathd/oathd/hw"
)

// pragmas hold for every connection. The caches are small, for the daemon lives long and asks seldom. What is deleted is overwritten: it may
// be a vault that opens with a key which was lost.
var pragmas = url.Values{
	"_busy_timeout": {"3000"},
	"_foreign_keys": {"on"},
	"_txlock":       {"immediate"},
	"_defensive":    {"true"},
	"_dqs":          {"false"},
	"_pragma": {
		"trusted_schema(off)", "cell_size_check(on)", "temp_store(memory)", "secure_delete(on)",
		"cache_size(-512)", "wal_autocheckpoint(256)", "journal_size_limit(1048576)",
	},
}

// connect returns a database of one connection, on which everything happens in turn.
func connect(name string, parameters ...string) (*sql.DB, error) {
	query := pragmas.Encode()
	for _, p := range parameters {
		query += "&" + p
	}
	connector, err := sqlite.NewConnector(name + "?" + query)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// connectFile connects to an existing file. mode=rw keeps SQLite from making one.
func connectFile(path string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: path}
	return connect(name.String(), "mode=rw")
}

// openFile opens the ledger at path, which belongs to this process by the lock.
func openFile(ctx context.Context, path string, lock *os.File) (*sql.DB, fs.FileInfo, error) {
	file, err := checkFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(ctx, path); err != nil {
			return nil, nil, err
		}
		file, err = checkFile(path)
	}
	if err != nil {
		return nil, nil, err
	}
	db, err := connectFile(path)
	if err != nil {
		return nil, nil, err
	}
	if err := settle(ctx, db, journalMode(lock)); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, file, nil
}

// settle checks a ledger, brings it up to date and sets how it is written.
func settle(ctx context.Context, db *sql.DB, mode string) error {
	if err := check(ctx, db); err != nil {
		return err
	}
	if err := migrate(ctx, db, migrations); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "PRAGMA journal_mode = "+mode)
	return err
}

// check refuses what is no ledger, or no longer a whole one.
func check(ctx context.Context, db *sql.DB) error {
	var id int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return damaged("it is another program's database")
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return damaged("%s", verdict)
	}
	return checkReferences(ctx, db)
}

// checkReferences refuses rows that refer to what is not there, as another program may have left them.
func checkReferences(ctx context.Context, db *sql.DB) error {
	var table, parent string
	err := db.QueryRowContext(ctx, `SELECT "table", parent FROM pragma_foreign_key_check`).Scan(&table, &parent)
	if err == nil {
		return damaged("a row of %s refers to nothing in %s", table, parent)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM meta").Scan(&n); err != nil {
		return err
	}
	if n != 1 {
		return damaged("its salt is missing")
	}
	return nil
}

// checkFile refuses a ledger that others can write, that can't be written, or that is empty: SQLite
// would take it for a new one. What it lets others read is closed to them.
func checkFile(path string) (fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, damaged("it is not a file")
	}
	if info.Size() == 0 {
		return nil, damaged("it is empty")
	}
	if err := secure(path, info); err != nil {
		return nil, err
	}
	return info, f.Chmod(0o600)
}

// create makes a ledger under another name and moves it into place when it is whole. A crash leaves no
// half of one, and a file of size 0 is never a new ledger.
func create(ctx context.Context, path string) error {
	if err := checkLeftovers(path); err != nil {
		return err
	}
	draft := path + ".new"
	for _, name := range []string{draft, draft + "-journal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := createDraft(ctx, draft); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// checkLeftovers refuses to begin a ledger where the journal of another one lies: SQLite would play it
// into the new one.
func checkLeftovers(path string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Lstat(path + suffix); err == nil {
			return hw.WithHint(fmt.Errorf("%w: it is gone, but its journal %s is there", ErrDamaged, path+suffix),
				"put the ledger back beside its journal, or remove the journal to begin a new ledger")
		}
	}
	return nil
}

func createDraft(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connectFile(path)
	if err != nil {
		return err
	}
	return errors.Join(initialise(ctx, db), db.Close())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// remote are the file systems on which another machine may have the file open too, or on which memory can't
// be shared through a file. SQLite's write-ahead log needs shared memory (https://www.sqlite.org/wal.html).
var remote = []uint32{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.AFS_SUPER_MAGIC,
	unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC,
}

// journalMode returns the write-ahead log where the file system of the lock file can do it, else the
// rollback journal.
func journalMode(lock *os.File) string {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(int(lock.Fd()), &stat); err != nil || slices.Contains(remote, uint32(stat.Type)) {
		return "DELETE"
	}
	shared, err := unix.Mmap(int(lock.Fd()), 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return "DELETE"
	}
	unix.Munmap(shared)
	return "WAL"
}
