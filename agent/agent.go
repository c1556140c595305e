// Package agent is oathd's core and the only owner of mutable state: the keys that are plugged in, one
// worker for each, the code cache, provisioning, proofs and events. The front doors call it from any
// goroutine; it answers in the words of ipc/api, errors included (*api.Error).
package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// Bay is where keys are plugged in: hw/pcsc for real ones, hw/softkey for programs.
//
// Watch calls report with what is plugged in, at once and after each change, from one goroutine,
// until ctx ends; it then returns nil. A bay that cannot see keys reports why in Inventory.Trouble and
// goes on, so an error of Watch is one that it cannot recover from.
//
// Transact runs work in one transaction with the card in the slot. It returns work's own error, or one
// that wraps hw.ErrRemoved, hw.ErrReset, hw.ErrHeld, hw.ErrRefused or hw.ErrUnavailable. It blocks while
// another program is inside a transaction, and cannot be cancelled.
type Bay interface {
	Watch(ctx context.Context, report func(hw.Inventory)) error
	Transact(slot hw.Slot, work func(hw.Card) error) error
}

// Options are what an Agent needs.
type Options struct {
	Bay    Bay
	Ledger *ledger.Ledger
	Log    *slog.Logger
	// BayName is "pcsc" or "soft", for Status.
	BayName string
	// Version is the program's version, BuildTime when it was built: before it no clock is believed.
	Version   string
	BuildTime time.Time
	// Copies is how many copies an account gets when nothing else is said; 0 means 2.
	Copies int
	// KeyOrder lists labels or serials; a code comes from the first of them that can give it.
	KeyOrder []string
}

// Caller is the program that asks, for the audit log and for those who look at a blinking key.
type Caller struct {
	// Name is how people know it: "oathctl ← zsh ← kitty".
	Name string
	UID  uint32
	PID  int32
}

// Agent is the core. Its methods may be called from any goroutine once Run has started.
type Agent struct{}

// New reads the ledger and returns an agent that sees no key until Run.
func New(ctx context.Context, o Options) (*Agent, error) { panic("being written") }

// Run watches the bay until ctx ends, and returns when all workers have ended.
func (a *Agent) Run(ctx context.Context) error { panic("being written") }

// Status says how the daemon is.
func (a *Agent) Status() api.Status { panic("being written") }

// Keys lists the keys, plugged in or adopted.
func (a *Agent) Keys() []api.Key { panic("being written") }

// Key finds one key by id, label or serial.
func (a *Agent) Key(selector string) (api.Key, error) { panic("being written") }

// Accounts lists the accounts whose label contains query in any case; all for "".
func (a *Agent) Accounts(query string) []api.Account { panic("being written") }

// Account finds exactly one account.
func (a *Agent) Account(selector string) (api.Account, error) { panic("being written") }

// Coverage draws accounts × keys.
func (a *Agent) Coverage() api.Coverage { panic("being written") }

// Audit returns the audit log.
func (a *Agent) Audit(ctx context.Context) (api.Audit, error) { panic("being written") }

// Events returns a channel of events until ctx ends; then it is closed. A reader that is too slow
// misses events and is told how many (api.EventSkipped).
func (a *Agent) Events(ctx context.Context) <-chan api.Event { panic("being written") }

// Code computes a code.
func (a *Agent) Code(ctx context.Context, who Caller, r api.CodeRequest) (api.Code, error) {
	panic("being written")
}

// Add writes accounts to keys. seeds[i] belongs to r.Accounts[i]; Add wipes them all before it returns.
// step is called from one goroutine at a time.
func (a *Agent) Add(ctx context.Context, who Caller, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
	panic("being written")
}

// Verify proves copies.
func (a *Agent) Verify(ctx context.Context, who Caller, r api.VerifyRequest, step func(api.Step)) (api.Report, error) {
	panic("being written")
}

// Resume finishes open intents as far as it can without the seed.
func (a *Agent) Resume(ctx context.Context, who Caller, r api.ResumeRequest, step func(api.Step)) (api.Report, error) {
	panic("being written")
}

// Rename gives an account another name.
func (a *Agent) Rename(ctx context.Context, who Caller, account string, r api.RenameRequest) (api.Report, error) {
	panic("being written")
}

// Remove deletes an account from one key, or from all ("").
func (a *Agent) Remove(ctx context.Context, who Caller, account, key string, force bool) (api.Report, error) {
	panic("being written")
}

// Adopt takes a key into the ledger.
func (a *Agent) Adopt(ctx context.Context, who Caller, key string, r api.AdoptRequest) (api.Key, error) {
	panic("being written")
}

// SetLabel, SetSite and SetHolder change what people call a key, where it is and who has it.
func (a *Agent) SetLabel(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	panic("being written")
}

// SetSite says where a key is kept.
func (a *Agent) SetSite(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	panic("being written")
}

// SetHolder says who has a key.
func (a *Agent) SetHolder(ctx context.Context, who Caller, key, value string) (api.Key, error) {
	panic("being written")
}

// SetPassword sets the applet's password; the password is wiped.
func (a *Agent) SetPassword(ctx context.Context, who Caller, key string, password *oath.Secret) (api.Key, error) {
	panic("being written")
}

// ClearPassword removes the applet's password; the key must be unlocked.
func (a *Agent) ClearPassword(ctx context.Context, who Caller, key string) (api.Key, error) {
	panic("being written")
}

// Unlock tries the password and keeps what it derives from it until the daemon ends; the password is wiped.
func (a *Agent) Unlock(ctx context.Context, who Caller, key string, password *oath.Secret) (api.Key, error) {
	panic("being written")
}

// Reset empties a key's OATH applet.
func (a *Agent) Reset(ctx context.Context, who Caller, key string, r api.ResetRequest) (api.Key, error) {
	panic("being written")
}
