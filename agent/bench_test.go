package agent_test

import (
	"fmt"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// crowd returns an agent that knows so many accounts, two copies each.
func crowd(b *testing.B, accounts int) *agent.Agent {
	b.Helper()
	book, err := ledger.Open(b.Context(), ledger.Memory)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = book.Close() })
	keys := accounts/50 + 2
	err = book.Observe(b.Context(), func(tx *ledger.Tx) error {
		for k := range keys {
			_ = tx.PutKey(ledger.Key{ID: fmt.Sprint("key", k), Label: fmt.Sprint("key ", k), State: "adopted", Serial: uint32(k + 1)})
		}
		for n := range accounts {
			id, seed := fmt.Sprint("account", n), fmt.Sprint("seed", n)
			_ = tx.PutSeed(ledger.Seed{ID: seed, Full: fmt.Appendf(nil, "%032d", n)})
			_ = tx.PutAccount(ledger.Account{ID: id, Seed: seed, Issuer: fmt.Sprint("Service ", n%997), Name: fmt.Sprint("user ", n),
				Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30, WantCopies: 2})
			for c := range 2 {
				_ = tx.PutCopy(ledger.Copy{Key: fmt.Sprint("key", (n/50+c)%keys), CredID: fmt.Sprint("id ", n), Account: id, Seed: seed,
					Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30, State: "proved"})
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	a, err := agent.New(b.Context(), agent.Options{Bay: softkey.NewBay(), Ledger: book})
	if err != nil {
		b.Fatal(err)
	}
	if n := len(a.Accounts("")); n != accounts {
		b.Fatalf("%d accounts", n)
	}
	return a
}

// BenchmarkView is what each change costs beside the commit: everything that can be read is made anew.
func BenchmarkView(b *testing.B) {
	for _, accounts := range []int{100, 10_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			a := crowd(b, accounts)
			for b.Loop() {
				a.Publish()
			}
		})
	}
}

// BenchmarkCachedCode is a code that was computed in this step already.
func BenchmarkCachedCode(b *testing.B) {
	main, _ := pair(b, "")
	r := newRig(b)
	r.adoptNew(main, "main")
	r.mustAddTo(totp("GitHub", "me"), "main")
	for b.Loop() {
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
	}
}

// BenchmarkCode is a code from a soft key that takes no time, with its mark in the ledger.
func BenchmarkCode(b *testing.B) {
	main, _ := pair(b, "")
	r := newRig(b)
	r.adoptNew(main, "main")
	r.mustAddTo(totp("GitHub", "me"), "main")
	for b.Loop() {
		r.mustCode(api.CodeRequest{Account: "GitHub:me", Pair: true})
	}
}
