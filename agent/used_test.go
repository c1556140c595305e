package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/ledger"
)

func openLedger(t *testing.T, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A step that was handed out is used, whether it is marked already or not.
func TestOwedStepsAreUsed(t *testing.T) {
	l := openLedger(t, ledger.Memory)
	u := newUsed(l, time.Now())
	want := func(what string, seed string, step, n, free uint64) {
		t.Helper()
		if got, err := u.free(seed, step, n); got != free || err != nil {
			t.Errorf("%s: %d steps are free from %d on, %v; want %d", what, n, got, err, free)
		}
		if ours, err := u.claim(seed, step, n); ours != (step == free) || err != nil {
			t.Errorf("%s: claimed %v, %v", what, ours, err)
		}
	}
	for range 2 { // who asks again gets the same code
		if err := u.owe("seed", 100, 2); err != nil {
			t.Fatal(err)
		}
	}
	if marked, err := l.Used(t.Context(), "seed", 0); len(marked) != 0 || err != nil {
		t.Fatalf("marked while somebody waits: %v, %v", marked, err)
	}
	want("owed", "seed", 100, 1, 102)
	want("the second is owed", "seed", 99, 2, 102)
	want("another seed's", "other", 100, 1, 100)
	if err := u.pay("seed"); err != nil || len(u.owed) != 0 {
		t.Fatalf("%v, still owed: %v", err, u.owed)
	}
	if marked, err := l.Used(t.Context(), "seed", 0); len(marked) != 2 || err != nil {
		t.Errorf("marked: %v, %v", marked, err)
	}
	want("marked", "seed", 101, 1, 102)
	want("claimed", "seed", 102, 1, 102)
	want("claimed once", "seed", 102, 1, 103)
}

// At the end all is marked that keys have not paid for yet.
func TestOwedStepsAreMarkedAtTheEnd(t *testing.T) {
	l := openLedger(t, ledger.Memory)
	u := newUsed(l, time.Now())
	for _, seed := range []string{"one", "other"} {
		if err := u.owe(seed, 7, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.payAll(); err != nil || len(u.owed) != 0 {
		t.Fatalf("%v, still owed: %v", err, u.owed)
	}
	for _, seed := range []string{"one", "other"} {
		if marked, err := l.Used(t.Context(), seed, 0); len(marked) != 1 || err != nil {
			t.Errorf("%s: %v, %v", seed, marked, err)
		}
	}
}

// What cannot be marked stays used for as long as the daemon runs, and is told.
func TestOwedStepsOutliveABrokenLedger(t *testing.T) {
	l := openLedger(t, ledger.Memory)
	u := newUsed(l, time.Now())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := u.owe("seed", 7, 1); err != nil {
		t.Errorf("nothing was tried yet: %v", err)
	}
	if u.pay("seed") == nil || u.payAll() == nil || u.owe("seed", 8, 1) == nil || len(u.owed["seed"]) != 2 {
		t.Errorf("owed: %v", u.owed)
	}
}

// A daemon that was killed may have handed out a code whose step it did not mark: the one after it leaves that step alone, and
// the next, for who asked for a pair or for a code that lives longer.
func TestOrphanedLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	now := time.Unix(3000, 0)
	first := func(l *ledger.Ledger, step uint64) uint64 { return newUsed(l, now).first(step, 30) }
	l := openLedger(t, path)
	if got := first(l, 100); got != 100 || l.Orphaned() {
		t.Errorf("a new ledger: %d", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	if got := first(l, 100); got != 100 || l.Orphaned() {
		t.Errorf("a ledger that was closed: %d", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".lock", []byte("4194304\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	for step, want := range map[uint64]uint64{99: 102, 100: 102, 101: 102, 102: 102, 103: 103} {
		if got := first(l, step); got != want || !l.Orphaned() {
			t.Errorf("a ledger whose daemon was killed: %d from %d on, want %d", got, step, want)
		}
	}
}
