package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"math/big"
	"time"

	"github.com/oathd/oathd/hw"
)

// applicationID is "oath": it tells a ledger from other programs' SQLite files.
const applicationID = 0x6f617468

// migrations bring a ledger forward, one version each; user_version counts those that were applied. What
// was once released is never edited.
var migrations = []string{schema1, schema2, schema3}

// schema1: times are UTC seconds and NULL where unknown. References are checked when a transaction
// commits, so their order inside it is free. `used` keeps the order in which steps were marked (mark).
// `escrow` was never in use.
const schema1 = `
CREATE TABLE meta (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	salt       BLOB    NOT NULL CHECK (length(salt) = 32),
	step       INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	head_seq   INTEGER NOT NULL,
	head_hash  BLOB    NOT NULL
) STRICT;
CREATE TABLE keys (
	id           TEXT    NOT NULL PRIMARY KEY,
	vendor       TEXT    NOT NULL,
	serial       INTEGER,
	label        TEXT    NOT NULL,
	site         TEXT    NOT NULL,
	holder       TEXT    NOT NULL,
	firmware     TEXT    NOT NULL,
	soft         INTEGER NOT NULL,
	state        TEXT    NOT NULL,
	first_seen   INTEGER,
	last_seen    INTEGER,
	capacity     INTEGER NOT NULL,
	listing      TEXT    NOT NULL,
	proved_at    INTEGER,
	password_set INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE device_ids (
	key       TEXT    NOT NULL REFERENCES keys ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
	device_id TEXT    NOT NULL,
	position  INTEGER NOT NULL,
	since     INTEGER NOT NULL,
	PRIMARY KEY (key, device_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE seeds (
	id       TEXT NOT NULL PRIMARY KEY,
	full     BLOB,
	t4       BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
	id          TEXT    NOT NULL PRIMARY KEY,
	seed        TEXT    REFERENCES seeds DEFERRABLE INITIALLY DEFERRED,
	issuer      TEXT    NOT NULL,
	name        TEXT    NOT NULL,
	type        TEXT    NOT NULL,
	algorithm   TEXT    NOT NULL,
	digits      INTEGER NOT NULL,
	period      INTEGER NOT NULL,
	want_copies INTEGER NOT NULL,
	alias       TEXT    NOT NULL,
	runbook     TEXT    NOT NULL,
	superseded  INTEGER NOT NULL,
	created_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_seed ON accounts (seed);
CREATE TABLE copies (
	key       TEXT    NOT NULL REFERENCES keys ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
	cred_id   TEXT    NOT NULL,
	account   TEXT    NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
	type      TEXT    NOT NULL,
	algorithm TEXT    NOT NULL,
	digits    INTEGER NOT NULL,
	period    INTEGER NOT NULL,
	touch     INTEGER NOT NULL,
	seed      TEXT    REFERENCES seeds DEFERRABLE INITIALLY DEFERRED,
	state     TEXT    NOT NULL,
	proved_at INTEGER,
	PRIMARY KEY (key, cred_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX copies_account ON copies (account);
CREATE INDEX copies_seed ON copies (seed);
CREATE TABLE intents (
	id          TEXT    NOT NULL PRIMARY KEY,
	kind        TEXT    NOT NULL,
	key         TEXT    NOT NULL,
	cred_id     TEXT    NOT NULL,
	new_cred_id TEXT    NOT NULL,
	account     TEXT    NOT NULL,
	seed        TEXT    NOT NULL,
	touch       INTEGER NOT NULL,
	created_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE used (
	mark INTEGER PRIMARY KEY,
	seed TEXT    NOT NULL,
	step INTEGER NOT NULL,
	UNIQUE (seed, step)
) STRICT;
CREATE TABLE escrow (
	seed       TEXT    NOT NULL REFERENCES seeds DEFERRABLE INITIALLY DEFERRED,
	version    INTEGER NOT NULL,
	ciphertext BLOB    NOT NULL,
	state      TEXT    NOT NULL,
	PRIMARY KEY (seed, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
	seq  INTEGER PRIMARY KEY,
	at   INTEGER NOT NULL,
	who  TEXT    NOT NULL,
	what TEXT    NOT NULL,
	prev BLOB    NOT NULL,
	hash BLOB    NOT NULL
) STRICT;
`

// schema2 makes place for the vault. `entry` is JSON, `ciphertext` an age file. An account whose escrow is kept cannot be
// deleted: whoever deletes it has to say so of its escrow too.
const schema2 = `
DROP TABLE escrow;
CREATE TABLE vault (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	text TEXT    NOT NULL
) STRICT;
CREATE TABLE drills (
	recipient TEXT    NOT NULL PRIMARY KEY,
	at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE escrow (
	account    TEXT    NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
	kind       TEXT    NOT NULL,
	entry      TEXT    NOT NULL,
	ciphertext BLOB    NOT NULL,
	state      TEXT    NOT NULL,
	changed_at INTEGER,
	PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;
`

// schema3 makes place for accounts that are getting another seed.
const schema3 = `
CREATE TABLE rotations (
	account   TEXT    NOT NULL PRIMARY KEY REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
	successor TEXT    NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
	begun_at  INTEGER
) STRICT, WITHOUT ROWID;
`

// initialise makes a ledger of an empty database, in one commit.
func initialise(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if err := migrateTx(tx, 0, migrations); err != nil {
		return err
	}
	salt, step, err := drawFingerprint()
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO meta VALUES (1, ?, ?, ?, 0, x'')", salt, step, time.Now().Unix())
	if err != nil {
		return err
	}
	return tx.Commit()
}

// drawFingerprint draws a Book's Salt and Step.
func drawFingerprint() (salt []byte, step int64, err error) {
	const low, high = 1 << 13, 1 << 14
	n, err := rand.Int(rand.Reader, big.NewInt(high-low))
	if err != nil {
		return nil, 0, err
	}
	salt = make([]byte, 32)
	rand.Read(salt)
	return salt, low + n.Int64(), nil
}

// migrate brings an existing ledger up to date, in one commit or not at all.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var version int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version == len(steps):
		return nil
	case version > len(steps):
		return newer(version, len(steps))
	}
	if err := migrateTx(tx, version, steps); err != nil {
		return fmt.Errorf("cannot bring it from version %d to %d: %w", version, len(steps), err)
	}
	return tx.Commit()
}

func newer(version, known int) error {
	return hw.WithHint(fmt.Errorf("%w: its version is %d, this oathd knows %d", ErrNewer, version, known),
		"install the newer oathd again; this one would not understand the ledger")
}

func migrateTx(tx *sql.Tx, version int, steps []string) error {
	for _, step := range steps[version:] {
		if _, err := tx.Exec(step); err != nil {
			return err
		}
	}
	_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(steps)))
	return err
}
