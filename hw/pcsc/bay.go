// Package pcsc is the only package that talks to pcscd: it watches what is plugged in, and runs
// transactions with the cards so that other programs hardly notice.
//
// What it knows of libpcsclite comes from winscard_clnt.c of 1.9.9 to 2.3, and shapes the package:
//
//   - A context serves one call at a time, and whoever waits for a busy context holds a lock of the whole
//     library (SCardGetAndLockContext). So the monitor has a context of its own, and so has each
//     reader, behind a mutex of ours.
//   - SCardGetStatusChange gives the ATR and counts insertions; a card is opened for work only. SCardStatus
//     would hold a lock that the monitor needs while another program is inside a transaction.
//   - The binding ebfe/scard keeps reader names alive by name alone, so one goroutine in a process may wait
//     for changes.
package pcsc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/internal/sentry"
)

const (
	// settleTime is how long after a change everything is looked at once more: pcsc-lite 1.9.9 misses a
	// reader that appears between two calls (pcsc-lite issue 190).
	settleTime = 2 * time.Second
	// forever makes SCardGetStatusChange wait without an end.
	forever = -1
	// minSession is the least time between two connections to a pcscd that breaks each of them.
	minSession = time.Second
	// oldReaderLimit is how many readers pcsc-lite before 2.5.0 can have. It does not show the next one.
	oldReaderLimit = 16
)

// Bay is the keys that pcscd reaches. Its methods may be called from any goroutine.
type Bay struct {
	log *slog.Logger

	mutex  sync.Mutex
	roster roster
	lanes  map[string]*lane // by reader
}

// New returns a bay that has not looked yet.
func New(log *slog.Logger) *Bay {
	return &Bay{log: log, lanes: make(map[string]*lane)}
}

// watching is held by the one Watch of the process.
var watching sync.Mutex

// Watch calls report with what is plugged in, at once and after each change, until ctx ends; then it
// returns nil. A pcscd that is absent, refuses us or goes away is reported as Inventory.Trouble, and
// waited for. Nothing is polled: while nothing changes, Watch sleeps in the kernel.
//
// It returns an error if another Watch runs in this process, or if the kernel gives no inotify to
// wait for pcscd with. After ctx has ended it returns as soon as pcscd lets go of the call under way.
func (b *Bay) Watch(ctx context.Context, report func(hw.Inventory)) error {
	if !watching.TryLock() {
		return errors.New("cannot watch the readers: another watch runs in this process")
	}
	defer watching.Unlock()
	defer b.abandon(nil)
	for {
		session, err := b.connect(ctx, report)
		if err != nil && ctx.Err() == nil {
			return err
		}
		began := time.Now()
		if err == nil {
			err = b.follow(ctx, session, report)
		}
		if ctx.Err() != nil {
			return nil
		}
		b.log.Warn("lost pcscd", "error", err)
		b.forget()
		b.abandon(nil)
		report(hw.Inventory{Trouble: lost(err)})
		pause(ctx, minSession-time.Since(began))
	}
}

// connect returns a context once pcscd gives one. Until then it reports why there is none, and waits for
// something to happen at pcscd's socket or, if pcscd refuses us, at the login session.
func (b *Bay) connect(ctx context.Context, report func(hw.Inventory)) (*scard.Context, error) {
	var reported string
	settle := true // the first answer may be that of a pcscd that is just starting or ending
	for {
		// The watch comes first, so that nothing is missed between the attempt and the wait.
		watch, err := sentry.New(socketPath(), sessionPath())
		if err != nil {
			return nil, err
		}
		session, err := establish()
		if err == nil {
			watch.Close()
			return session, nil
		}
		trouble := explain("reach the readers", err)
		if trouble.Error() != reported {
			reported = trouble.Error()
			b.log.Warn("no access to keys", "error", trouble, "hint", hw.Hint(trouble))
			report(hw.Inventory{Trouble: trouble})
		}
		settle, err = watch.Wait(ctx, settle)
		watch.Close()
		if err != nil {
			return nil, err
		}
	}
}

// establish returns a new context. A pcscd that refuses us may hang up before we have greeted it, which looks as
// if there were none (seen with 2.3.3): asked a few times, it says what it means. One that ends just then can
// look as if it refused us; the second look of connect sees that.
func establish() (session *scard.Context, err error) {
	for range 5 {
		session, err = scard.EstablishContext()
		if !errors.Is(err, scard.ErrNoService) {
			break
		}
	}
	return session, err
}

// follow reports what session shows, until ctx ends or pcscd goes away.
func (b *Bay) follow(ctx context.Context, session *scard.Context, report func(hw.Inventory)) error {
	m := startMonitor(ctx, session)
	defer m.close()
	for first := true; ctx.Err() == nil; first = false {
		states, err := m.list()
		if err != nil {
			return err
		}
		timeout := time.Duration(forever)
		if inventory, changed := b.update(states); changed || first {
			report(inventory)
			timeout = settleTime
		}
		gone, err := m.wait(states, timeout)
		if err != nil {
			return err
		}
		b.drop(gone)
	}
	return ctx.Err()
}

// update takes in the readers' states and reports whether that changed anything.
func (b *Bay) update(states []scard.ReaderState) (hw.Inventory, bool) {
	b.mutex.Lock()
	readers := b.roster.readers
	slots, changed := b.roster.update(states)
	b.mutex.Unlock()
	b.abandon(states)
	if readers < oldReaderLimit && len(states) >= oldReaderLimit {
		b.log.Warn("pcscd before 2.5.0 shows no more readers than there are now; further keys stay unseen",
			"readers", len(states))
	}
	return hw.Inventory{Slots: slots, Readers: len(states)}, changed
}

// drop forgets readers that were gone for a moment: what is in them when they come back is a new insertion.
func (b *Bay) drop(readers []string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.roster.drop(readers)
}

// forget forgets all readers, so that whatever is there after a restart of pcscd counts as plugged in
// anew: its counters begin anew too.
func (b *Bay) forget() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.roster.forget()
}

// Transact runs work in one transaction with the card in slot, as agent.Bay describes it: a shared
// connection for just as long, and everything left as it is at the end, so that no other program loses a
// PIN through a reset.
//
// That it is the slot's insertion is made sure before the first command that could change anything, at the latest when work has
// ended: SELECT and CALCULATE may reach a key that was put in its place a moment ago, which SELECT's answer tells.
//
// The errors of work come back as they are. Others wrap hw.ErrRemoved (also when the slot's insertion is
// over), hw.ErrReset, hw.ErrHeld, hw.ErrRefused or hw.ErrUnavailable, with a hint where one helps.
// An exclusive hold of another program is waited for, but less than two seconds (see holdWaits).
func (b *Bay) Transact(slot hw.Slot, work func(hw.Card) error) error {
	return b.lane(slot.Reader).transact(func(counter uint16) bool { return b.current(slot, counter) }, work)
}

// current reports whether pcscd's counter of slot's reader is still that of slot's insertion.
func (b *Bay) current(slot hw.Slot, counter uint16) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.roster.current(slot, counter)
}

func (b *Bay) lane(reader string) *lane {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	l := b.lanes[reader]
	if l == nil {
		l = &lane{reader: reader}
		b.lanes[reader] = l
	}
	return l
}

// abandon gives back the contexts of readers that are not among states. One in use is given back at
// a later change.
func (b *Bay) abandon(states []scard.ReaderState) {
	present := make(map[string]bool, len(states))
	for _, state := range states {
		present[state.Reader] = true
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for reader, l := range b.lanes {
		if !present[reader] {
			l.abandon()
		}
	}
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
