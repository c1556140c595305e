package ledger

import (
	"context"
	"database/sql"

	"github.com/oathd/oathd/oath"
)

// Load reads the whole ledger. Keys come in the order in which they were first seen, intents in the
// order of their creation, the rest by id.
func (l *Ledger) Load(ctx context.Context) (*Book, error) {
	var b Book
	err := l.read(ctx, func(tx *sql.Tx) error {
		for _, load := range []func(*sql.Tx) error{
			b.loadMeta, b.loadKeys, b.loadDeviceIDs, b.loadSeeds, b.loadAccounts, b.loadCopies, b.loadIntents,
			b.loadVault, b.loadDrills, b.loadEscrow, b.loadRotations,
		} {
			if err := load(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// each calls row for every row of a query; row reads it with scan, which fails on a value that has no
// business there.
func each(tx *sql.Tx, query string, row func(scan func(...any) error) error) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	scan := func(fields ...any) error {
		if err := rows.Scan(fields...); err != nil {
			return damaged("%v", err)
		}
		return nil
	}
	for rows.Next() {
		if err := row(scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (b *Book) loadMeta(tx *sql.Tx) error {
	return tx.QueryRow("SELECT salt, step FROM meta").Scan(&b.Salt, &b.Step)
}

func (b *Book) loadKeys(tx *sql.Tx) error {
	return each(tx, `SELECT id, vendor, serial, label, site, holder, firmware, soft, state, first_seen, last_seen,
		capacity, listing, proved_at, password_set FROM keys ORDER BY first_seen, id`, func(scan func(...any) error) error {
		var k Key
		var serial sql.Null[uint32]
		var first, last, proved sql.NullInt64
		err := scan(&k.ID, &k.Vendor, &serial, &k.Label, &k.Site, &k.Holder, &k.Firmware, &k.Soft, &k.State, &first, &last,
			&k.Capacity, &k.Listing, &proved, &k.PasswordSet)
		k.Serial, k.FirstSeen, k.LastSeen, k.ProvedAt = serial.V, moment(first), moment(last), moment(proved)
		b.Keys = append(b.Keys, k)
		return err
	})
}

func (b *Book) loadDeviceIDs(tx *sql.Tx) error {
	ids := make(map[string][]string, len(b.Keys))
	err := each(tx, "SELECT key, device_id FROM device_ids ORDER BY key, position", func(scan func(...any) error) error {
		var key, id string
		err := scan(&key, &id)
		ids[key] = append(ids[key], id)
		return err
	})
	for i := range b.Keys {
		b.Keys[i].DeviceIDs = ids[b.Keys[i].ID]
	}
	return err
}

func (b *Book) loadSeeds(tx *sql.Tx) error {
	return each(tx, "SELECT id, full, t4 FROM seeds ORDER BY id", func(scan func(...any) error) error {
		var s Seed
		err := scan(&s.ID, &s.Full, &s.T4)
		b.Seeds = append(b.Seeds, s)
		return err
	})
}

func (b *Book) loadAccounts(tx *sql.Tx) error {
	return each(tx, `SELECT id, seed, issuer, name, type, algorithm, digits, period, want_copies, alias, runbook,
		superseded, created_at FROM accounts ORDER BY id`, func(scan func(...any) error) error {
		var a Account
		var seed sql.NullString
		var created sql.NullInt64
		var kind, algorithm string
		err := scan(&a.ID, &seed, &a.Issuer, &a.Name, &kind, &algorithm, &a.Digits, &a.Period, &a.WantCopies, &a.Alias,
			&a.Runbook, &a.Superseded, &created)
		if err != nil {
			return err
		}
		a.Seed, a.CreatedAt = seed.String, moment(created)
		a.Type, a.Algorithm, err = parseKind("account "+a.ID, kind, algorithm)
		b.Accounts = append(b.Accounts, a)
		return err
	})
}

func (b *Book) loadCopies(tx *sql.Tx) error {
	return each(tx, `SELECT key, cred_id, account, type, algorithm, digits, period, touch, seed, state, proved_at
		FROM copies ORDER BY key, cred_id`, func(scan func(...any) error) error {
		var c Copy
		var seed sql.NullString
		var proved sql.NullInt64
		var kind, algorithm string
		err := scan(&c.Key, &c.CredID, &c.Account, &kind, &algorithm, &c.Digits, &c.Period, &c.Touch, &seed, &c.State, &proved)
		if err != nil {
			return err
		}
		c.Seed, c.ProvedAt = seed.String, moment(proved)
		c.Type, c.Algorithm, err = parseKind("the copy "+c.CredID, kind, algorithm)
		b.Copies = append(b.Copies, c)
		return err
	})
}

func (b *Book) loadIntents(tx *sql.Tx) error {
	return each(tx, `SELECT id, kind, key, cred_id, new_cred_id, account, seed, touch, created_at
		FROM intents ORDER BY created_at, id`, func(scan func(...any) error) error {
		var i Intent
		var created sql.NullInt64
		err := scan(&i.ID, &i.Kind, &i.Key, &i.CredID, &i.NewCredID, &i.Account, &i.Seed, &i.Touch, &created)
		i.CreatedAt = moment(created)
		b.Intents = append(b.Intents, i)
		return err
	})
}

// parseKind reads what Put wrote; another program may have written something else.
func parseKind(where, kind, algorithm string) (oath.Type, oath.Algorithm, error) {
	t, err := oath.ParseType(kind)
	if err != nil {
		return 0, 0, damaged("%s: %v", where, err)
	}
	a, err := oath.ParseAlgorithm(algorithm)
	if err != nil {
		return 0, 0, damaged("%s: %v", where, err)
	}
	return t, a, nil
}
