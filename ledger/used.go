package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// keepUsed is how many used steps are kept for each seed, twice: see forget.
const keepUsed = 256

// Use marks steps of a seed as handed out. A step that is marked stays so. The commit survives the
// death of the process; it isn't waited for on the disk, because it costs more than a code.
func (l *Ledger) Use(ctx context.Context, seed string, steps ...uint64) error {
	return l.write(ctx, relaxed, func(tx *Tx) error {
		for _, step := range steps {
			if step > math.MaxInt64 {
				return fmt.Errorf("cannot mark step %d as used: there is no such time", step)
			}
			if err := tx.exec("mark a step", "INSERT INTO used (seed, step) VALUES (?, ?) ON CONFLICT DO NOTHING", seed, int64(step)); err != nil {
				return err
			}
		}
		return tx.forget(seed)
	})
}

// forget prunes a seed's used steps by their number and not by the clock, which may jump by years in
// either direction. Two kinds are kept: the keepUsed that were marked last, among them each step whose
// code is valid by a clock that is right now; and the keepUsed highest, which a clock that ran ahead
// may have used before their time. They are pruned once there are twice as many as can be kept.
func (t *Tx) forget(seed string) error {
	if t.err != nil {
		return t.err
	}
	var n int
	if err := t.tx.QueryRow("SELECT count(*) FROM used WHERE seed = ?", seed).Scan(&n); err != nil {
		return t.refuse("count used steps", explain(err))
	}
	if n <= 4*keepUsed {
		return nil
	}
	return t.exec("prune used steps", `DELETE FROM used WHERE seed = ?1
		AND mark NOT IN (SELECT mark FROM used WHERE seed = ?1 ORDER BY mark DESC LIMIT ?2)
		AND mark NOT IN (SELECT mark FROM used WHERE seed = ?1 ORDER BY step DESC LIMIT ?2)`, seed, keepUsed)
}

// Used returns the steps of a seed from `from` on that were handed out, in ascending order.
func (l *Ledger) Used(ctx context.Context, seed string, from uint64) ([]uint64, error) {
	if from > math.MaxInt64 {
		return nil, nil
	}
	var steps []uint64
	err := l.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT step FROM used WHERE seed = ? AND step >= ? ORDER BY step", seed, int64(from))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var step uint64
			if err := rows.Scan(&step); err != nil {
				return err
			}
			steps = append(steps, step)
		}
		return rows.Err()
	})
	return steps, err
}
