package agent

import (
	"context"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// SetRunbook replaces what is written down about getting back into an account without a key, or, without a text, forgets it. The
// escrow stays locked. The one secret is the text; it is wiped.
func (a *Agent) SetRunbook(ctx context.Context, who Caller, account string, _ api.RunbookSetRequest, secrets []*oath.Secret) (api.Account, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Account{}, err
	}
	acc, err := a.findRecorded(ctx, account, "keep a runbook for")
	if err != nil {
		return api.Account{}, err
	}
	ref := escrowRef{acc.ID, escrow.Runbook}
	what := "replace the runbook of " + acc.Label()
	if secrets[0].Len() == 0 {
		what = "forget the runbook of " + acc.Label()
	}
	err = a.change(who, what, func(d *draft) error {
		if _, err := d.usableVault(); err != nil {
			return err
		}
		if secrets[0].Len() > 0 {
			return d.seal(escrow.Entry{Kind: escrow.Runbook, ID: acc.ID}, secrets[0], api.EscrowLive)
		}
		if err := d.dropPayload(ref); err != nil {
			return err
		}
		return d.dropIfEmpty(acc.ID)
	})
	if err != nil {
		return api.Account{}, err
	}
	if shown := a.view.Load().accounts[acc.ID]; shown != nil {
		return shown.Account, nil
	}
	return acc.Account, nil
}

// Runbook returns what is written down about getting back into an account without a key, the caller's to wipe. The one secret
// is the opener's; it is wiped.
func (a *Agent) Runbook(ctx context.Context, who Caller, account string, r api.RunbookRequest, secrets []*oath.Secret) (*oath.Secret, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return nil, err
	}
	acc, err := a.findRecorded(ctx, account, "show the runbook of")
	if err != nil {
		return nil, err
	}
	_, rows, err := a.payloads(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range rows {
		if p.Entry.Kind != escrow.Runbook {
			continue
		}
		open, err := opening{a: a, who: who, purpose: "the runbook of " + acc.Label(), opener: r.Opener, secret: secrets[0]}.open(ctx)
		if err != nil {
			return nil, err
		}
		defer open.Close()
		return a.content(open, p)
	}
	return nil, refuse(api.CodeNotFound, "\"oathctl runbook set\" writes one", "cannot show the runbook of %s: there is none", acc.Label())
}
