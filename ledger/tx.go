package ledger

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/oathd/oathd/oath"
)

// Tx is a commit in the making. Put inserts or replaces by id; Delete of what is not there does
// nothing. The references between rows are checked when all is committed, so their order is free: an account's seed, a
// copy's key, account and seed must exist then. After an error a Tx takes nothing more.
type Tx struct {
	tx  *sql.Tx
	at  time.Time
	err error
	// prepared are the statements that were made so far: many rows need the same, and to make one takes longer than to run it.
	prepared map[string]*sql.Stmt
	// erases says that the commit replaces or deletes what is not to be found on the disk any more.
	erases bool
}

// exec keeps the first error; what says what is being done.
func (t *Tx) exec(what, query string, args ...any) error {
	if t.err != nil {
		return t.err
	}
	statement, err := t.prepare(query)
	if err == nil {
		_, err = statement.Exec(args...)
	}
	if err != nil {
		t.err = fmt.Errorf("cannot %s in the ledger: %w", what, explain(err))
	}
	return t.err
}

// prepare returns the statement of a query, which ends with the transaction.
func (t *Tx) prepare(query string) (*sql.Stmt, error) {
	if statement, ok := t.prepared[query]; ok {
		return statement, nil
	}
	statement, err := t.tx.Prepare(query)
	if err == nil {
		t.prepared[query] = statement
	}
	return statement, err
}

// refuse keeps an error that was found before SQLite was asked.
func (t *Tx) refuse(what string, err error) error {
	if t.err == nil && err != nil {
		t.err = fmt.Errorf("cannot %s in the ledger: %w", what, err)
	}
	return t.err
}

// PutKey keeps a key and its device ids.
func (t *Tx) PutKey(k Key) error {
	what := "keep key " + k.ID
	err := t.exec(what, `INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET vendor = excluded.vendor, serial = excluded.serial, label = excluded.label,
		site = excluded.site, holder = excluded.holder, firmware = excluded.firmware, soft = excluded.soft,
		state = excluded.state, first_seen = excluded.first_seen, last_seen = excluded.last_seen,
		capacity = excluded.capacity, listing = excluded.listing, proved_at = excluded.proved_at,
		password_set = excluded.password_set`,
		k.ID, k.Vendor, sql.Null[uint32]{V: k.Serial, Valid: k.Serial != 0}, k.Label, k.Site, k.Holder, k.Firmware, k.Soft,
		k.State, seconds(k.FirstSeen), seconds(k.LastSeen), k.Capacity, k.Listing, seconds(k.ProvedAt), k.PasswordSet)
	if err != nil {
		return err
	}
	return t.putDeviceIDs(what, k)
}

// putDeviceIDs leaves the date of those alone that are known already.
func (t *Tx) putDeviceIDs(what string, k Key) error {
	t.exec(what, "UPDATE device_ids SET position = -1 WHERE key = ?", k.ID)
	for i, id := range k.DeviceIDs {
		t.exec(what, `INSERT INTO device_ids VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET position = excluded.position`, k.ID, id, i, t.at.Unix())
	}
	return t.exec(what, "DELETE FROM device_ids WHERE key = ? AND position = -1", k.ID)
}

// DeleteKey forgets a key, its device ids and its copies.
func (t *Tx) DeleteKey(id string) error {
	return t.exec("delete key "+id, "DELETE FROM keys WHERE id = ?", id)
}

// PutSeed keeps a seed's fingerprints.
func (t *Tx) PutSeed(s Seed) error {
	return t.exec("keep seed "+s.ID, `INSERT INTO seeds VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET full = excluded.full, t4 = excluded.t4`, s.ID, s.Full, s.T4)
}

// DeleteSeed forgets a seed and its used steps.
func (t *Tx) DeleteSeed(id string) error {
	if err := t.exec("delete seed "+id, "DELETE FROM used WHERE seed = ?", id); err != nil {
		return err
	}
	return t.exec("delete seed "+id, "DELETE FROM seeds WHERE id = ?", id)
}

// PutAccount keeps an account.
func (t *Tx) PutAccount(a Account) error {
	what := "keep account " + a.ID
	if err := t.refuse(what, checkKind(a.Type, a.Algorithm)); err != nil {
		return err
	}
	return t.exec(what, `INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET seed = excluded.seed, issuer = excluded.issuer, name = excluded.name,
		type = excluded.type, algorithm = excluded.algorithm, digits = excluded.digits, period = excluded.period,
		want_copies = excluded.want_copies, alias = excluded.alias, runbook = excluded.runbook,
		superseded = excluded.superseded, created_at = excluded.created_at`,
		a.ID, reference(a.Seed), a.Issuer, a.Name, a.Type.String(), a.Algorithm.String(), a.Digits, a.Period,
		a.WantCopies, a.Alias, a.Runbook, a.Superseded, seconds(a.CreatedAt))
}

// DeleteAccount forgets an account; its copies must go, or go to another account, in the same commit.
func (t *Tx) DeleteAccount(id string) error {
	return t.exec("delete account "+id, "DELETE FROM accounts WHERE id = ?", id)
}

// PutCopy keeps a copy.
func (t *Tx) PutCopy(c Copy) error {
	what := fmt.Sprintf("keep the copy %q on key %s", c.CredID, c.Key)
	if err := t.refuse(what, checkKind(c.Type, c.Algorithm)); err != nil {
		return err
	}
	return t.exec(what, `INSERT INTO copies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET account = excluded.account, type = excluded.type, algorithm = excluded.algorithm,
		digits = excluded.digits, period = excluded.period, touch = excluded.touch, seed = excluded.seed,
		state = excluded.state, proved_at = excluded.proved_at`,
		c.Key, c.CredID, c.Account, c.Type.String(), c.Algorithm.String(), c.Digits, c.Period, c.Touch,
		reference(c.Seed), c.State, seconds(c.ProvedAt))
}

// DeleteCopy forgets a copy.
func (t *Tx) DeleteCopy(key, credID string) error {
	return t.exec(fmt.Sprintf("delete the copy %q on key %s", credID, key),
		"DELETE FROM copies WHERE key = ? AND cred_id = ?", key, credID)
}

// PutIntent keeps an intent.
func (t *Tx) PutIntent(i Intent) error {
	return t.exec("keep intent "+i.ID, `INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET kind = excluded.kind, key = excluded.key, cred_id = excluded.cred_id,
		new_cred_id = excluded.new_cred_id, account = excluded.account, seed = excluded.seed,
		touch = excluded.touch, created_at = excluded.created_at`,
		i.ID, i.Kind, i.Key, i.CredID, i.NewCredID, i.Account, i.Seed, i.Touch, seconds(i.CreatedAt))
}

// DeleteIntent forgets an intent.
func (t *Tx) DeleteIntent(id string) error {
	return t.exec("delete intent "+id, "DELETE FROM intents WHERE id = ?", id)
}

// checkKind refuses what Load could not read again.
func checkKind(t oath.Type, a oath.Algorithm) error {
	if t != oath.TOTP && t != oath.HOTP {
		return fmt.Errorf("%s is neither totp nor hotp", t)
	}
	if !a.Valid() {
		return fmt.Errorf("%w %d", oath.ErrAlgorithm, a)
	}
	return nil
}

// seconds is a time as the ledger keeps it: NULL for the zero time.
func seconds(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.Unix(), Valid: !t.IsZero()}
}

// moment is a time as Load returns it.
func moment(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(n.Int64, 0).UTC()
}

// reference is an id that may be missing.
func reference(id string) sql.NullString {
	return sql.NullString{String: id, Valid: id != ""}
}
