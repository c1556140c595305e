package agent

import (
	"context"
	"fmt"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// EscrowDrill opens the escrow with one recipient, opens all that is in it, and holds each seed against what the keys
// answer: those that are plugged in are asked first. If all is well, the day is kept. The one secret is the opener's; it
// is wiped.
func (a *Agent) EscrowDrill(ctx context.Context, who Caller, r api.EscrowDrillRequest, secrets []*oath.Secret) (api.EscrowDrill, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.EscrowDrill{}, err
	}
	if _, err := a.currentVault(); err != nil {
		return api.EscrowDrill{}, err
	}
	began := now()
	if _, err := a.Verify(ctx, who, api.VerifyRequest{}, func(api.Step) {}); err != nil {
		return api.EscrowDrill{}, err
	}
	open, err := opening{a: a, who: who, purpose: "a drill", opener: r.Opener, secret: secrets[0]}.open(ctx)
	if err != nil {
		return api.EscrowDrill{}, err
	}
	defer open.Close()
	_, rows, err := a.payloads(ctx)
	if err != nil {
		return api.EscrowDrill{}, err
	}
	var d api.EscrowDrill
	seen := a.view.Load()
	for _, p := range rows {
		a.tryPayload(open, p, seen.accounts[p.account], began.Unix(), &d)
	}
	if len(d.Faults) == 0 {
		what := fmt.Sprintf("the drill with %s went well: %d seeds, %d runbooks", recipientName(open.By), d.Seeds, d.Runbooks)
		if err := a.change(who, what, func(d *draft) error { return d.putDrill(open.By.Public, began) }); err != nil {
			return api.EscrowDrill{}, err
		}
	}
	d.Untried = a.untried()
	a.mu.Lock()
	d.Recipient = a.book.recipient(seen, open.By)
	a.mu.Unlock()
	return d, nil
}

// answered reports whether a key has proved a copy since.
func (acc *accountView) answered(since int64) bool {
	for _, s := range acc.sources {
		if s.proved && s.Present && s.ProvedAt.Unix() >= since {
			return true
		}
	}
	return false
}

// tryPayload opens one payload and counts what it found; began is when the keys were asked. acc is nil for a payload that is
// nobody's, which cannot be.
func (a *Agent) tryPayload(open *escrow.Open, p payload, acc *accountView, began int64, d *api.EscrowDrill) {
	var content *oath.Secret
	var err error
	if p.Entry.Kind == escrow.Runbook {
		if content, err = a.content(open, p); err == nil {
			d.Runbooks++
		}
	} else {
		var proved bool
		d.Seeds++
		if content, _, proved, err = a.seedOf(open, p); proved {
			d.Proved++
			if acc != nil && acc.answered(began) {
				d.Here++
			}
		}
	}
	content.Wipe()
	if err == nil {
		return
	}
	fault := api.EscrowFault{Account: p.account, Error: vaultError(err, "cannot open it")}
	if acc != nil {
		fault.Label = acc.Label()
	}
	d.Faults = append(d.Faults, fault)
}
