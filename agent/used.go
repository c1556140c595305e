package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// used is the set of time steps whose code was handed out, for each seed, whatever key computed it.
// A service takes a code once.
type used struct {
	ledger *ledger.Ledger
	// since is when this daemon began, if the one before it was killed: that one may have handed out codes whose steps it could
	// not mark any more. Else it is zero.
	since time.Time

	// mu makes looking and marking one step.
	mu sync.Mutex
	// owed are steps that are handed out and yet to be marked, by seed: nobody waits for a commit to get a code.
	owed map[string][]uint64
	// trouble is why the last of them could not be marked.
	trouble error
}

func newUsed(l *ledger.Ledger, now time.Time) *used {
	u := &used{ledger: l, owed: map[string][]uint64{}}
	if l.Orphaned() {
		u.since = now
	}
	return u
}

// owe notes that n steps from step on are handed out, for pay to mark. It returns why earlier ones could not be marked.
func (u *used) owe(seed string, step, n uint64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range steps(step, n) {
		if !slices.Contains(u.owed[seed], s) {
			u.owed[seed] = append(u.owed[seed], s)
		}
	}
	return u.trouble
}

// pay marks what is owed for a seed. It is a matter of milliseconds. What cannot be marked stays owed.
func (u *used) pay(seed string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.payLocked(seed)
}

// payAll marks all that is owed, before the ledger is closed: a key that another program blocks has not paid yet.
func (u *used) payAll() (err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, seed := range slices.Collect(maps.Keys(u.owed)) {
		err = errors.Join(err, u.payLocked(seed))
	}
	return err
}

func (u *used) payLocked(seed string) error {
	if len(u.owed[seed]) == 0 {
		return nil
	}
	if u.trouble = u.ledger.Use(context.Background(), seed, u.owed[seed]...); u.trouble == nil {
		delete(u.owed, seed)
	}
	return u.trouble
}

// first is the first step from step on that a daemon before this one has surely not handed out: each may have given codes of the
// step that was current as it was killed, and of the next.
func (u *used) first(step uint64, period int) uint64 {
	if u.since.IsZero() {
		return step
	}
	return max(step, oath.Step(u.since, period)+2)
}

// free finds the first n consecutive steps from step on that were never handed out.
func (u *used) free(seed string, step, n uint64) (uint64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.freeLocked(seed, step, n)
}

func (u *used) freeLocked(seed string, step, n uint64) (uint64, error) {
	taken, err := u.ledger.Used(context.Background(), seed, step)
	if err != nil {
		return 0, wrap(api.CodeLedger, err, "cannot tell which codes were handed out")
	}
	taken = append(taken, u.owed[seed]...)
	slices.Sort(taken)
	for _, t := range taken {
		if step <= t && t < step+n {
			step = t + 1
		}
	}
	return step, nil
}

// claim marks n steps from step on, unless one of them was handed out meanwhile.
func (u *used) claim(seed string, step, n uint64) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	free, err := u.freeLocked(seed, step, n)
	if err != nil || free != step {
		return false, err
	}
	if err := u.ledger.Use(context.Background(), seed, steps(step, n)...); err != nil {
		return false, wrap(api.CodeLedger, err, "cannot record that a fresh code is handed out")
	}
	return true, nil
}

// steps are n steps from step on.
func steps(step, n uint64) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = step + uint64(i)
	}
	return list
}
