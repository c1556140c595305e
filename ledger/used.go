package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"sync"
)

// keepUsed is how many used steps are kept for each seed, twice: see forget.
const keepUsed = 256

// maxUsed is how many there may be before they are pruned.
const maxUsed = 4 * keepUsed

// marks is what makes marking a step cheap, for each code that is not in memory is marked.
type marks struct {
	mu sync.Mutex
	// insert is compiled once: to compile it for each step took longer than to run it.
	insert *sql.Stmt
	// atMost is how many steps each seed may have; a seed that is not in it was not counted yet.
	atMost map[string]int
}

// Use marks steps of a seed as handed out. A step that is marked stays so. The commit survives the
// death of the process; it isn't waited for on the disk, because it costs more than a code.
// If it fails, some of the steps may be marked.
func (l *Ledger) Use(ctx context.Context, seed string, steps ...uint64) error {
	for _, step := range steps {
		if step > math.MaxInt64 {
			return fmt.Errorf("cannot mark step %d as used: there is no such time", step)
		}
	}
	l.marks.mu.Lock()
	defer l.marks.mu.Unlock()
	if err := l.mark(ctx, seed, steps); err != nil {
		return fmt.Errorf("cannot write the ledger: %w", explain(err))
	}
	if n, counted := l.marks.atMost[seed]; counted && n+len(steps) <= maxUsed {
		l.marks.atMost[seed] += len(steps)
		return nil
	}
	return l.prune(ctx, seed)
}

// mark commits each step by itself. The connection was let go in between: at worst another commit's way of writing holds
// for this one too, which is only slower.
func (l *Ledger) mark(ctx context.Context, seed string, steps []uint64) error {
	conn, err := l.begin(ctx, relaxed)
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if l.marks.insert == nil {
		l.marks.insert, err = l.db.PrepareContext(ctx, "INSERT INTO used (seed, step) VALUES (?, ?) ON CONFLICT DO NOTHING")
	}
	for i := 0; i < len(steps) && err == nil; i++ {
		_, err = l.marks.insert.ExecContext(ctx, seed, int64(steps[i]))
	}
	return err
}

// prune counts a seed's used steps, and forgets some if there are too many.
func (l *Ledger) prune(ctx context.Context, seed string) error {
	return l.write(ctx, relaxed, func(tx *Tx) error {
		n, err := tx.marks(seed)
		if err == nil && n > maxUsed {
			if err = tx.forget(seed); err == nil {
				n, err = tx.marks(seed)
			}
		}
		if err != nil {
			return err
		}
		if l.marks.atMost == nil {
			l.marks.atMost = map[string]int{}
		}
		l.marks.atMost[seed] = n
		return nil
	})
}

// marks counts a seed's used steps.
func (t *Tx) marks(seed string) (n int, err error) {
	err = t.tx.QueryRow("SELECT count(*) FROM used WHERE seed = ?", seed).Scan(&n)
	return n, t.refuse("count used steps", explain(err))
}

// forget prunes a seed's used steps by their number and not by the clock, which may jump by years in
// either direction. Two kinds are kept: the keepUsed that were marked last, among them each step whose
// code is valid by a clock that is right now; and the keepUsed highest, which a clock that ran ahead
// may have used before their time. They are pruned once there are twice as many as can be kept.
func (t *Tx) forget(seed string) error {
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
