package pcsc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ebfe/scard"
)

const (
	// pnpReader is the name under which SCardGetStatusChange tells of readers that come and go.
	pnpReader = `\\?PnP?\Notification`
	// listAttempts bounds how often the list is read again because it changed meanwhile.
	listAttempts = 10
	// cancelInterval is how long a cancelled wait may take to end before it is cancelled again.
	cancelInterval = 20 * time.Millisecond

	// watchedStates are what a wait compares. Others, above all whether a card is in use, change with each
	// transaction of anybody, ours included, and are no reason to wake up.
	watchedStates = scard.StatePresent | scard.StateEmpty | scard.StateMute | scard.StateUnavailable | 0xffff0000
)

// monitor is one session of the process's only goroutine that waits for changes.
type monitor struct {
	context *scard.Context
	pnp     scard.StateFlag // how often readers came and went, where pcscd counts that (since 2.0)
	over    chan struct{}   // closed by close
	ended   chan struct{}   // closed when the goroutine that cancels has ended
}

// startMonitor takes over session and ends its waits when ctx ends.
func startMonitor(ctx context.Context, session *scard.Context) *monitor {
	m := &monitor{context: session, over: make(chan struct{}), ended: make(chan struct{})}
	go m.cancelWith(ctx)
	return m
}

// close gives the session back.
func (m *monitor) close() {
	close(m.over)
	<-m.ended
	_ = m.context.Release() // it fails where pcscd is gone, and then has nothing to release
}

// cancelWith ends the wait under way when ctx ends. A cancel that comes before the wait has begun is lost
// (winscard_clnt.c, "cancellable"), so it is repeated until the monitor is closed.
func (m *monitor) cancelWith(ctx context.Context) {
	defer close(m.ended)
	select {
	case <-ctx.Done():
	case <-m.over:
		return
	}
	again := time.NewTicker(cancelInterval)
	defer again.Stop()
	for {
		_ = m.context.Cancel() // without pcscd there is no wait either
		select {
		case <-m.over:
			return
		case <-again.C:
		}
	}
}

// list returns the states of all readers, in pcscd's order.
func (m *monitor) list() ([]scard.ReaderState, error) {
	for range listAttempts {
		states, err := m.tryList()
		// The list grew, or lost a reader, between two of the calls.
		if errors.Is(err, scard.ErrInsufficientBuffer) || errors.Is(err, scard.ErrUnknownReader) {
			continue
		}
		return states, err
	}
	return nil, errors.New("cannot list the readers: they keep changing")
}

func (m *monitor) tryList() ([]scard.ReaderState, error) {
	names, err := m.context.ListReaders()
	if errors.Is(err, scard.ErrNoReadersAvailable) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the readers: %w", err)
	}
	states := make([]scard.ReaderState, len(names))
	for i, name := range names {
		states[i] = scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware}
	}
	if err := m.context.GetStatusChange(states, 0); err != nil {
		return nil, fmt.Errorf("cannot get the state of the readers: %w", err)
	}
	return states, nil
}

// wait returns when something is no longer as in states, or after timeout (forever: never). It names readers
// that were seen to be gone: they may be back by the next list.
func (m *monitor) wait(states []scard.ReaderState, timeout time.Duration) (gone []string, err error) {
	watched := make([]scard.ReaderState, 0, len(states)+1)
	for _, state := range states {
		// StateChanged means nothing here, but keeps the state from being StateUnaware: such a wait would
		// return at once, for ever.
		current := state.EventState&watchedStates | scard.StateChanged
		watched = append(watched, scard.ReaderState{Reader: state.Reader, CurrentState: current})
	}
	watched = append(watched, scard.ReaderState{Reader: pnpReader, CurrentState: m.pnp})
	err = m.context.GetStatusChange(watched, timeout)
	if errors.Is(err, scard.ErrInvalidParameter) && len(states) > 0 {
		// pcsc-lite before 2.5.0 takes 16 entries in all: there is no room for a notification, but none for
		// a further reader either.
		err = m.context.GetStatusChange(watched[:len(states)], timeout)
	}
	switch {
	case err == nil:
		m.pnp = watched[len(states)].EventState &^ scard.StateChanged
		return vanished(watched), nil
	case errors.Is(err, scard.ErrTimeout), errors.Is(err, scard.ErrUnknownReader), errors.Is(err, scard.ErrCancelled):
		return nil, nil
	default:
		return nil, fmt.Errorf("cannot wait for a change of the readers: %w", err)
	}
}

// vanished names the readers that pcscd no longer knew.
func vanished(states []scard.ReaderState) []string {
	var names []string
	for _, state := range states {
		if state.EventState&scard.StateUnknown != 0 {
			names = append(names, state.Reader)
		}
	}
	return names
}
