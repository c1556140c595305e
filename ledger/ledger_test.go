package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

// fresh returns a new ledger and its path.
func fresh(t testing.TB) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "oathd", "ledger.db")
	return reopen(t, path), path
}

// reopen opens the ledger at path until the test ends.
func reopen(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// change makes a change that must succeed.
func change(t testing.TB, l *Ledger, what string, f func(*Tx) error) {
	t.Helper()
	if err := l.Change(t.Context(), "test", what, f); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, l *Ledger) *Book {
	t.Helper()
	b, err := l.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// day returns midnight UTC of a day of May 2026.
func day(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }

// sample holds a row of each kind with a value in each field, and one with as few as possible.
func sample() Book {
	return Book{
		Keys: []Key{
			{ID: "bare", State: "lost"},
			{
				ID: "key", Vendor: "YubiKey 5", Serial: 4294967295, Label: "blue", Site: "safe", Holder: "Ann", Firmware: "5.4.3",
				Soft: true, State: "adopted", FirstSeen: day(1), LastSeen: day(2), DeviceIDs: []string{"bb", "aa"}, Capacity: 32,
				Listing: "hash", ProvedAt: day(3), PasswordSet: true,
			},
		},
		Seeds: []Seed{
			{ID: "s1", Full: []byte(strings.Repeat("f", 32)), T4: []byte(strings.Repeat("t", 32))},
			{ID: "s2", T4: []byte{0}},
		},
		Accounts: []Account{
			{
				ID: "a1", Seed: "s1", Issuer: "Amazon", Name: "root", Type: oath.TOTP, Algorithm: oath.SHA512, Digits: 8, Period: 60,
				WantCopies: 2, Alias: "aws", Runbook: "call Ann", Superseded: true, CreatedAt: day(4),
			},
			{ID: "a2", Type: oath.HOTP, Algorithm: oath.SHA1},
		},
		Copies: []Copy{
			{Key: "bare", CredID: "\xff\x00 not UTF-8", Account: "a2", Type: oath.HOTP, Algorithm: oath.SHA1, State: "written"},
			{
				Key: "key", CredID: "60/Amazon:root", Account: "a1", Type: oath.TOTP, Algorithm: oath.SHA512, Digits: 8, Period: 60,
				Touch: true, Seed: "s1", State: "proved", ProvedAt: day(5),
			},
		},
		Intents: []Intent{
			{ID: "i2", Kind: "delete"},
			{
				ID: "i1", Kind: "rename", Key: "key", CredID: "old", NewCredID: "new", Account: "a1", Seed: "s1", Touch: true,
				CreatedAt: day(6),
			},
		},
	}
}

// put keeps all rows of a book, references before what they refer to.
func put(tx *Tx, b Book) error {
	for _, i := range b.Intents {
		tx.PutIntent(i)
	}
	for _, c := range b.Copies {
		tx.PutCopy(c)
	}
	for _, a := range b.Accounts {
		tx.PutAccount(a)
	}
	for _, s := range b.Seeds {
		tx.PutSeed(s)
	}
	for _, k := range b.Keys {
		tx.PutKey(k)
	}
	return tx.err
}

// same compares the rows of two books.
func same(t testing.TB, got *Book, want Book) {
	t.Helper()
	want.Salt, want.Step = got.Salt, got.Step
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
}

func TestWhatIsPutIsLoaded(t *testing.T) {
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	same(t, load(t, l), sample())
	change(t, l, "put the same again", func(tx *Tx) error { return put(tx, sample()) })
	same(t, load(t, l), sample())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, load(t, reopen(t, path)), sample())
}

// TestPutReplaces puts rows that have something in each field over others that have nothing, and back.
func TestPutReplaces(t *testing.T) {
	l, _ := fresh(t)
	all := sample()
	full := Book{Keys: all.Keys[1:], Seeds: all.Seeds[:1], Accounts: all.Accounts[:1], Copies: all.Copies[1:], Intents: all.Intents[1:]}
	bare := Book{
		Keys:     []Key{{ID: "key"}},
		Seeds:    []Seed{{ID: "s1"}},
		Accounts: []Account{{ID: "a1", Type: oath.HOTP, Algorithm: oath.SHA1}},
		Copies:   []Copy{{Key: "key", CredID: "60/Amazon:root", Account: "a1", Type: oath.HOTP, Algorithm: oath.SHA1}},
		Intents:  []Intent{{ID: "i1"}},
	}
	for _, b := range []Book{bare, full, bare} {
		change(t, l, "put", func(tx *Tx) error { return put(tx, b) })
		same(t, load(t, l), b)
	}
}

func TestDelete(t *testing.T) {
	l, _ := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	if err := l.Use(t.Context(), "s1", 7); err != nil {
		t.Fatal(err)
	}
	want := sample()

	change(t, l, "delete an intent", func(tx *Tx) error { return tx.DeleteIntent("i1") })
	want.Intents = want.Intents[:1]
	same(t, load(t, l), want)

	change(t, l, "delete a copy", func(tx *Tx) error { return tx.DeleteCopy("bare", want.Copies[0].CredID) })
	want.Copies = want.Copies[1:]
	same(t, load(t, l), want)

	change(t, l, "delete a key with its copies", func(tx *Tx) error { return tx.DeleteKey("key") })
	want.Copies, want.Keys = nil, want.Keys[:1]
	same(t, load(t, l), want)

	change(t, l, "delete an account and its seed", func(tx *Tx) error {
		return errors.Join(tx.DeleteSeed("s1"), tx.DeleteAccount("a1"))
	})
	want.Accounts, want.Seeds = want.Accounts[1:], want.Seeds[1:]
	same(t, load(t, l), want)
	if used, err := l.Used(t.Context(), "s1", 0); err != nil || used != nil {
		t.Errorf("the deleted seed's used steps are %v, %v", used, err)
	}

	change(t, l, "delete what is not there", func(tx *Tx) error {
		return errors.Join(tx.DeleteSeed("x"), tx.DeleteAccount("x"), tx.DeleteKey("x"), tx.DeleteCopy("x", "x"), tx.DeleteIntent("x"))
	})
	same(t, load(t, l), want)
}

func TestDeviceIDs(t *testing.T) {
	l, _ := fresh(t)
	now := day(1)
	l.now = func() time.Time { now = now.AddDate(0, 0, 1); return now }
	for _, ids := range [][]string{{"a"}, {"a", "b"}, {"b", "c", "a"}, {"c"}, nil, {"a"}} {
		change(t, l, "put", func(tx *Tx) error { return tx.PutKey(Key{ID: "k", DeviceIDs: ids}) })
		if got := load(t, l).Keys[0].DeviceIDs; !reflect.DeepEqual(got, ids) {
			t.Errorf("got %v, want %v", got, ids)
		}
	}
	change(t, l, "put", func(tx *Tx) error { return tx.PutKey(Key{ID: "k", DeviceIDs: []string{"a", "b"}}) })
	var since int64
	if err := l.db.QueryRow("SELECT since FROM device_ids WHERE device_id = 'a'").Scan(&since); err != nil || since != day(7).Unix() {
		t.Errorf("a is there since %v, %v, want %v", time.Unix(since, 0).UTC(), err, day(7))
	}
}

// TestFailedChange changes a ledger in ways that fail: nothing is left of them.
func TestFailedChange(t *testing.T) {
	mistake := errors.New("mistake")
	orphan := Copy{Key: "key", CredID: "orphan", Account: "nobody", Type: oath.TOTP, Algorithm: oath.SHA1}
	for name, test := range map[string]struct {
		f    func(*Tx) error
		want string
	}{
		"an error of the function": {func(tx *Tx) error { tx.DeleteKey("key"); return mistake }, "mistake"},
		"a copy without account":   {func(tx *Tx) error { return tx.PutCopy(orphan) }, "cannot write the ledger: "},
		"an account without seed": {func(tx *Tx) error {
			return tx.PutAccount(Account{ID: "a3", Seed: "none", Type: oath.TOTP, Algorithm: oath.SHA1})
		}, "FOREIGN KEY"},
		"a seed that is needed":     {func(tx *Tx) error { return tx.DeleteSeed("s1") }, "FOREIGN KEY"},
		"an account that is needed": {func(tx *Tx) error { return tx.DeleteAccount("a1") }, "FOREIGN KEY"},
		"an account without type":   {func(tx *Tx) error { return tx.PutAccount(Account{ID: "a3"}) }, "cannot keep account a3 in the ledger: type 0x00 is neither totp nor hotp"},
		"a copy without algorithm":  {func(tx *Tx) error { return tx.PutCopy(Copy{Key: "key", CredID: "c", Type: oath.TOTP}) }, `cannot keep the copy "c" on key key in the ledger: unknown algorithm 0`},
		"an error that is hidden": {func(tx *Tx) error {
			tx.DeleteKey("key")
			tx.PutAccount(Account{})
			tx.DeleteKey("bare")
			return nil
		}, "neither totp nor hotp"},
		"a statement that fails": {func(tx *Tx) error {
			tx.exec("do nonsense", "NONSENSE")
			return tx.forget("s1")
		}, "cannot do nonsense in the ledger: "},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := fresh(t)
			change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
			for _, err := range []error{l.Change(t.Context(), "test", "fail", test.f), l.Observe(t.Context(), test.f)} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %s", err, test.want)
				}
			}
			same(t, load(t, l), sample())
			if entries, intact, err := l.Audit(t.Context()); len(entries) != 1 || !intact || err != nil {
				t.Errorf("the audit log is %v, intact %t, %v", entries, intact, err)
			}
		})
	}
}

// TestUnwritableAuditLine wants a change to be refused whose line the log does not take.
func TestUnwritableAuditLine(t *testing.T) {
	for name, sabotage := range map[string]string{
		"no table": "DROP TABLE audit",
		"no head":  "DELETE FROM meta",
		"taken":    "INSERT INTO audit VALUES (1, 0, '', '', x'', x'')",
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := fresh(t)
			if _, err := l.db.Exec(sabotage); err != nil {
				t.Fatal(err)
			}
			err := l.Change(t.Context(), "test", "change", func(tx *Tx) error { return tx.PutKey(Key{ID: "k"}) })
			if err == nil || !strings.Contains(err.Error(), "audit log") {
				t.Errorf("got %v", err)
			}
			var n int
			if err := l.db.QueryRow("SELECT count(*) FROM keys").Scan(&n); err != nil || n != 0 {
				t.Errorf("%d keys were kept, %v", n, err)
			}
		})
	}
}

func TestPanicLeavesNothing(t *testing.T) {
	l, _ := fresh(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		l.Observe(t.Context(), func(tx *Tx) error { tx.PutKey(Key{ID: "k"}); panic("mistake") })
	}()
	same(t, load(t, l), Book{})
}

func TestGivingUp(t *testing.T) {
	l, _ := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Change(ctx, "test", "change", func(tx *Tx) error {
		cancel() // the caller goes away in the middle; what has begun is finished
		return tx.PutKey(Key{ID: "k"})
	})
	if err != nil || len(load(t, l).Keys) != 1 {
		t.Errorf("a change under way: %v", err)
	}
	if err := l.Change(ctx, "test", "change", func(*Tx) error { t.Error("it began"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a change: got %v", err)
	}
	if _, err := l.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: got %v", err)
	}
	if err := l.Use(ctx, "s", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Use: got %v", err)
	}
}

func TestClosed(t *testing.T) {
	l, _ := fresh(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context()); err == nil {
		t.Error("a closed ledger was read")
	}
	if err := l.Use(t.Context(), "s", 1); err == nil {
		t.Error("a closed ledger was written")
	}
}

func TestSaltAndStep(t *testing.T) {
	first, path := fresh(t)
	book := load(t, first)
	if len(book.Salt) != 32 || book.Step < 1<<13 || book.Step >= 1<<14 {
		t.Errorf("salt %x, step %d", book.Salt, book.Step)
	}
	first.Close()
	if again := load(t, reopen(t, path)); !reflect.DeepEqual(again, book) {
		t.Errorf("they changed: %v, %v", again, book)
	}
	other, _ := fresh(t)
	if b := load(t, other); reflect.DeepEqual(b.Salt, book.Salt) {
		t.Errorf("two ledgers have the salt %x", b.Salt)
	}
}

func TestMemory(t *testing.T) {
	for range 2 {
		l := reopen(t, Memory)
		change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
		same(t, load(t, l), sample())
	}
}

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		if !regexp.MustCompile(`^[a-z2-7]{10}$`).MatchString(id) || seen[id] {
			t.Fatalf("got %s", id)
		}
		seen[id] = true
	}
}

// TestNoPlaceForSecrets looks at the columns: a new one has to be thought about here.
func TestNoPlaceForSecrets(t *testing.T) {
	l := reopen(t, Memory)
	rows, err := l.db.Query("SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		got = append(got, column)
	}
	want := []string{"audit.hash", "audit.prev", "escrow.ciphertext", "meta.head_hash", "meta.salt", "seeds.full", "seeds.t4"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("columns of bytes: got %v, want %v", got, want)
	}
}
