package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func escrowSample() []EscrowRow {
	return []EscrowRow{
		{Escrowed{"a1", "runbook", "live", day(8)}, []byte(`{"kind":"runbook"}`), []byte("\x00\xff")},
		{Escrowed{"a1", "seed", "pending", day(7)}, []byte(`{"kind":"seed"}`), []byte("age")},
		{Escrowed{"a2", "seed", "live", time.Time{}}, []byte(`{}`), []byte{1}},
	}
}

// escrowed is a ledger with the sample, a vault and its rows.
func escrowed(t *testing.T) (*Ledger, string, Book) {
	t.Helper()
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	change(t, l, "escrow", func(tx *Tx) error {
		tx.PutVault([]byte("vault 1"), nil)
		tx.PutDrill("paper", day(3))
		tx.PutDrill("lost key", day(2))
		for _, r := range escrowSample() {
			tx.PutEscrow(r)
		}
		return tx.err
	})
	want := sample()
	want.Vault = []byte("vault 1")
	want.Drills = map[string]time.Time{"paper": day(3), "lost key": day(2)}
	for _, r := range escrowSample() {
		want.Escrow = append(want.Escrow, r.Escrowed)
	}
	return l, path, want
}

func wantRows(t *testing.T, l *Ledger, want []EscrowRow, accounts ...string) {
	t.Helper()
	if got, err := l.Escrow(t.Context(), accounts...); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestEscrow(t *testing.T) {
	l, path, want := escrowed(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, path)
	same(t, load(t, l), want)
	wantRows(t, l, escrowSample())
	wantRows(t, l, escrowSample()[2:], "a2")
	wantRows(t, l, nil, "a3")

	change(t, l, "prove", func(tx *Tx) error { return tx.SetEscrow(Escrowed{"a1", "seed", "live", day(9)}) })
	want.Escrow[1].State, want.Escrow[1].ChangedAt = "live", day(9)
	same(t, load(t, l), want)
	proved := escrowSample()[1]
	proved.State, proved.ChangedAt = "live", day(9)
	wantRows(t, l, []EscrowRow{escrowSample()[0], proved}, "a1")

	change(t, l, "move and delete", func(tx *Tx) error {
		return errors.Join(tx.MoveEscrow("a1", "runbook", "a2"), tx.DeleteEscrow("a1", "seed"), tx.DeleteEscrow("a3", "seed"))
	})
	want.Escrow = []Escrowed{{"a2", "runbook", "live", day(8)}, {"a2", "seed", "live", time.Time{}}}
	same(t, load(t, l), want)
}

// TestNewVaultForgetsDrills: a recipient that was removed, and added again later, has not been tried since.
func TestNewVaultForgetsDrills(t *testing.T) {
	l, _, want := escrowed(t)
	change(t, l, "remove a recipient", func(tx *Tx) error { return tx.PutVault([]byte("vault 2"), []string{"paper"}) })
	want.Vault, want.Drills = []byte("vault 2"), map[string]time.Time{"paper": day(3)}
	same(t, load(t, l), want)
}

// TestEscrowKeepsItsAccount: no account goes away while its seed is in the vault.
func TestEscrowKeepsItsAccount(t *testing.T) {
	l, _, want := escrowed(t)
	forget := func(tx *Tx) error {
		return errors.Join(tx.DeleteCopy("bare", "\xff\x00 not UTF-8"), tx.DeleteAccount("a2"))
	}
	if err := l.Change(t.Context(), "test", "forget", forget); err == nil {
		t.Error("an account was deleted whose seed is in the vault")
	}
	same(t, load(t, l), want)
	change(t, l, "forget both", func(tx *Tx) error { return errors.Join(tx.DeleteEscrow("a2", "seed"), forget(tx)) })
}

// TestReplaceBreaksOff replaces vault and rows, and fails at the last one.
func TestReplaceBreaksOff(t *testing.T) {
	l, _, want := escrowed(t)
	err := l.Change(t.Context(), "test", "replace", func(tx *Tx) error {
		tx.PutVault([]byte("vault 2"), nil)
		for _, r := range escrowSample() {
			r.Ciphertext = []byte("again")
			tx.PutEscrow(r)
		}
		return tx.PutEscrow(EscrowRow{Escrowed: Escrowed{Account: "nobody", Kind: "seed"}})
	})
	if err == nil {
		t.Error("a row without an account was kept")
	}
	same(t, load(t, l), want)
	wantRows(t, l, escrowSample())
}

// TestReplacedIsGone: whoever was a recipient once, and gets the disk, finds nothing on it that opens with what he has.
func TestReplacedIsGone(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			l, path, _ := escrowed(t)
			if _, err := l.db.Exec("PRAGMA journal_mode = " + mode); err != nil {
				t.Fatal(err)
			}
			keep := func(what string, texts ...string) {
				change(t, l, what, func(tx *Tx) error {
					tx.PutVault([]byte(strings.Repeat(texts[0], 500)), nil)
					for i, r := range escrowSample() {
						r.Ciphertext = []byte(strings.Repeat(texts[1], 20*(i+1)))
						tx.PutEscrow(r)
					}
					return tx.err
				})
			}
			keep("make", "the first vault", "the first seed")
			wantOnDisk(t, path, true, "the first vault", "the first seed")
			keep("remove a recipient", "another vault", "another seed")
			wantOnDisk(t, path, false, "the first vault", "the first seed")
			wantOnDisk(t, path, true, "another vault", "another seed")
			change(t, l, "forget", func(tx *Tx) error {
				return errors.Join(tx.DeleteEscrow("a1", "runbook"), tx.DeleteEscrow("a1", "seed"), tx.DeleteEscrow("a2", "seed"))
			})
			wantOnDisk(t, path, false, "another seed")
		})
	}
}

// wantOnDisk looks for texts in the ledger, and in all that lies beside it.
func wantOnDisk(t *testing.T, path string, want bool, texts ...string) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, text := range texts {
		found := slices.ContainsFunc(files, func(file string) bool { return bytes.Contains(read(t, file), []byte(text)) })
		if found != want {
			t.Errorf("%q is on the disk: %t", text, found)
		}
	}
}

func TestRotations(t *testing.T) {
	l, path := fresh(t)
	want := sample()
	want.Rotations = []Rotation{{"a1", "a2", day(5)}}
	change(t, l, "put", func(tx *Tx) error { return errors.Join(put(tx, sample()), tx.PutRotation(want.Rotations[0])) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, path)
	same(t, load(t, l), want)
	if err := l.Change(t.Context(), "test", "put", func(tx *Tx) error { return tx.PutRotation(Rotation{Account: "a2", Successor: "nobody"}) }); err == nil {
		t.Error("a rotation to nobody was kept")
	}
	change(t, l, "done", func(tx *Tx) error { return tx.DeleteRotation("a1") })
	same(t, load(t, l), sample())
}

func TestRebuild(t *testing.T) {
	l, path := fresh(t)
	salt := []byte(strings.Repeat("s", 32))
	change(t, l, "rebuild", func(tx *Tx) error { return tx.Rebuild(salt, 70000) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := load(t, reopen(t, path))
	if string(b.Salt) != string(salt) || b.Step != 70000 {
		t.Errorf("%x, %d", b.Salt, b.Step)
	}
	l = reopen(t, Memory)
	if err := l.Change(t.Context(), "test", "rebuild", func(tx *Tx) error { return tx.Rebuild([]byte("short"), 1) }); err == nil {
		t.Error("a short salt was kept")
	}
}

// TestMigrateFromFirst brings a ledger of the first release up to date.
func TestMigrateFromFirst(t *testing.T) {
	l, path := fresh(t)
	change(t, l, "put", func(tx *Tx) error { return put(tx, sample()) })
	for _, back := range []string{
		"DROP TABLE escrow", "DROP TABLE vault", "DROP TABLE drills", "DROP TABLE rotations",
		schema1[strings.Index(schema1, "CREATE TABLE escrow"):strings.Index(schema1, "CREATE TABLE audit")],
		fmt.Sprintf("PRAGMA user_version = %d", 1),
	} {
		if _, err := l.db.Exec(back); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, path)
	same(t, load(t, l), sample())
	change(t, l, "escrow", func(tx *Tx) error { return tx.PutEscrow(escrowSample()[1]) })
	wantRows(t, l, escrowSample()[1:2])
}
