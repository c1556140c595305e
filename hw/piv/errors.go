package piv

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
)

// What can be wrong. Errors of this package wrap one of these, and the key's hw.Status where it was the key that
// refused.
var (
	// ErrNoApplet: there is no PIV application on the card, or it is disabled.
	ErrNoApplet = errors.New("no PIV application on this key")
	// ErrNoSlot: no retired slot has a certificate with age-plugin-yubikey's mark.
	ErrNoSlot = errors.New("no escrow slot on this key")
	// ErrForeignSlot: the slot has another key, or a certificate without that mark.
	ErrForeignSlot = errors.New("this slot is not the escrow's")
	// ErrUnfinished: the slot is one that Enroll did not get done with. It wraps ErrForeignSlot.
	ErrUnfinished = fmt.Errorf("%w: its set-up was broken off", ErrForeignSlot)
	// ErrNotSupported: the key has no such command.
	ErrNotSupported = errors.New("the key does not support this")
	// ErrRejected: the key refused, for a reason that it does not name.
	ErrRejected = errors.New("the key refused")

	// ErrPINForm: no PIN can look like that. It was not sent to the key.
	ErrPINForm = errors.New("a PIN has 6 to 8 characters")
	// ErrWrongPIN: the key does not accept the PIN; the PINError around it has the tries left.
	ErrWrongPIN = errors.New("wrong PIN")
	// ErrLastTry: only one try is left, and this program does not use it up.
	ErrLastTry = errors.New("only one try is left for the PIN")
	// ErrPINBlocked: no try is left.
	ErrPINBlocked = errors.New("the PIN is blocked")
	// ErrWrongPUK, ErrLastPUKTry and ErrPUKBlocked: the same of the PUK, in a PINError.
	ErrWrongPUK   = errors.New("wrong PUK")
	ErrLastPUKTry = errors.New("only one try is left for the PUK")
	ErrPUKBlocked = errors.New("the PUK is blocked")
	// ErrStillVerified: the PIN was taken, and no other application could be selected to have it forgotten.
	ErrStillVerified = errors.New("the key still takes the PIN as entered")

	// ErrTouchTimeout: nobody touched the key in time.
	ErrTouchTimeout = errors.New("the key was not touched in time")
)

// What can be wrong with setting up a slot, besides the above.
var (
	// ErrTooOld: the firmware has no retired slots or no touch policies.
	ErrTooOld = errors.New("the key's firmware is too old for an escrow slot")
	// ErrFull: all twenty retired slots are taken.
	ErrFull = errors.New("no retired slot is free")
	// ErrManagementKey: the management key is neither the one that was given, nor kept on the key
	// behind the PIN, nor the factory's.
	ErrManagementKey = errors.New("the key does not accept the management key")
	// ErrNotBehindPCSCD: pcscd knows no reader of that name.
	ErrNotBehindPCSCD = errors.New("the key is not behind pcscd")
	// ErrOtherKey: the key in the reader is not the one that was meant.
	ErrOtherKey = errors.New("another key is in the reader")
	// ErrSlotTaken: the slot is not free any more.
	ErrSlotTaken = errors.New("the slot is taken")
	// ErrPrinted: where the management key would be kept there is something of another program.
	ErrPrinted = errors.New("another program keeps something where the management key would go")
)

// PINError is a PIN or PUK that was not accepted, or not tried.
type PINError struct {
	// Reason is ErrWrongPIN, ErrLastTry or ErrPINBlocked, or those of the PUK.
	Reason error
	// Tries is how many are left. Where there are 15 or more, it is 15: the status word has no room for more.
	Tries int
}

// Error says what is wrong, and how many tries are left.
func (e *PINError) Error() string {
	switch {
	case e.Reason != ErrWrongPIN && e.Reason != ErrWrongPUK:
		return e.Reason.Error()
	case e.Tries == 1:
		return fmt.Sprintf("%v, 1 try is left", e.Reason)
	}
	return fmt.Sprintf("%v, %d tries are left", e.Reason, e.Tries)
}

// Unwrap returns the reason.
func (e *PINError) Unwrap() error { return e.Reason }

// pinError is a PINError with what the user can do about it.
func pinError(reason error, tries int) error {
	err := &PINError{Reason: reason, Tries: tries}
	switch reason {
	case ErrLastTry:
		return hw.WithHint(err, "verify the PIN with another program first, which sets the tries back: ykman piv access change-pin")
	case ErrPINBlocked:
		return hw.WithHint(err, "unblock it with the PUK: ykman piv access unblock-pin")
	case ErrLastPUKTry, ErrPUKBlocked:
		return hw.WithHint(err, "leave the PUK as it is; the PIN works without it")
	}
	return err
}

// meaning gives a status word its meaning; other errors stay as they are.
func meaning(err, refusal error) error {
	if !refused(err) {
		return err
	}
	return fmt.Errorf("%w (%w)", refusal, err)
}
