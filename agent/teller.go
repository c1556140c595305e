package agent

import (
	"sync"

	"github.com/oathd/oathd/ipc/api"
)

// teller passes steps on to the one who asked, in their order and one at a time, from a goroutine of its own: a slow
// reader must not hold up a transaction with a key.
type teller struct {
	step    func(api.Step)
	running sync.WaitGroup

	mu    sync.Mutex
	queue []api.Step
	busy  bool
}

func (t *teller) tell(s api.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, s)
	if !t.busy {
		t.busy = true
		t.running.Go(t.drain)
	}
}

func (t *teller) drain() {
	for {
		s, ok := t.take()
		if !ok {
			return
		}
		t.step(s)
	}
}

func (t *teller) take() (api.Step, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.busy = false
		return api.Step{}, false
	}
	s := t.queue[0]
	t.queue = t.queue[1:]
	return s, true
}

// finish returns when all steps are told; none may follow.
func (t *teller) finish() { t.running.Wait() }
