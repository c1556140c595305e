package agent

import "context"

// Forget forgets the codes that are in memory: who sat at the screen may have left it. Whoever asks next gets one from a key.
func (a *Agent) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.publish() // with empty cells
}

// Awake is to be called when the machine has slept. What was computed before is forgotten, and the keys are looked at again
// that could not be used.
func (a *Agent) Awake(ctx context.Context) {
	a.Forget()
	a.recheck(ctx)
}
