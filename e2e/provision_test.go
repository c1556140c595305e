package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// realKey is the delay profile that was recorded from a YubiKey.
const realKey = "yubikey-5.4.3"

// provisionBound is what writing to many keys may cost over writing to the slowest of them alone.
const provisionBound = 1.15

// BenchmarkProvision writes 32 accounts to 8 keys at once and to one alone.
func BenchmarkProvision(b *testing.B) {
	const accounts, keys = 32, 8
	for b.Loop() {
		inTurn(3,
			func(int) time.Duration { return provision(b, accounts, keys) },
			func(int) time.Duration { return provision(b, accounts, 1) },
		).atMost(b, provisionBound, fmt.Sprintf("%d accounts onto %d keys as slow as real ones, beside one such key alone", accounts, keys))
	}
}

// provision adopts that many new keys with the delays of a real one, and returns how long it takes to
// write the accounts to all of them.
func provision(b *testing.B, accounts, keys int) time.Duration {
	b.Helper()
	bay := softkey.NewBay()
	a := runAgent(b, bay)
	request := api.AddRequest{Copies: keys}
	for serial := uint32(1); serial <= uint32(keys); serial++ {
		k, err := softkey.New(softkey.Options{Serial: serial, Profile: realKey})
		if err != nil {
			b.Fatal(err)
		}
		bay.Insert(k)
		request.To = append(request.To, adopt(b, a, serial))
	}
	var seeds []*oath.Secret
	for i := range accounts {
		seeds = append(seeds, oath.TakeSecret(fmt.Appendf(nil, "seed number %08d", i)))
		request.Accounts = append(request.Accounts, api.NewAccount{
			Issuer: "Bench", Name: fmt.Sprint("account ", i), Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, SeedBytes: seeds[i].Len(),
		})
	}
	begin := time.Now()
	report, err := a.Add(b.Context(), agent.Caller{Name: "bench"}, request, seeds, func(api.Step) {})
	took := time.Since(begin)
	if err != nil || !report.Complete {
		b.Fatalf("cannot write the accounts: %v, %+v", err, report)
	}
	return took
}

// runAgent runs an agent over the bay until the test ends.
func runAgent(tb testing.TB, bay agent.Bay) *agent.Agent {
	tb.Helper()
	book, err := ledger.Open(tb.Context(), filepath.Join(tb.TempDir(), "ledger.db"))
	if err != nil {
		tb.Fatal(err)
	}
	a, err := agent.New(tb.Context(), agent.Options{Bay: bay, Ledger: book, BayName: "soft", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
		if err := book.Close(); err != nil {
			tb.Error(err)
		}
	})
	return a
}

// adopt waits until the agent sees the key, adopts it and returns its label.
func adopt(tb testing.TB, a *agent.Agent, serial uint32) string {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	defer stop()
	events := a.Events(ctx)
	label := fmt.Sprint("key ", serial)
	for {
		if key, err := a.Key(fmt.Sprint(serial)); err == nil && key.Present {
			if _, err := a.Adopt(ctx, agent.Caller{Name: "bench"}, fmt.Sprint(serial), api.AdoptRequest{Label: label}); err != nil {
				tb.Fatal(err)
			}
			return label
		}
		<-events
	}
}
