package agent

import (
	"context"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Export takes the seed of an account out of the escrow, for a device that can only be enrolled by hand. It is the caller's to
// wipe, and whoever has it has the account's codes. The one secret is the opener's; it is wiped.
func (a *Agent) Export(ctx context.Context, who Caller, r api.ExportRequest, secrets []*oath.Secret) (api.Exported, *oath.Secret, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 1); err != nil {
		return api.Exported{}, nil, err
	}
	acc, err := a.findEscrowed(ctx, r.Account, "export")
	if err != nil {
		return api.Exported{}, nil, err
	}
	if acc.oath.Type == oath.HOTP && len(acc.sources) > 0 {
		return api.Exported{}, nil, refuse(api.CodeBadRequest, "remove it from its key first, or enrol another device at the service",
			"cannot export the HOTP account %s: its counter would be on a key and on another device, and drift apart", acc.Label())
	}
	return a.takeOut(ctx, opening{a: a, who: who, purpose: "export " + acc.Label(), opener: r.Opener, secret: secrets[0]}, acc)
}

// takeOut opens the escrow for one seed, which is held against what the keys have answered.
func (a *Agent) takeOut(ctx context.Context, o opening, acc *accountView) (api.Exported, *oath.Secret, error) {
	open, err := o.open(ctx)
	if err != nil {
		return api.Exported{}, nil, err
	}
	defer open.Close()
	_, rows, err := a.payloads(ctx, acc.ID)
	if err != nil {
		return api.Exported{}, nil, err
	}
	for _, row := range rows {
		if row.Entry.Kind != escrow.Seed {
			continue
		}
		seed, found, _, err := a.seedOf(open, row)
		if err != nil {
			return api.Exported{}, nil, err
		}
		return exported(acc.ID, a.itemOf(row, seed, found)), seed, nil
	}
	return api.Exported{}, nil, notEscrowed(acc, "export")
}

func exported(id string, it *item) api.Exported {
	return api.Exported{ID: id, Account: api.NewAccount{
		Issuer: it.account.Issuer, Name: it.account.Name, Type: it.account.Type.String(), Algorithm: it.account.Algorithm.String(),
		Digits: it.account.Digits, Period: it.account.Period, Counter: it.counter, Touch: it.touch, SeedBytes: it.seed.Len(),
	}}
}

// findEscrowed finds an account whose seed the escrow has; verb says what for.
func (a *Agent) findEscrowed(ctx context.Context, name, verb string) (*accountView, error) {
	acc, err := a.findRecorded(ctx, name, verb)
	if err == nil && acc.Escrow == "" {
		err = notEscrowed(acc, verb)
	}
	return acc, err
}

func notEscrowed(acc *accountView, verb string) error {
	return refuse(api.CodeNoEscrow, "enrol anew at the service, or add it once more, with the seed", "cannot %s %s: the escrow does not have it", verb, acc.Label())
}
