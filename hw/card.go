// Package hw is the seam between oathd and security keys: a card that answers APDUs, what is plugged
// in where, and what a status word says. It knows no applet and no reader; hw/pcsc and hw/softkey
// provide cards, hw/ykoath and its sisters use them.
package hw

import (
	"errors"
	"fmt"
)

// Card is a card inside a transaction: nobody else reaches it until the transaction ends.
//
// Transmit sends one command APDU and returns the response, data and status word, as it came from
// the card; the caller owns the bytes and may wipe them. A status word other than 9000 is not an
// error here. An error means that the transaction is over: it wraps ErrRemoved, ErrReset or
// ErrUnavailable where the cause is known. Transmit cannot be cancelled (PC/SC has no such call), so it may
// block for as long as a key waits for a touch.
type Card interface {
	Transmit(command []byte) ([]byte, error)
}

// The reasons for which a card cannot be reached.
var (
	// ErrRemoved: the key was pulled out, or the reader is gone.
	ErrRemoved = errors.New("the key was removed")
	// ErrReset: another program, or the reader, reset the card in the middle. A new transaction works.
	ErrReset = errors.New("the key was reset by another program")
	// ErrHeld: another program holds the card exclusively.
	ErrHeld = errors.New("another program holds the key exclusively")
	// ErrRefused: the PC/SC service does not let this session use cards (polkit).
	ErrRefused = errors.New("the PC/SC service refuses access to this session")
	// ErrUnavailable: there is no PC/SC service to talk to.
	ErrUnavailable = errors.New("the PC/SC service is not running")
	// ErrMalformed: the card's answer cannot be an answer: too short, too long, or a chain without end.
	ErrMalformed = errors.New("malformed answer from the key")
)

// Slot is one reader with a card in it.
type Slot struct {
	// Reader is the reader's name as PC/SC gives it. It is for display and for finding the card,
	// never for telling what kind of key it is.
	Reader string
	// Insertion tells one insertion into the same reader from the next.
	Insertion uint64
	// ATR is the card's answer to reset.
	ATR []byte
	// Exclusive says that a program had the card for itself when it was looked at. That may change without anybody being told.
	Exclusive bool
}

// Contactless reports whether the ATR is one of a contactless reader. A USB key's format byte has
// all four interface bits set (yubikey-manager, ykman/pcsc, "ATR[1] & F0 == F0").
func (s Slot) Contactless() bool { return len(s.ATR) > 1 && s.ATR[1]&0xf0 != 0xf0 }

// Same reports whether both are the same insertion.
func (s Slot) Same(t Slot) bool { return s.Reader == t.Reader && s.Insertion == t.Insertion }

// Inventory is what is plugged in at one moment.
type Inventory struct {
	// Slots lists the readers that hold a card, in the order of the PC/SC service.
	Slots []Slot
	// Readers counts all readers, empty ones too.
	Readers int
	// Trouble says why nothing can be seen, as when there is no PC/SC service; nil when all is well.
	Trouble error
}

// HintedError is an error that knows what the user can do about it.
type HintedError struct {
	Err  error
	Hint string
}

// Error returns the text of the error, without the hint.
func (e *HintedError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *HintedError) Unwrap() error { return e.Err }

// Hint returns the hint of the first error in err's chain that has one, or "".
func Hint(err error) string {
	if h, ok := errors.AsType[*HintedError](err); ok {
		return h.Hint
	}
	return ""
}

// WithHint adds what the user can do about err.
func WithHint(err error, format string, args ...any) error {
	return &HintedError{Err: err, Hint: fmt.Sprintf(format, args...)}
}
