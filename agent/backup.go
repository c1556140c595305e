package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// backupVersion is that of a record.
const backupVersion = 1

// record is the ledger in a backup: all but the vault, the payloads, the audit log and the used steps.
type record struct {
	Version  int
	Book     ledger.Book
	Payloads []kept
}

// kept says whose a payload of the backup is: Entry is the account's id that it is bound to.
type kept struct {
	Entry string
	ledger.Escrowed
}

// EscrowBackup returns the backup as a file, which is no secret: what opens it is the same as what opens the escrow.
func (a *Agent) EscrowBackup(ctx context.Context, who Caller) ([]byte, error) {
	vault, err := a.currentVault()
	if err != nil {
		return nil, err
	}
	if err := a.change(who, "make a backup of the escrow", func(*draft) error { return nil }); err != nil {
		return nil, err
	}
	head, err := a.auditHead(ctx)
	if err != nil {
		return nil, err
	}
	b := &escrow.Backup{Vault: vault, Made: now(), Audit: head}
	if err := a.fillBackup(ctx, b); err != nil {
		return nil, err
	}
	file, err := b.Marshal()
	if err != nil {
		return nil, vaultError(err, "cannot make a backup")
	}
	return file, nil
}

func (a *Agent) auditHead(ctx context.Context) (string, error) {
	entries, _, err := a.ledger.Audit(ctx)
	if err != nil || len(entries) == 0 {
		return "", ledgerError(err)
	}
	last := entries[len(entries)-1]
	return fmt.Sprintf("%d %s", last.Seq, last.Hash), nil
}

// fillBackup reads ledger and payloads as they are at one moment: nobody commits meanwhile.
func (a *Agent) fillBackup(ctx context.Context, b *escrow.Backup) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	vault, err := a.book.usableVault()
	if err != nil {
		return err
	}
	b.Vault = vault
	book, err := a.ledger.Load(ctx)
	if err != nil {
		return wrap(api.CodeLedger, err, "cannot read the ledger")
	}
	rows, err := a.ledger.Escrow(ctx)
	if err != nil {
		return wrap(api.CodeLedger, err, "cannot read the escrow")
	}
	r := record{Version: backupVersion, Book: *book}
	r.Book.Vault, r.Book.Escrow = nil, nil
	for _, row := range rows {
		p, err := readPayload(row)
		if err != nil {
			return err
		}
		b.Rows = append(b.Rows, p.Row)
		r.Payloads = append(r.Payloads, kept{p.Entry.ID, row.Escrowed})
	}
	b.Ledger, err = json.MarshalIndent(r, "", "\t")
	return err
}

// EscrowOpen rebuilds ledger and escrow from a backup, on a machine whose ledger is empty. The secrets are the opener's and the
// backup; they are wiped. Everything in the backup is opened before anything is kept, for who has the file could have changed
// what is outside.
func (a *Agent) EscrowOpen(ctx context.Context, who Caller, r api.EscrowOpenRequest, secrets []*oath.Secret) (api.Escrow, error) {
	defer wipeAll(secrets)
	if err := brought(secrets, 2); err != nil {
		return api.Escrow{}, err
	}
	b, err := escrow.ParseBackup(secrets[1].Bytes())
	if errors.Is(err, escrow.ErrDamaged) {
		return api.Escrow{}, because(err, api.CodeEscrow, "use another backup", "cannot use the backup")
	}
	if err != nil {
		return api.Escrow{}, vaultError(err, "cannot use the backup")
	}
	rec, err := readRecord(b.Ledger)
	if err != nil {
		return api.Escrow{}, err
	}
	if err := a.bare(); err != nil {
		return api.Escrow{}, err
	}
	open, err := opening{a: a, who: who, purpose: "rebuild the ledger", opener: r.Opener, secret: secrets[0]}.unlock(ctx, b.Vault)
	if err != nil {
		return api.Escrow{}, err
	}
	defer open.Close()
	if err := rec.check(open, b.Rows); err != nil {
		return api.Escrow{}, err
	}
	if err := a.rebuild(who, b, rec, recipientName(open.By)); err != nil {
		return api.Escrow{}, err
	}
	a.inspectAll(ctx, a.workersWhere(func(*worker) bool { return true }))
	a.events.publish(api.Event{Kind: api.EventAccounts})
	return a.Escrow(), nil
}

func readRecord(text []byte) (record, error) {
	var r record
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	switch {
	case r.Version > backupVersion:
		return r, refuse(api.CodeEscrow, "install the newer oathd", "cannot use the backup: it was made by a newer oathd")
	case err != nil || r.Version != backupVersion || r.Book.Step == 0:
		return r, refuse(api.CodeEscrow, "use another backup, or open it with age alone, as its README.txt says", "cannot use the backup: its ledger is damaged")
	}
	return r, nil
}

// bare refuses to rebuild a ledger that has content.
func (a *Agent) bare() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.book.bare()
}

func (b *book) bare() error {
	if len(b.keys)+len(b.accounts)+len(b.intents) == 0 && b.vault == nil && b.trouble == nil {
		return nil
	}
	return refuse(api.CodeConflict, "move the ledger's file away first, with the daemon stopped, if the backup is to take its place",
		"cannot rebuild the ledger: there is one, with %d keys and %d accounts", len(b.keys), len(b.accounts))
}

// check opens every payload, and holds the seeds against the fingerprints in the record.
func (r *record) check(open *escrow.Open, rows []escrow.Row) error {
	seeds, accounts := map[string]ledger.Seed{}, map[string]ledger.Account{}
	for _, s := range r.Book.Seeds {
		seeds[s.ID] = s
	}
	for _, acc := range r.Book.Accounts {
		accounts[acc.ID] = acc
	}
	ruler := yardstick{r.Book.Salt, r.Book.Step}
	for _, row := range rows {
		k, ok := r.owner(row.Entry)
		if !ok || accounts[k.Account].ID == "" {
			return refuse(api.CodeEscrow, "use another backup", "cannot use the backup: nobody knows whose %s.%s is", row.Entry.Kind, row.Entry.ID)
		}
		content, err := open.Get(row)
		if err != nil {
			return vaultError(err, "cannot use the backup")
		}
		proved := row.Entry.Kind == escrow.Runbook ||
			ruler.ofSeed(row.Entry.Account, content.Bytes()).compare(printsOf(seeds[accounts[k.Account].Seed])) == same
		content.Wipe()
		if !proved {
			return refuse(api.CodeProofFailed, "use another backup", "cannot use the backup: its seed of %s is not the one that the keys had", row.Entry.Account.Label())
		}
	}
	if len(rows) != len(r.Payloads) {
		return refuse(api.CodeEscrow, "use another backup", "cannot use the backup: %d of its %d payloads are there", len(rows), len(r.Payloads))
	}
	return nil
}

// owner says whose a payload is.
func (r *record) owner(e escrow.Entry) (kept, bool) {
	for _, k := range r.Payloads {
		if k.Entry == e.ID && k.Kind == string(e.Kind) {
			return k, true
		}
	}
	return kept{}, false
}

// rebuild makes the ledger what it was, in one commit.
func (a *Agent) rebuild(who Caller, b *escrow.Backup, r record, by string) error {
	what := fmt.Sprintf("rebuild the ledger from the backup of %s, opened with %s; its audit log ended with %s", b.Made.Format(time.DateTime), by, b.Audit)
	was := a.standard.Load()
	return a.change(who, what, func(d *draft) error {
		if err := d.bare(); err != nil {
			return err
		}
		d.undo = append(d.undo, func() { a.standard.Store(was) })
		a.standard.Store(&yardstick{r.Book.Salt, r.Book.Step})
		if err := d.tx.Rebuild(r.Book.Salt, r.Book.Step); err != nil {
			return err
		}
		if err := d.putAll(&r.Book); err != nil {
			return err
		}
		for _, row := range b.Rows {
			k, _ := r.owner(row.Entry)
			if err := d.putEscrow(k.Account, row, k.State, k.ChangedAt); err != nil {
				return err
			}
		}
		if err := d.putVault(b.Vault); err != nil {
			return err
		}
		for recipient, at := range r.Book.Drills {
			if err := d.putDrill(recipient, at); err != nil {
				return err
			}
		}
		a.meetAgain(d)
		return nil
	})
}

// meetAgain recognises the keys that were plugged in before the ledger knew them. It is called within a commit.
func (a *Agent) meetAgain(d *draft) {
	for _, w := range a.workers {
		for _, k := range d.keys {
			if !w.state.selected || k.State != string(api.KeyAdopted) || !sameKey(k, w.state) || a.workerOf(k.ID) != nil {
				continue
			}
			d.undo = append(d.undo, func() { w.state.key = "" })
			w.state.key = k.ID
		}
	}
}

// putAll puts all rows of a book. The copies come last but one: they make pending seeds live.
func (d *draft) putAll(b *ledger.Book) error {
	for _, err := range []error{each(b.Keys, d.putKey), each(b.Seeds, d.putSeed), each(b.Accounts, d.putAccount), each(b.Copies, d.putCopy), each(b.Intents, d.putIntent), each(b.Rotations, d.putRotation)} {
		if err != nil {
			return err
		}
	}
	return nil
}

func each[T any](rows []T, put func(T) error) error {
	for _, row := range rows {
		if err := put(row); err != nil {
			return err
		}
	}
	return nil
}
