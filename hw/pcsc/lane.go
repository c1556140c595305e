package pcsc

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ebfe/scard"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

// holdWaits are the waits between attempts to connect while another program holds the card
// exclusively: less than two seconds in all, enough for one ykman command, and then it is said.
var holdWaits = []time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	400 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond,
}

// beginAttempts bounds how often a transaction is begun anew because another program reset the card.
const beginAttempts = 3

// lane is the way to the cards in one reader, for one transaction at a time.
type lane struct {
	reader string

	mutex   sync.Mutex
	context *scard.Context // nil before the first use and after it broke
}

// transact runs work in a transaction with the card in the reader, provided that current says of
// pcscd's counter that it is the card that is meant.
func (l *lane) transact(current func(counter uint16) bool, work func(hw.Card) error) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	card, err := l.begin()
	if err != nil {
		return explain("reach the key in "+l.reader, err)
	}
	defer l.end(card)
	// Inside our own transaction nobody can make this call wait.
	status, err := card.Status()
	if err != nil {
		return explain("reach the key in "+l.reader, err)
	}
	if !current(counterOf(uint32(status.State))) {
		return fmt.Errorf("cannot reach the key that was in %s: %w", l.reader, hw.ErrRemoved)
	}
	return work(transaction{card})
}

// begin returns a card that is connected and inside a transaction.
func (l *lane) begin() (*scard.Card, error) {
	card, err := l.connect()
	if err != nil {
		return nil, err
	}
	err = card.BeginTransaction()
	for attempt := 1; errors.Is(err, scard.ErrResetCard) && attempt < beginAttempts; attempt++ {
		if err = card.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.LeaveCard); err == nil {
			err = card.BeginTransaction()
		}
	}
	if err != nil {
		l.disconnect(card)
		return nil, err
	}
	return card, nil
}

// connect opens the card, shared. A context that broke, as it does when pcscd is restarted, is replaced
// once; an exclusive hold of another program is waited for.
func (l *lane) connect() (*scard.Card, error) {
	card, err := l.tryConnect()
	if broken(err) {
		l.drop()
		card, err = l.tryConnect()
	}
	for _, wait := range holdWaits {
		if !errors.Is(err, scard.ErrSharingViolation) {
			break
		}
		time.Sleep(wait)
		card, err = l.tryConnect()
	}
	return card, err
}

func (l *lane) tryConnect() (*scard.Card, error) {
	if l.context == nil {
		fresh, err := scard.EstablishContext()
		if err != nil {
			return nil, err
		}
		l.context = fresh
	}
	card, err := l.context.Connect(l.reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		return nil, err
	}
	// The binding panics when it is to transmit over anything else.
	if protocol := card.ActiveProtocol(); protocol != scard.ProtocolT0 && protocol != scard.ProtocolT1 {
		l.disconnect(card)
		return nil, fmt.Errorf("the card speaks neither T=0 nor T=1 (protocol %d)", protocol)
	}
	return card, nil
}

// end leaves the card as it is, for others. That it fails after a removal is no loss: what work
// learned, it learned before.
func (l *lane) end(card *scard.Card) {
	_ = card.EndTransaction(scard.LeaveCard)
	l.disconnect(card)
}

// disconnect closes the card. Where that fails libpcsclite keeps the handle in the context for ever,
// so the context goes with it.
func (l *lane) disconnect(card *scard.Card) {
	if err := card.Disconnect(scard.LeaveCard); err != nil {
		l.drop()
	}
}

// drop gives the context back, if there is one. The mutex is held.
func (l *lane) drop() {
	if l.context != nil {
		_ = l.context.Release() // without pcscd there is nothing to release
		l.context = nil
	}
}

// abandon gives the context back unless it is in use.
func (l *lane) abandon() {
	if l.mutex.TryLock() {
		defer l.mutex.Unlock()
		l.drop()
	}
}

// transaction is a card inside a transaction.
type transaction struct{ card *scard.Card }

// Transmit is hw.Card's. The binding's buffer of 64 KiB is wiped as far as the answer reached into it,
// since answers can be codes; libpcsclite's own buffers are out of reach.
func (t transaction) Transmit(command []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, errors.New("cannot send an empty command to the key")
	}
	answer, err := t.card.Transmit(command)
	if err == nil && len(answer) == 0 {
		// So do some drivers, vsmartcard's too, when the card is gone before it has answered.
		err = scard.ErrNotTransacted
	}
	if err != nil {
		return nil, explain("send a command to the key", err)
	}
	defer oath.Wipe(answer)
	copied := make([]byte, len(answer))
	copy(copied, answer)
	return copied, nil
}
