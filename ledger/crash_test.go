package ledger

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// TestKill kills a process that commits without pause, over and over. Whatever it was about, the ledger
// and the chain are whole, and what it had told of is there.
func TestKill(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			rounds := 15
			if testing.Short() {
				rounds = 3
			}
			l, path := fresh(t)
			l.Close()
			told := 0
			for range rounds {
				c := startChild(t, "churn-"+mode, path)
				for range 1 + rand.IntN(20) {
					n, err := strconv.Atoi(c.line(t))
					if err != nil {
						t.Fatal(err)
					}
					told = n
				}
				c.kill()
				told = intact(t, path, told)
			}
		})
	}
}

// intact checks a ledger that churn has written, and returns how many accounts it has.
func intact(t *testing.T, path string, atLeast int) int {
	t.Helper()
	l, err := Open(t.Context(), path) // checks the file as a whole
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	entries, intact, err := l.Audit(t.Context())
	if err != nil || !intact {
		t.Fatalf("the audit log is intact: %t, %v", intact, err)
	}
	b := load(t, l)
	n := len(b.Accounts)
	if n < atLeast || len(entries) != n || len(b.Seeds) != n || len(b.Intents) != n {
		t.Fatalf("%d accounts, %d seeds, %d intents, %d audit lines; at least %d were told of", n, len(b.Seeds), len(b.Intents), len(entries), atLeast)
	}
	return n
}

// TestKilledDaemon wants the lock of a daemon that was killed to be gone with it.
func TestKilledDaemon(t *testing.T) {
	l, path := fresh(t)
	l.Close()
	c := startChild(t, "hold", path)
	if line := c.line(t); line != "ready" {
		t.Fatal(line)
	}
	if _, err := Open(t.Context(), path); err == nil {
		t.Fatal("two daemons have one ledger")
	}
	c.kill()
	reopen(t, path)
}

// TestKilledStart finds what a first start left that was killed before the ledger was whole.
func TestKilledStart(t *testing.T) {
	l, path := fresh(t)
	l.Close()
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new-journal", []byte("half of a journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, load(t, reopen(t, path)), Book{})
	for _, name := range []string{path + ".new", path + ".new-journal"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}
