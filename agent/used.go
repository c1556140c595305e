package agent

import (
	"context"
	"sync"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// used is the set of time steps whose code was handed out, for each seed, whatever key computed it.
// A service takes a code once.
type used struct {
	ledger *ledger.Ledger
	// mu makes looking and marking one step.
	mu sync.Mutex
}

// mark records that n steps from step on are being handed out. It is a matter of milliseconds and not broken off when
// its caller gives up: others may wait for the same code.
func (u *used) mark(seed string, step, n uint64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.markLocked(seed, step, n)
}

// free finds the first n consecutive steps from step on that were never handed out.
func (u *used) free(seed string, step, n uint64) (uint64, error) {
	taken, err := u.ledger.Used(context.Background(), seed, step)
	if err != nil {
		return 0, wrap(api.CodeLedger, err, "cannot tell which codes were handed out")
	}
	for _, t := range taken { // in ascending order
		if t < step+n {
			step = t + 1
		}
	}
	return step, nil
}

// claim marks n steps from step on, unless one of them was handed out meanwhile.
func (u *used) claim(seed string, step, n uint64) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	free, err := u.free(seed, step, n)
	if err != nil || free != step {
		return false, err
	}
	if err := u.markLocked(seed, step, n); err != nil {
		return false, wrap(api.CodeLedger, err, "cannot record that a fresh code is handed out")
	}
	return true, nil
}

// markLocked is mark for who holds u.mu.
func (u *used) markLocked(seed string, step, n uint64) error {
	steps := make([]uint64, n)
	for i := range steps {
		steps[i] = step + uint64(i)
	}
	return u.ledger.Use(context.Background(), seed, steps...)
}
