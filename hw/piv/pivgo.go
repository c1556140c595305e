package piv

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oathd/oathd/hw"
)

// pcscMeanings says what libpcsclite's errors mean. piv-go has them as texts only (piv/pcsc_errors.go).
var pcscMeanings = []struct {
	text    string
	meaning error
}{
	{"because of other connections outstanding", hw.ErrHeld},
	{"smart card has been removed", hw.ErrRemoved},
	{"no Smart Card is currently in the device", hw.ErrRemoved},
	{"reader name is not recognized", hw.ErrRemoved},
	{"reader is not currently available", hw.ErrRemoved},
	{"attempt was made to end a non-existent transaction", hw.ErrRemoved},
	{"communications error with the smart card", hw.ErrRemoved},
	{"supplied handle was invalid", hw.ErrRemoved},
	{"scard response too short", hw.ErrRemoved}, // so do some drivers when the card is gone
	{"smart card has been reset", hw.ErrReset},
	{"security violation", hw.ErrRefused},
	{"resource manager is not running", hw.ErrUnavailable},
	{"resource manager has shut down", hw.ErrUnavailable},
	{"internal communications error", hw.ErrUnavailable},
}

// statusError is piv-go's error for a status word, which it does not export.
type statusError interface {
	error
	Status() uint16
}

// explain says what could not be done, with the meaning of piv-go's error; nil for nil.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	for _, m := range pcscMeanings {
		if strings.Contains(err.Error(), m.text) {
			return hinted(fmt.Errorf("cannot %s: %w (%v)", what, m.meaning, err))
		}
	}
	if status := statusOf(err); status != 0 {
		return fmt.Errorf("cannot %s: %w (%w)", what, ErrRejected, status)
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

func hinted(err error) error {
	if errors.Is(err, hw.ErrHeld) {
		return hw.WithHint(err, "setting up takes the key for itself for some seconds: close the programs that use it; if it is GnuPG: gpgconf --kill scdaemon")
	}
	return err
}

// broken reports whether it is the way to the key that failed, and not the key that refused.
func broken(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "transmitting request") || strings.Contains(err.Error(), "response too short"))
}

// statusOf returns the status word with which the key refused, 0 if it did not.
func statusOf(err error) hw.Status {
	if s, ok := errors.AsType[statusError](err); ok {
		return hw.Status(s.Status())
	}
	return 0
}
