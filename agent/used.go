package agent

import (
	"context"
	"slices"
	"sync"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// used is the set of time steps whose code was handed out, for each seed, whatever key computed it.
// A service takes a code once.
type used struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
}

// mark records that n steps from step on are being handed out.
func (u *used) mark(ctx context.Context, seed string, step, n uint64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.use(ctx, seed, step, n)
}

// reserve finds the first n consecutive steps from step on that were never handed out, and marks them.
func (u *used) reserve(ctx context.Context, seed string, step, n uint64) (uint64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken, err := u.ledger.Used(ctx, seed, step)
	if err != nil {
		return 0, wrap(api.CodeLedger, err, "cannot tell which codes were handed out")
	}
	slices.Sort(taken)
	for _, t := range taken {
		if t < step+n {
			step = max(step, t+1)
		}
	}
	return step, u.use(ctx, seed, step, n)
}

func (u *used) use(ctx context.Context, seed string, step, n uint64) error {
	steps := make([]uint64, n)
	for i := range steps {
		steps[i] = step + uint64(i)
	}
	if err := u.ledger.Use(ctx, seed, steps...); err != nil {
		return wrap(api.CodeLedger, err, "cannot record that a code is handed out")
	}
	return nil
}
