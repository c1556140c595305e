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
		err = card.again()
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

// connection is what a transaction needs of a card.
type connection interface {
	transmit(command []byte) ([]byte, error)
	counter() (uint16, error)
	again() error
}

// transaction is a card inside a transaction.
type transaction struct {
	card    connection
	reader  string
	current func(counter uint16) bool
	checked bool
	// begun: a command was sent.
	begun bool
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
	answer, err := t.send(command)
	if err != nil && !t.begun && command[1] == insSelect && t.card.again() == nil {
		answer, err = t.send(command)
	}
	t.begun = true
	if err != nil {
		return nil, explain("send a command to the key", err)
	}
	defer oath.Wipe(answer)
	return bytes.Clone(answer), nil
}

// send transmits a command. The first of a transaction may fail although the card is there: another program that ends and resets the card
// waits for no transaction while it does, and pcscd says only then that there was a reset. Until then the card has no protocol, or no power.
func (t *transaction) send(command []byte) ([]byte, error) {
	answer, err := t.card.transmit(command)
	if err == nil && len(answer) == 0 {
		// So do some drivers, vsmartcard's too, when the card is gone before it has answered.
		err = scard.ErrNotTransacted
	}
	return answer, err
}
