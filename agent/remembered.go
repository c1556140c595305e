package agent

import (
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// Remembered returns the code with which Code would answer from memory, nil where it would ask a key. It does not
// need to know who calls. The code is not to be changed: the same pointer is the same code, for ever.
func (a *Agent) Remembered(r api.CodeRequest) *api.Code {
	now := time.Now()
	if r.Key != "" || r.Fresh || r.Pair || a.checkClock(now) != nil {
		return nil
	}
	acc, err := a.view.Load().findAccount(r.Account)
	if err != nil || checkRequest(r, acc) != nil {
		return nil
	}
	return acc.cell.load(now, time.Duration(r.MinValidity)*time.Second)
}
