package agent

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// payload is what the escrow has of an account, encrypted.
type payload struct {
	account string
	escrow.Row
}

// payloads reads what is in the escrow, of some accounts or of all, and in which edition of it.
func (a *Agent) payloads(ctx context.Context, accounts ...string) (int, []payload, error) {
	a.mu.Lock()
	edition := a.book.edition
	a.mu.Unlock()
	rows, err := a.ledger.Escrow(ctx, accounts...)
	if err != nil {
		return 0, nil, wrap(api.CodeLedger, err, "cannot read the escrow")
	}
	list := make([]payload, len(rows))
	for i, r := range rows {
		if list[i], err = readPayload(r); err != nil {
			return 0, nil, err
		}
	}
	return edition, list, nil
}

func readPayload(r ledger.EscrowRow) (payload, error) {
	p := payload{account: r.Account, Row: escrow.Row{Ciphertext: r.Ciphertext}}
	d := json.NewDecoder(bytes.NewReader(r.Entry))
	d.DisallowUnknownFields()
	if err := d.Decode(&p.Entry); err != nil || string(p.Entry.Kind) != r.Kind {
		return p, refuse(api.CodeEscrow, "go back to a backup of the escrow", "cannot read the escrow: the %s of account %s is damaged", r.Kind, r.Account)
	}
	return p, nil
}

// content opens a payload. A runbook that says of itself that it is another account's, and that account is there, was put into
// its place by somebody else; for a seed, its fingerprint tells.
func (a *Agent) content(open *escrow.Open, p payload) (*oath.Secret, error) {
	a.mu.Lock()
	_, elsewhere := a.book.accounts[p.Entry.ID]
	row := a.book.accounts[p.account]
	a.mu.Unlock()
	label := oath.Account{Issuer: row.Issuer, Name: row.Name}.Label()
	if p.Entry.Kind == escrow.Runbook && p.Entry.ID != p.account && elsewhere {
		return nil, refuse(api.CodeEscrow, "somebody changed the ledger's file: go back to a backup",
			"cannot open the %s of %s: it is that of another account", p.Entry.Kind, label)
	}
	content, err := open.Get(p.Row)
	if err != nil {
		return nil, vaultError(err, "cannot open the %s of %s", p.Entry.Kind, label)
	}
	return content, nil
}

// seedOf opens a seed and holds it against the fingerprint that keys have answered with. proved says that there is one.
func (a *Agent) seedOf(open *escrow.Open, p payload) (seed *oath.Secret, found prints, proved bool, err error) {
	seed, err = a.content(open, p)
	if err != nil {
		return nil, prints{}, false, err
	}
	found = a.yardstick().ofSeed(p.Entry.Account, seed.Bytes())
	a.mu.Lock()
	row := a.book.accounts[p.account]
	known := printsOf(a.book.seeds[row.Seed])
	proved = a.book.escrow[escrowRef{p.account, escrow.Seed}].State == string(api.EscrowLive)
	a.mu.Unlock()
	if found.compare(known) != same {
		seed.Wipe()
		return nil, prints{}, false, refuse(api.CodeProofFailed, "go back to a backup of the escrow",
			"cannot use the seed of %s in the escrow: it is not the one that the keys have", oath.Account{Issuer: row.Issuer, Name: row.Name}.Label())
	}
	return seed, found, proved, nil
}

// brought refuses a request with more or fewer secrets than it has.
func brought(secrets []*oath.Secret, n int) error {
	if len(secrets) != n {
		return refuse(api.CodeBadRequest, "send each secret behind the request", "cannot read the request: it brings %d secrets, not %d", len(secrets), n)
	}
	return nil
}

func wipeAll(secrets []*oath.Secret) {
	for _, s := range secrets {
		s.Wipe()
	}
}
