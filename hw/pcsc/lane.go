package pcsc

import (
	"bytes"
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
	session *session // nil before the first use and after it broke
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
	t := &transaction{card: card, current: current, reader: l.reader}
	if err := work(t); err != nil {
		return err
	}
	return t.check()
}

// begin returns a card that is connected and inside a transaction.
func (l *lane) begin() (*card, error) {
	card, err := l.connect()
	if err != nil {
		return nil, err
	}
	err = card.begin()
	for attempt := 1; errors.Is(err, scard.ErrResetCard) && attempt < beginAttempts; attempt++ {
		if err = card.reconnect(); err == nil {
			err = card.begin()
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
func (l *lane) connect() (*card, error) {
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

func (l *lane) tryConnect() (*card, error) {
	if l.session == nil {
		fresh, err := newSession()
		if err != nil {
			return nil, err
		}
		l.session = fresh
	}
	return l.session.connect(l.reader)
}

// end leaves the card as it is, for others. That it fails after a removal is no loss: what work
// learned, it learned before.
func (l *lane) end(card *card) {
	_ = card.end()
	l.disconnect(card)
}

// disconnect closes the card. Where that fails libpcsclite keeps the handle in the context for ever,
// so the context goes with it.
func (l *lane) disconnect(card *card) {
	if err := card.disconnect(); err != nil {
		l.drop()
	}
}

// drop gives the context back, if there is one. The mutex is held.
func (l *lane) drop() {
	if l.session != nil {
		_ = l.session.release() // without pcscd there is nothing to release
		l.session = nil
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
type transaction struct {
	card    *card
	reader  string
	current func(counter uint16) bool
	checked bool
}

// check makes sure, once, that it is the card that is meant. Inside our own transaction nobody can make this call wait.
func (t *transaction) check() error {
	if t.checked {
		return nil
	}
	counter, err := t.card.counter()
	if err != nil {
		return explain("reach the key in "+t.reader, err)
	}
	if !t.current(counter) {
		return fmt.Errorf("cannot reach the key that was in %s: %w", t.reader, hw.ErrRemoved)
	}
	t.checked = true
	return nil
}

// The commands that may come before check, for a code is not to wait for it: SELECT, and the OATH applet's CALCULATE.
// Neither changes a card, whosoever it is, and who gets a code looks at SELECT's answer, which says which key it is.
const (
	insSelect    = 0xa4
	insCalculate = 0xa2
)

// Transmit is hw.Card's. What the buffer holds of the answer is wiped, since answers can be codes; libpcsclite's own buffers
// are out of reach.
func (t *transaction) Transmit(command []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, errors.New("cannot send an empty command to the key")
	}
	if len(command) < 2 || command[1] != insSelect && command[1] != insCalculate {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	answer, err := t.card.transmit(command)
	if err == nil && len(answer) == 0 {
		// So do some drivers, vsmartcard's too, when the card is gone before it has answered.
		err = scard.ErrNotTransacted
	}
	if err != nil {
		return nil, explain("send a command to the key", err)
	}
	defer oath.Wipe(answer)
	return bytes.Clone(answer), nil
}
