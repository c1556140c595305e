package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/internal/need"
)

// refused wants Open to fail with an error that names the path and has a hint.
func refused(t *testing.T, path string, want error, text string) {
	t.Helper()
	l, err := Open(context.Background(), path)
	if err == nil {
		l.Close()
		t.Fatal("it was opened")
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v … %s", err, want, text)
	}
	if !strings.HasPrefix(err.Error(), "cannot open the ledger "+path+": ") || hw.Hint(err) == "" {
		t.Errorf("%v, hint %q", err, hw.Hint(err))
	}
}

// filled returns the path of a closed ledger that has some pages.
func filled(t *testing.T) string {
	t.Helper()
	l, path := fresh(t)
	change(t, l, "fill", func(tx *Tx) error { return fill(tx, 20) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return nil })
	if got := mode(t, filepath.Dir(path)); got != 0o700 {
		t.Errorf("the directory has mode %#o", got)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if got := mode(t, path+suffix); got != 0o600 {
			t.Errorf("%s has mode %#o", path+suffix, got)
		}
	}
	l.Close()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	reopen(t, path)
	if got := mode(t, path); got != 0o600 {
		t.Errorf("once more readable for others, it has mode %#o", got)
	}
}

func TestOddPaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, path := range []string{"relative.db", dir + "/a b?c=d#e%41ü.db", dir + "/deep/er/ledger.db"} {
		l := reopen(t, path)
		if mode(t, path) != 0o600 || len(load(t, l).Salt) != 32 {
			t.Errorf("%s is not where it should be", path)
		}
	}
}

func TestUnsafe(t *testing.T) {
	path := filled(t)
	dir := filepath.Dir(path)
	for _, mode := range []fs.FileMode{0o720, 0o702, 0o777 | fs.ModeSticky} {
		os.Chmod(dir, mode)
		refused(t, path, ErrUnsafe, dir+" has mode")
	}
	os.Chmod(dir, 0o755)
	os.Chmod(path, 0o606)
	refused(t, path, ErrUnsafe, path+" has mode 0606")
	os.Chmod(path, 0o600)
	reopen(t, path)
}

func TestForeign(t *testing.T) {
	need.That(t, os.Geteuid() == 0, "root, to give a file away")
	const nobody = 65534
	path := filled(t)
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	refused(t, path, ErrUnsafe, "belongs to the user with id 65534")
	os.Chown(path, 0, 0)
	os.Chown(filepath.Dir(path), nobody, nobody)
	refused(t, path, ErrUnsafe, "belongs to the user with id 65534")
}

func TestNoLedger(t *testing.T) {
	l, good := fresh(t)
	l.Close()
	foreign, err := connect("file:" + t.TempDir() + "/foreign.db")
	if err != nil {
		t.Fatal(err)
	}
	var other string
	if err := errors.Join(
		foreign.QueryRow("PRAGMA database_list").Scan(new(int), new(string), &other),
		second(foreign.Exec("CREATE TABLE t (a)")),
		foreign.Close(),
	); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		text    string
	}{
		"empty":        {nil, "it is empty"},
		"text":         {[]byte("this is not a database\n"), "not a database"},
		"random":       {bytes.Repeat([]byte("\x8a\x01\xfe"), 5000), "not a database"},
		"half a page":  {read(t, good)[:2000], "damaged"},
		"the head":     {read(t, good)[:4096], "damaged"},
		"a page less":  {read(t, good)[:len(read(t, good))-4096], "damaged"},
		"another's":    {read(t, other), "another program's database"},
		"with zeros":   {append(read(t, good)[:8192:8192], make([]byte, len(read(t, good))-8192)...), "damaged"},
		"without head": {append(make([]byte, 100), read(t, good)[100:]...), "not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			write(t, path, test.content)
			refused(t, path, ErrDamaged, test.text)
			if got := read(t, path); !bytes.Equal(got, test.content) {
				t.Errorf("the file was changed: %d bytes, were %d", len(got), len(test.content))
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "ledger.db")
	os.Mkdir(dir, 0o700)
	if _, err := Open(t.Context(), dir); err == nil {
		t.Error("a directory was opened")
	}
}

func second[T any](_ T, err error) error { return err }

// TestDamagedPages turns each page of a ledger around, and then single bits of it. A damaged ledger is
// refused, when it is opened or when it is loaded; what SQLite can't see (a bit in a name) is read as it is.
func TestDamagedPages(t *testing.T) {
	path := filled(t)
	whole := read(t, path)
	for at := 0; at < len(whole); at += 4096 {
		damaged := bytes.Clone(whole)
		for i := range damaged[at : at+4096] {
			damaged[at+i] ^= 0xff
		}
		write(t, path, damaged)
		if _, err := openAndLoad(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("page %d is turned around: %v", at/4096, err)
		}
	}
	seen := 0
	for i := range 100 {
		damaged := bytes.Clone(whole)
		bit := i * 7919 * 8 % (len(whole) * 8)
		damaged[bit/8] ^= 1 << (i % 8)
		write(t, path, damaged)
		_, err := openAndLoad(path)
		if err != nil {
			seen++
		}
		if err != nil && (!errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) || hw.Hint(err) == "") {
			t.Errorf("bit %d is turned around: %v", bit, err)
		}
	}
	if seen == 0 {
		t.Error("no turned bit was seen")
	}
}

func openAndLoad(path string) (*Book, error) {
	l, err := Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if _, _, err := l.Audit(context.Background()); err != nil {
		return nil, err
	}
	return l.Load(context.Background())
}

// TestForeignEdits opens ledgers that another program has written nonsense into.
func TestForeignEdits(t *testing.T) {
	for name, test := range map[string]struct{ sql, text string }{
		"no salt":              {"DELETE FROM meta", "its salt is missing"},
		"a copy of nothing":    {"PRAGMA foreign_keys = off; DELETE FROM accounts WHERE id = 'account00017'", "a row of copies refers to nothing in accounts"},
		"an unknown type":      {"UPDATE accounts SET type = 'motp' WHERE id = 'account00017'", `account account00017: unknown type "motp"`},
		"an unknown algorithm": {"UPDATE copies SET algorithm = 'MD5'", `unknown algorithm "MD5"`},
		"a serial too long":    {"UPDATE keys SET serial = 1 << 40", "damaged"},
		"neither soft nor not": {"UPDATE keys SET soft = 2", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			db, err := connectFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(second(db.Exec(test.sql)), db.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = openAndLoad(path)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), test.text) || hw.Hint(err) == "" {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestOrphanedJournal(t *testing.T) {
	for _, suffix := range []string{"-wal", "-journal"} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		write(t, path+suffix, []byte("of a ledger that was moved away"))
		refused(t, path, ErrDamaged, path+suffix)
		if _, err := os.Stat(path); err == nil {
			t.Error("a new ledger was begun")
		}
	}
}

func TestNewer(t *testing.T) {
	path := filled(t)
	db, err := connectFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(second(db.Exec("PRAGMA user_version = 99")), db.Close()); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	refused(t, path, ErrNewer, fmt.Sprintf("its version is 99, this oathd knows %d", len(migrations)))
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
}

func TestMigrate(t *testing.T) {
	l, _ := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	version := func() (n int) {
		if err := l.db.QueryRow("PRAGMA user_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	steps := append(migrations[:len(migrations):len(migrations)], "CREATE TABLE next (a); CREATE TABLE after (a);", "INSERT INTO next VALUES (1)")

	was := len(migrations)
	broken := append(steps[:was+1:was+1], "INSERT INTO nowhere VALUES (1)")
	if err := migrate(t.Context(), l.db, broken); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("cannot bring it from version %d to %d", was, was+2)) {
		t.Errorf("a migration that fails: %v", err)
	}
	if version() != was {
		t.Errorf("it left version %d", version())
	}
	for range 2 {
		if err := migrate(t.Context(), l.db, steps); err != nil || version() != was+2 {
			t.Errorf("version %d, %v", version(), err)
		}
	}
	var n int
	if err := l.db.QueryRow("SELECT count(*) FROM next").Scan(&n); err != nil || n != 1 {
		t.Errorf("the last step ran %d times, %v", n, err)
	}
	same(t, load(t, l), sample())
}

func TestTwoDaemons(t *testing.T) {
	_, path := fresh(t)
	refused(t, path, ErrBusy, fmt.Sprintf("the daemon with process id %d", os.Getpid()))
}

func TestOtherName(t *testing.T) {
	l, path := fresh(t)
	name := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, name); err != nil {
		t.Fatal(err)
	}
	refused(t, name, ErrBusy, "the daemon with process id")
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	l.Close()
	same(t, load(t, reopen(t, name)), sample())
}

// TestReplaced takes the file away from under a daemon, puts another in its place, and then brings it back.
func TestReplaced(t *testing.T) {
	l, path := fresh(t)
	nothing := func(*Tx) error { return nil }
	wantRefused := func(what string) {
		err := l.Change(t.Context(), "test", what, nothing)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || hw.Hint(err) == "" {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	wantRefused("moved")
	write(t, path, read(t, path+".old"))
	wantRefused("replaced")
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	change(t, l, "back", nothing)
}

// TestLocked has another process hold SQLite's lock.
func TestLocked(t *testing.T) {
	l, path := fresh(t)
	if _, err := l.db.Exec("PRAGMA busy_timeout = 50"); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, "lock", path)
	if line := c.line(t); line != "ready" {
		t.Fatal(line)
	}
	for _, err := range []error{
		l.Change(t.Context(), "test", "put", func(tx *Tx) error { return put(tx, sample()) }),
		l.Use(t.Context(), "s", 1),
	} {
		if !errors.Is(err, ErrBusy) || hw.Hint(err) == "" || !strings.HasPrefix(err.Error(), "cannot write the ledger: ") {
			t.Errorf("got %v", err)
		}
	}
	same(t, load(t, l), Book{}) // reading needs no lock
	c.kill()
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	same(t, load(t, l), sample())
}

// TestReader reads the file while the daemon writes it, as `sqlite3` or a backup would.
func TestReader(t *testing.T) {
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	reader, err := connect("file:"+path, "mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	count := func() (n int) {
		if err := reader.QueryRow("SELECT count(*) FROM keys").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	change(t, l, "delete", func(tx *Tx) error {
		tx.DeleteKey("bare")
		if n := count(); n != 2 {
			t.Errorf("in the middle of a change there are %d keys", n)
		}
		return nil
	})
	if n := count(); n != 1 {
		t.Errorf("then there are %d keys", n)
	}
}

// asNobody runs f with the file permissions of another user where we are root, who has no limits.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // the thread ends with the goroutine and is not used again
			if err := unix.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReadOnly(t *testing.T) {
	for name, test := range map[string]struct {
		dir, file fs.FileMode
	}{
		"file":      {0o755, 0o444},
		"directory": {0o555, 0o600},
		"both":      {0o555, 0o444},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			before := read(t, path)
			os.Remove(path + ".lock")
			os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)
			os.Chmod(filepath.Dir(path), test.dir)
			os.Chmod(path, test.file)
			defer os.Chmod(filepath.Dir(path), 0o700)
			asNobody(t, func() { refused(t, path, ErrReadOnly, "permission denied") })
			if !bytes.Equal(read(t, path), before) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		dir := t.TempDir()
		os.Chmod(dir, 0o555)
		defer os.Chmod(dir, 0o700)
		asNobody(t, func() { refused(t, filepath.Join(dir, "oathd", "ledger.db"), ErrReadOnly, "permission denied") })
	})
}

// TestJournalMode wants the write-ahead log where memory can be shared, and nowhere else.
func TestJournalMode(t *testing.T) {
	local, err := os.OpenFile(filepath.Join(t.TempDir(), "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	proc, err := os.Open("/proc/self/status") // no file system of its kind maps files
	if err != nil {
		t.Fatal(err)
	}
	if got := journalMode(proc); got != "DELETE" {
		t.Errorf("in /proc: %s", got)
	}
	if got := journalMode(local); got != "WAL" {
		t.Errorf("in a temporary directory: %s", got)
	}
	proc.Close()
	local.Close()
	if got := journalMode(local); got != "DELETE" {
		t.Errorf("of a closed file: %s", got)
	}
}

// TestRollbackJournal moves a ledger to a file system that can't do the write-ahead log, and back.
func TestRollbackJournal(t *testing.T) {
	l, path := fresh(t)
	for i, mode := range []string{"DELETE", "WAL", "DELETE"} {
		if err := settle(t.Context(), l.db, mode); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := l.db.QueryRow("PRAGMA journal_mode").Scan(&got); err != nil || !strings.EqualFold(got, mode) {
			t.Fatalf("got %s, %v, want %s", got, err, mode)
		}
		change(t, l, mode, func(tx *Tx) error { return put(tx, sample()) })
		if entries, intact, err := l.Audit(t.Context()); len(entries) != i+1 || !intact || err != nil {
			t.Errorf("%s: %d audit lines, intact %t, %v", mode, len(entries), intact, err)
		}
	}
	l.Close()
	same(t, load(t, reopen(t, path)), sample())
}

func TestExplain(t *testing.T) {
	for err, want := range map[error]error{
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EROFS: ErrReadOnly, syscall.EACCES: ErrReadOnly,
		syscall.ENOLCK: syscall.ENOLCK,
	} {
		got := explain(&fs.PathError{Op: "open", Path: "x", Err: err})
		if !errors.Is(got, want) || !errors.Is(got, err) || hw.Hint(got) == "" {
			t.Errorf("%v: got %v, hint %q", err, got, hw.Hint(got))
		}
	}
	if got := explain(syscall.EINTR); !reflect.DeepEqual(got, error(syscall.EINTR)) {
		t.Errorf("an error without a hint became %v", got)
	}
}
