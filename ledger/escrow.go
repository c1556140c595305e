package ledger

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// PutVault keeps the vault's text, and forgets the drills of recipients that it no longer has: stay names those
// that it has. The vault that was there before is gone from the disk.
func (t *Tx) PutVault(text []byte, stay []string) error {
	t.erases = true
	t.exec("keep the vault", "INSERT INTO vault VALUES (1, ?) ON CONFLICT DO UPDATE SET text = excluded.text", string(text))
	drilled, err := t.drills()
	if err != nil {
		return t.refuse("keep the vault", err)
	}
	for recipient := range drilled {
		if !slices.Contains(stay, recipient) {
			t.exec("keep the vault", "DELETE FROM drills WHERE recipient = ?", recipient)
		}
	}
	return t.err
}

func (t *Tx) drills() (map[string]time.Time, error) {
	var b Book
	err := b.loadDrills(t.tx)
	return b.Drills, err
}

// PutDrill notes that a recipient has opened the vault.
func (t *Tx) PutDrill(recipient string, at time.Time) error {
	return t.exec("keep a drill", "INSERT INTO drills VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at", recipient, seconds(at))
}

// PutEscrow keeps a payload of an account.
func (t *Tx) PutEscrow(r EscrowRow) error {
	return t.exec("keep the escrow of account "+r.Account, `INSERT INTO escrow VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET entry = excluded.entry, ciphertext = excluded.ciphertext, state = excluded.state,
		changed_at = excluded.changed_at`,
		r.Account, r.Kind, string(r.Entry), r.Ciphertext, r.State, seconds(r.ChangedAt))
}

// SetEscrow changes the state of a payload that is there.
func (t *Tx) SetEscrow(e Escrowed) error {
	return t.exec("keep the escrow of account "+e.Account, "UPDATE escrow SET state = ?, changed_at = ? WHERE account = ? AND kind = ?",
		e.State, seconds(e.ChangedAt), e.Account, e.Kind)
}

// MoveEscrow makes a payload another account's, under the entry that it has.
func (t *Tx) MoveEscrow(account, kind, to string) error {
	return t.exec("move the escrow of account "+account, "UPDATE escrow SET account = ? WHERE account = ? AND kind = ?", to, account, kind)
}

// DeleteEscrow forgets a payload, which is gone from the disk too.
func (t *Tx) DeleteEscrow(account, kind string) error {
	t.erases = true
	return t.exec("delete the escrow of account "+account, "DELETE FROM escrow WHERE account = ? AND kind = ?", account, kind)
}

// Rebuild gives a ledger the salt and the step of the one that it continues, without which its fingerprints mean nothing.
func (t *Tx) Rebuild(salt []byte, step uint64) error {
	return t.exec("keep salt and step", "UPDATE meta SET salt = ?, step = ?", salt, int64(step))
}

// PutRotation notes that an account is getting another seed.
func (t *Tx) PutRotation(r Rotation) error {
	return t.exec("keep the rotation of account "+r.Account, `INSERT INTO rotations VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET successor = excluded.successor, begun_at = excluded.begun_at`, r.Account, r.Successor, seconds(r.BegunAt))
}

// DeleteRotation forgets it.
func (t *Tx) DeleteRotation(account string) error {
	return t.exec("delete the rotation of account "+account, "DELETE FROM rotations WHERE account = ?", account)
}

// Escrow reads the payloads of some accounts, or of all if none is named, in the order of the accounts.
func (l *Ledger) Escrow(ctx context.Context, accounts ...string) (rows []EscrowRow, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		return each(tx, "SELECT account, kind, entry, ciphertext, state, changed_at FROM escrow ORDER BY account, kind", func(scan func(...any) error) error {
			var r EscrowRow
			var changed sql.NullInt64
			err := scan(&r.Account, &r.Kind, &r.Entry, &r.Ciphertext, &r.State, &changed)
			if r.ChangedAt = moment(changed); len(accounts) == 0 || slices.Contains(accounts, r.Account) {
				rows = append(rows, r)
			}
			return err
		})
	})
	return rows, err
}

func (b *Book) loadVault(tx *sql.Tx) error {
	err := tx.QueryRow("SELECT text FROM vault").Scan(&b.Vault)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (b *Book) loadDrills(tx *sql.Tx) error {
	drills := map[string]time.Time{}
	err := each(tx, "SELECT recipient, at FROM drills", func(scan func(...any) error) error {
		var recipient string
		var at sql.NullInt64
		err := scan(&recipient, &at)
		drills[recipient] = moment(at)
		return err
	})
	if len(drills) > 0 {
		b.Drills = drills
	}
	return err
}

func (b *Book) loadRotations(tx *sql.Tx) error {
	return each(tx, "SELECT account, successor, begun_at FROM rotations ORDER BY account", func(scan func(...any) error) error {
		var r Rotation
		var begun sql.NullInt64
		err := scan(&r.Account, &r.Successor, &begun)
		r.BegunAt = moment(begun)
		b.Rotations = append(b.Rotations, r)
		return err
	})
}

func (b *Book) loadEscrow(tx *sql.Tx) error {
	return each(tx, "SELECT account, kind, state, changed_at FROM escrow ORDER BY account, kind", func(scan func(...any) error) error {
		var e Escrowed
		var changed sql.NullInt64
		err := scan(&e.Account, &e.Kind, &e.State, &changed)
		e.ChangedAt = moment(changed)
		b.Escrow = append(b.Escrow, e)
		return err
	})
}
