package ledger

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestChainHash holds the encoding: it never changes, or every ledger would look forged. The
// value was computed with Python's struct and hashlib.
func TestChainHash(t *testing.T) {
	got := hex.EncodeToString(chain(1, 2, "ab", "c", []byte{0xff}))
	const want = "9eb0f759432240cf61b51bcfca414ce21aec54301ad75055452e83fe1aacaf54"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if reflect.DeepEqual(chain(1, 2, "a", "bc", nil), chain(1, 2, "ab", "c", nil)) {
		t.Error("two lines are encoded alike")
	}
}

// logged returns a ledger whose audit log has four lines.
func logged(t *testing.T) *Ledger {
	l, _ := fresh(t)
	at := day(1)
	l.now = func() time.Time { at = at.Add(time.Minute); return at }
	for _, what := range []string{"one", "two", "three", "\xff\x00"} {
		change(t, l, what, func(*Tx) error { return nil })
	}
	return l
}

func TestAudit(t *testing.T) {
	l := logged(t)
	if err := l.Observe(t.Context(), func(tx *Tx) error { return tx.PutKey(Key{ID: "k"}) }); err != nil {
		t.Fatal(err)
	}
	entries, intact, err := l.Audit(t.Context())
	if err != nil || !intact || len(entries) != 4 {
		t.Fatalf("got %v, intact %t, %v", entries, intact, err)
	}
	prev := ""
	for i, what := range []string{"one", "two", "three", "\xff\x00"} {
		want := AuditEntry{Seq: int64(i) + 1, At: day(1).Add(time.Duration(i+1) * time.Minute), Who: "test", What: what, Prev: prev, Hash: entries[i].Hash}
		if entries[i] != want || len(want.Hash) != 64 {
			t.Errorf("got %+v, want %+v", entries[i], want)
		}
		prev = want.Hash
	}
}

func TestEmptyAudit(t *testing.T) {
	l, _ := fresh(t)
	if entries, intact, err := l.Audit(t.Context()); len(entries) != 0 || !intact || err != nil {
		t.Errorf("got %v, intact %t, %v", entries, intact, err)
	}
}

// TestTamperedAudit changes the log behind the ledger's back: each change is seen, and the next lines
// do not hide it.
func TestTamperedAudit(t *testing.T) {
	for name, sql := range map[string]string{
		"first line removed":  "DELETE FROM audit WHERE seq = 1",
		"middle line removed": "DELETE FROM audit WHERE seq = 2",
		"last line removed":   "DELETE FROM audit WHERE seq = 4",
		"removed, renumbered": "DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2",
		"all removed":         "DELETE FROM audit",
		"who altered":         "UPDATE audit SET who = 'me' WHERE seq = 2",
		"what altered":        "UPDATE audit SET what = 'II' WHERE seq = 4",
		"time altered":        "UPDATE audit SET at = at + 1 WHERE seq = 1",
		"hash altered":        "UPDATE audit SET hash = x'00' WHERE seq = 4",
		"prev altered":        "UPDATE audit SET prev = x'00' WHERE seq = 1",
		"two lines swapped":   "UPDATE audit SET seq = -seq WHERE seq IN (2, 3); UPDATE audit SET seq = 5 + seq WHERE seq < 0",
		"line inserted":       "UPDATE audit SET seq = 5 WHERE seq = 4; INSERT INTO audit SELECT 4, at, who, what, prev, hash FROM audit WHERE seq = 3",
		"line appended":       "INSERT INTO audit SELECT 5, at, who, what, hash, hash FROM audit WHERE seq = 4",
		"head turned back":    "UPDATE meta SET head_seq = 3, head_hash = (SELECT hash FROM audit WHERE seq = 3)",
	} {
		t.Run(name, func(t *testing.T) {
			l := logged(t)
			if _, err := l.db.Exec(sql); err != nil {
				t.Fatal(err)
			}
			if _, intact, err := l.Audit(t.Context()); intact || err != nil {
				t.Errorf("intact %t, %v", intact, err)
			}
			// Where the numbers clash the line cannot be written, and then the change is refused.
			err := l.Change(t.Context(), "test", "five", func(*Tx) error { return nil })
			if err != nil && !strings.Contains(err.Error(), "cannot write the audit log") {
				t.Error(err)
			}
			if _, intact, err := l.Audit(t.Context()); intact || err != nil {
				t.Errorf("after another change: intact %t, %v", intact, err)
			}
		})
	}
}

func TestUnreadableAudit(t *testing.T) {
	l := logged(t)
	if _, err := l.db.Exec("DELETE FROM meta"); err != nil {
		t.Fatal(err)
	}
	if _, intact, err := l.Audit(t.Context()); intact || err == nil {
		t.Errorf("without its head: intact %t, %v", intact, err)
	}
}
