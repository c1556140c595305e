package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// firstSoft is the serial number of a daemon's first soft key.
const firstSoft = 1000001

// BenchmarkCrowd asks a daemon with 10,000 accounts and 16 readers, and one with 10 and a single reader, for the same: a code
// that it remembers, one that it does not, a page of the accounts, and how a name goes on.
func BenchmarkCrowd(b *testing.B) {
	const few, many, readers = 10, 10_000, 16
	small, big := withAccounts(b, 1, 0), withAccounts(b, readers, many-few)
	small.stock(b, firstSoft, few)
	name := big.stock(b, firstSoft, few)[few/2]
	ours, theirs := big.line(b), small.line(b)
	compare := func(what string, request func(d *daemon) []byte) {
		a, c := request(big), request(small)
		inTurn(1000,
			func(int) time.Duration { return ours.ask(a) },
			func(int) time.Duration { return theirs.ask(c) },
		).atMost(b, crowdBound, fmt.Sprintf("%s: 10,000 accounts and %d readers, beside %d and 1", what, readers, few))
	}
	for b.Loop() {
		compare("a code from memory", func(*daemon) []byte { return askCode(b, api.CodeRequest{Account: name}) })
		compare("a code from the key", func(*daemon) []byte {
			return askCode(b, api.CodeRequest{Account: name, Key: fmt.Sprint(firstSoft)})
		})
		compare("a page of 10 accounts", func(d *daemon) []byte {
			return get(fmt.Sprintf("/v1/accounts?limit=%d&after=%s", few, d.middle(b, few)))
		})
		compare("completing a name", func(*daemon) []byte { return get("/v1/names?account=" + url.QueryEscape(name[:len(name)-1])) })
	}
}

// crowdBound is what "as with 10 accounts" means: the difference is lost in what a request costs anyhow.
const crowdBound = 1.25

// withAccounts starts a daemon with soft keys whose ledger knows accounts on keys that are elsewhere, 50 on each.
func withAccounts(b *testing.B, softKeys, accounts int) *daemon {
	b.Helper()
	path := filepath.Join(b.TempDir(), "ledger.db")
	book, err := ledger.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	err = book.Observe(b.Context(), func(tx *ledger.Tx) (err error) {
		for i := 0; i < accounts && err == nil; i++ {
			err = crowd(tx, i)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := book.Close(); err != nil {
		b.Fatal(err)
	}
	d := start(b, release(b), os.Environ(), "--soft-keys", fmt.Sprint(softKeys), "--ledger", path)
	var serials []string
	for i := range softKeys {
		serials = append(serials, fmt.Sprint(firstSoft+i))
	}
	d.present(serials...)
	return d
}

// crowd records the i-th account and, before each fiftieth, its key.
func crowd(tx *ledger.Tx, i int) error {
	now := time.Now()
	key, id := fmt.Sprint("elsewhere", i/50), fmt.Sprint("account", i)
	account := ledger.Account{ID: id, Seed: id, Issuer: fmt.Sprint("Service ", i%997), Name: fmt.Sprint("user ", i), Type: oath.TOTP,
		Algorithm: oath.SHA1, Digits: 6, Period: 30, WantCopies: 2, CreatedAt: now}
	if i%50 == 0 {
		if err := tx.PutKey(ledger.Key{ID: key, Label: key, Serial: uint32(5000 + i/50), State: "adopted", FirstSeen: now}); err != nil {
			return err
		}
	}
	if err := tx.PutSeed(ledger.Seed{ID: id, Full: fmt.Appendf(nil, "%032d", i)}); err != nil {
		return err
	}
	if err := tx.PutAccount(account); err != nil {
		return err
	}
	return tx.PutCopy(ledger.Copy{Key: key, CredID: account.Issuer + ":" + account.Name, Account: id, Seed: id, Type: oath.TOTP,
		Algorithm: oath.SHA1, Digits: 6, Period: 30, State: "proved", ProvedAt: now})
}

// middle is the id of the account in the middle, "" where there is no page behind it.
func (d *daemon) middle(b *testing.B, page int) string {
	b.Helper()
	list, err := d.client.Accounts(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	if len(list) < 2*page {
		return ""
	}
	return list[len(list)/2].ID
}
