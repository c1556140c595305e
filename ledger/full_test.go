package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/internal/need"
)

// fillUp changes the ledger until that fails, and wants the failed change to have left nothing.
func fillUp(t *testing.T, l *Ledger) error {
	t.Helper()
	for {
		before := load(t, l)
		err := l.Change(t.Context(), "test", "fill", func(tx *Tx) error {
			id := NewID()
			tx.PutSeed(Seed{ID: id, T4: make([]byte, 32)})
			return tx.PutIntent(Intent{ID: id, CredID: strings.Repeat("x", 10_000)})
		})
		if err == nil {
			continue
		}
		same(t, load(t, l), *before)
		if entries, intact, err := l.Audit(t.Context()); len(entries) != len(before.Seeds) || !intact || err != nil {
			t.Errorf("%d audit lines of %d changes, intact %t, %v", len(entries), len(before.Seeds), intact, err)
		}
		return err
	}
}

// TestFull lets SQLite find no room for another page.
func TestFull(t *testing.T) {
	l, _ := fresh(t)
	if _, err := l.db.Exec("PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	err := fillUp(t, l)
	if !errors.Is(err, ErrFull) || hw.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	full := load(t, l).Intents
	change(t, l, "make room", func(tx *Tx) error {
		for _, i := range full {
			tx.DeleteIntent(i.ID)
		}
		return put(tx, sample())
	})
}

// TestFullDisk fills a small file system, with the ledger on it.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ballast := filepath.Join(dir, "ballast")
	ledger := filepath.Join(dir, "ledger.db")

	write(t, ballast, make([]byte, 550_000))
	refused(t, ledger, ErrFull, "full")
	if _, err := os.Stat(ledger); err == nil {
		t.Error("a new ledger was begun")
	}

	write(t, ballast, make([]byte, 150_000))
	l := reopen(t, ledger)
	if err := fillUp(t, l); !errors.Is(err, ErrFull) || hw.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	change(t, l, "there is room again", func(tx *Tx) error { return put(tx, sample()) })
}

// smallDisk mounts a file system of 600 KB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	need.SmallDisk(t, dir, "600k")
	return dir
}

// TestOpenOnAFullDisk finds no room to begin with.
func TestOpenOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ledger, ballast := filepath.Join(dir, "ledger.db"), filepath.Join(dir, "ballast")
	l := reopen(t, ledger)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	refused(t, ledger, ErrFull, "full")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	same(t, load(t, reopen(t, ledger)), sample())
}

// TestFileSizeLimit meets an error that is neither a full disk nor a missing right.
func TestFileSizeLimit(t *testing.T) {
	l, _ := fresh(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: 300_000, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	err := fillUp(t, l)
	if restored := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); restored != nil {
		t.Fatal(restored)
	}
	if err == nil || !strings.Contains(err.Error(), "disk I/O error") || !strings.Contains(hw.Hint(err), "df") {
		t.Errorf("got %v, hint %q", err, hw.Hint(err))
	}
	change(t, l, "the limit is gone", func(tx *Tx) error { return put(tx, sample()) })
}
