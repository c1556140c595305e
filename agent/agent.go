// Package agent is oathd's core and the only owner of mutable state: the keys that are plugged in, one
// worker for each, the code cache, provisioning, proofs and events. The front doors call it from any
// goroutine; it answers in the words of ipc/api, errors included (*api.Error).
package agent

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
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
	// Enroller sets up escrow slots; nil where the keys are not behind pcscd.
	Enroller Enroller
	// Attestors are the makers whose signatures on keys are believed; nil for Yubico.
	Attestors *x509.CertPool
	// Keyring is where passwords are remembered; nil for nowhere.
	Keyring Keyring
	// Log is where what nobody asked about is written; nil means nowhere.
	Log *slog.Logger
	// BayName is "pcsc" or "soft", LedgerPath where the ledger lies; both are for Status.
	BayName    string
	LedgerPath string
	// Version is the program's version, BuildTime when it was built: before it no clock is believed.
	Version   string
	BuildTime time.Time
	// ClockWarning says what is wrong with the clock, "" where nothing is known to be; it never blocks. nil: nobody knows.
	ClockWarning func() string
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

// committer is where commits go: the ledger, but for tests that let them fail.
type committer interface {
	Change(ctx context.Context, who, what string, f func(*ledger.Tx) error) error
	Observe(ctx context.Context, f func(*ledger.Tx) error) error
}

// defaultCopies: one key to use and one to lose.
const defaultCopies = 2

// shutdownGrace is how long Run waits for workers whose card call another program blocks.
const shutdownGrace = 2 * time.Second

// Agent is the core. Its methods may be called from any goroutine once Run has started.
type Agent struct {
	options Options
	ledger  *ledger.Ledger
	commits committer
	log     *slog.Logger
	started time.Time
	// standard is what fingerprints are made with; only a rebuilt ledger brings another.
	standard atomic.Pointer[yardstick]
	events   hub

	// view is what everybody reads, without a lock; publish replaces it.
	view atomic.Pointer[view]

	// mu guards what follows, and is held over a commit of the ledger.
	mu        sync.Mutex
	book      *book
	workers   []*worker
	passwords map[string]*oath.Secret // derived keys, by the applet's device id
	inventory hw.Inventory
	arrival   chan struct{}   // closed when a key has been looked at
	life      context.Context // ends with Run

	flights flights
	touches touches
	used    *used
	clock   clock
	running sync.WaitGroup
}

// New reads the ledger and returns an agent that sees no key until Run.
func New(ctx context.Context, o Options) (*Agent, error) {
	if o.Copies == 0 {
		o.Copies = defaultCopies
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ClockWarning == nil {
		o.ClockWarning = func() string { return "" }
	}
	rows, err := o.Ledger.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the ledger: %w", err)
	}
	a := &Agent{
		options: o, ledger: o.Ledger, commits: o.Ledger, log: o.Log, started: time.Now(),
		book: newBook(rows, o.Copies), passwords: map[string]*oath.Secret{}, arrival: make(chan struct{}), life: context.Background(),
	}
	a.used = newUsed(o.Ledger, a.started)
	a.standard.Store(&yardstick{rows.Salt, rows.Step})
	a.clock.set(a.started)
	a.publish()
	return a, nil
}

// Run watches the bay until ctx ends, and returns when all workers have ended, or after two seconds: a card
// call that another program blocks cannot be broken off.
func (a *Agent) Run(ctx context.Context) error {
	a.mu.Lock()
	a.life = ctx
	a.mu.Unlock()
	err := a.options.Bay.Watch(ctx, a.plugged)
	a.plugged(hw.Inventory{})
	ended := make(chan struct{})
	go func() {
		a.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(shutdownGrace):
		a.log.Warn("a key is still busy with another program")
	}
	if err := a.used.payAll(); err != nil {
		a.log.Warn("cannot record that codes were handed out", "error", err)
	}
	a.wipe()
	if err != nil {
		return fmt.Errorf("cannot watch the readers: %w", err)
	}
	return nil
}

func (a *Agent) wipe() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.passwords {
		a.forgetLocked(id)
	}
}

// plugged compares what is plugged in with the workers: one is started for each new insertion, and
// stopped for each that is gone.
func (a *Agent) plugged(now hw.Inventory) {
	a.mu.Lock()
	var stay, left, came []*worker
	for _, w := range a.workers {
		if slices.ContainsFunc(now.Slots, w.slot.Same) {
			stay = append(stay, w)
		} else {
			left = append(left, w)
		}
	}
	for _, slot := range now.Slots {
		if !slices.ContainsFunc(a.workers, func(w *worker) bool { return w.slot.Same(slot) }) {
			came = append(came, newWorker(slot, a.options.Bay))
		}
	}
	before, seen := a.inventory, a.view.Load()
	a.workers, a.inventory = append(stay, came...), now
	a.publish()
	a.mu.Unlock()

	a.reportTrouble(before.Trouble, now.Trouble)
	for _, w := range left {
		a.left(w, seen)
	}
	for _, w := range came {
		a.running.Go(w.run)
		a.look(w, false)
	}
}

// left ends a worker whose key is gone, and notes when that was. seen is how the key was shown.
func (a *Agent) left(w *worker, seen *view) {
	w.stop()
	e := seen.keyEvent(api.EventKeyOut, w)
	a.events.publish(e)
	if k := seen.keys[e.Key]; k == nil || k.State == api.KeySeen {
		return
	}
	err := a.observe(func(d *draft) error {
		k := d.keys[e.Key]
		k.LastSeen = now()
		return d.putKey(k)
	})
	if err != nil {
		a.log.Warn("cannot record when a key was last seen", "key", e.KeyLabel, "error", err)
	}
}

func (a *Agent) reportTrouble(before, now error) {
	switch {
	case now != nil && (before == nil || before.Error() != now.Error()):
		a.log.Warn("cannot see keys", "error", now, "hint", hw.Hint(now))
		a.events.publish(api.Event{Kind: api.EventTrouble, Message: now.Error()})
	case now == nil && before != nil:
		a.log.Info("keys can be seen again")
		a.events.publish(api.Event{Kind: api.EventTroubleOver})
	}
}

// arrived wakes everybody who waits for a key.
func (a *Agent) arrived() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.arrival)
	a.arrival = make(chan struct{})
}

// nextArrival is closed when the next key has been looked at.
func (a *Agent) nextArrival() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrival
}

// Status says how the daemon is.
func (a *Agent) Status() api.Status {
	clock := a.options.ClockWarning()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := api.Status{
		Version: a.options.Version, API: api.Version, PID: os.Getpid(), Started: a.started.UTC(),
		Bay: a.options.BayName, Ledger: a.options.LedgerPath,
		Readers: a.inventory.Readers, Keys: len(a.workers), OpenIntents: len(a.book.intents),
	}
	if t := a.inventory.Trouble; t != nil {
		s.Trouble, s.Hint = t.Error(), hw.Hint(t)
	}
	if clock != "" {
		s.Warnings = append(s.Warnings, clock)
	}
	return s
}

// Audit returns the audit log, oldest first.
func (a *Agent) Audit(ctx context.Context) (api.Audit, error) {
	entries, intact, err := a.ledger.Audit(ctx)
	if err != nil {
		return api.Audit{}, wrap(api.CodeLedger, err, "cannot read the audit log")
	}
	log := api.Audit{Entries: make([]api.AuditEntry, len(entries)), Intact: intact}
	for i, e := range entries {
		log.Entries[i] = api.AuditEntry{Seq: e.Seq, At: e.At, Who: e.Who, What: e.What, Prev: e.Prev, Hash: e.Hash}
	}
	return log, nil
}

// String is how the audit log names a caller.
func (c Caller) String() string {
	if c.Name == "" {
		return fmt.Sprintf("uid %d, pid %d", c.UID, c.PID)
	}
	return fmt.Sprintf("%s (uid %d, pid %d)", c.Name, c.UID, c.PID)
}
