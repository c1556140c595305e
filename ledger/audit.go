package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// AuditEntry is one line of the audit log. Hash and Prev are in hexadecimal; Prev is the hash of the line before, "" for
// the first.
type AuditEntry struct {
	Seq        int64
	At         time.Time
	Who, What  string
	Prev, Hash string
}

// audit appends a line to the log and makes it the head.
func (t *Tx) audit(who, what string) error {
	if t.err != nil {
		return t.err
	}
	var seq int64
	var prev []byte
	if err := t.tx.QueryRow("SELECT head_seq, head_hash FROM meta").Scan(&seq, &prev); err != nil {
		return t.refuse("find the end of the audit log", explain(err))
	}
	seq++
	hash := chain(seq, t.at.Unix(), who, what, prev)
	if prev == nil {
		prev = []byte{}
	}
	if err := t.exec("write the audit log", "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", seq, t.at.Unix(), who, what, prev, hash); err != nil {
		return err
	}
	return t.exec("write the audit log", "UPDATE meta SET head_seq = ?, head_hash = ?", seq, hash)
}

// chain is the hash of a line: SHA-256 of its fields and of the hash before. Each field of variable
// length is preceded by its length, so that no two lines are encoded alike.
func chain(seq, at int64, who, what string, prev []byte) []byte {
	b := []byte("oathd audit 1\n")
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	for _, field := range [][]byte{[]byte(who), []byte(what), prev} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Audit returns the audit log and whether its chain is intact: no line was changed, removed or moved,
// the last ones included. It is a guard against mishaps and careless edits. Who can write the file could
// compute the chain anew; only a copy of the last hash that is kept elsewhere shows that.
func (l *Ledger) Audit(ctx context.Context) (entries []AuditEntry, intact bool, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		var last int64
		var head, prev []byte
		if err := tx.QueryRow("SELECT head_seq, head_hash FROM meta").Scan(&last, &head); err != nil {
			return err
		}
		intact = true
		err := each(tx, "SELECT seq, at, who, what, prev, hash FROM audit ORDER BY seq", func(scan func(...any) error) error {
			e, ok, hash, err := scanEntry(scan, int64(len(entries))+1, prev)
			intact, prev = intact && ok, hash
			entries = append(entries, e)
			return err
		})
		intact = intact && last == int64(len(entries)) && bytes.Equal(head, prev)
		return err
	})
	return entries, intact && err == nil, err
}

// scanEntry reads a line and says whether it is the one that must follow prev.
func scanEntry(scan func(...any) error, seq int64, prev []byte) (e AuditEntry, ok bool, hash []byte, err error) {
	var at int64
	var before []byte
	if err := scan(&e.Seq, &at, &e.Who, &e.What, &before, &hash); err != nil {
		return e, false, nil, err
	}
	e.At = time.Unix(at, 0).UTC()
	e.Prev, e.Hash = hex.EncodeToString(before), hex.EncodeToString(hash)
	ok = e.Seq == seq && bytes.Equal(before, prev) && bytes.Equal(hash, chain(seq, at, e.Who, e.What, prev))
	return e, ok, hash, nil
}
