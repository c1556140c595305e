package ledger

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

// fill keeps n accounts with two copies each.
func fill(tx *Tx, n int) error {
	now := time.Now()
	for _, key := range []string{"one", "two"} {
		tx.PutKey(Key{ID: key, State: "adopted", FirstSeen: now})
	}
	for i := range n {
		id := fmt.Sprintf("account%05d", i)
		a := Account{ID: id, Seed: id, Issuer: "Issuer", Name: id + "@example.com", Type: oath.TOTP, Algorithm: oath.SHA1,
			Digits: 6, Period: 30, WantCopies: 2, CreatedAt: now}
		tx.PutSeed(Seed{ID: id, Full: []byte(strings.Repeat(id[4:], 4)[:32]), T4: []byte(strings.Repeat(id[4:], 4)[:32])})
		tx.PutAccount(a)
		for _, key := range []string{"one", "two"} {
			tx.PutCopy(Copy{Key: key, CredID: "Issuer:" + a.Name, Account: id, Type: a.Type, Algorithm: a.Algorithm,
				Digits: 6, Period: 30, Seed: id, State: "proved", ProvedAt: now})
		}
	}
	return tx.err
}

// BenchmarkOpen opens a ledger of 10,000 accounts with two copies each, checks it whole and loads it. Measured on
// two cores of a busy AMD EPYC: 120 to 180 ms, of which loading takes 90 to 110.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger.db")
	l, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Change(b.Context(), "benchmark", "fill", func(tx *Tx) error { return fill(tx, 10_000) }); err != nil {
		b.Fatal(err)
	}
	l.Close()
	var loading time.Duration
	for b.Loop() {
		l, err := Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if _, err := l.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
		loading += time.Since(start)
		l.Close()
	}
	b.ReportMetric(float64(loading.Milliseconds())/float64(b.N), "load-ms/op")
}

// BenchmarkUse marks a step of one seed after the other.
func BenchmarkUse(b *testing.B) {
	l, err := Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var step uint64
	for b.Loop() {
		step++
		if err := l.Use(b.Context(), "seed", step); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChange commits one copy's proof with its audit line.
func BenchmarkChange(b *testing.B) {
	l, err := Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if err := l.Change(b.Context(), "benchmark", "fill", func(tx *Tx) error { return fill(tx, 1) }); err != nil {
			b.Fatal(err)
		}
	}
}
