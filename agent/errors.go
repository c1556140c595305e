package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
)

// errSwapped says that another key answers where the worker's was.
var errSwapped = errors.New("another key is in the reader now")

// refuse makes an error for people: the message says what cannot be done, the hint what to do next.
func refuse(code api.ErrorCode, hint, format string, args ...any) *api.Error {
	return &api.Error{Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)}
}

// wrap makes an API error of one from below; a hint that it carries is kept.
func wrap(code api.ErrorCode, err error, format string, args ...any) *api.Error {
	return &api.Error{Code: code, Hint: hw.Hint(err), Message: fmt.Sprintf(format, args...) + ": " + err.Error()}
}

// meanings says what the errors of cards are called on the wire, and what the user does about them.
var meanings = []struct {
	err  error
	code api.ErrorCode
	hint string
}{
	{errSwapped, api.CodeKeyRemoved, "plug the key in again and repeat the command"},
	{hw.ErrRemoved, api.CodeKeyRemoved, "plug the key in again; then \"oathctl resume\" says what is left to do"},
	{hw.ErrReset, api.CodeKeyRemoved, "repeat the command"},
	{hw.ErrHeld, api.CodeKeyHeld, "close the program that uses the key (for GnuPG: put \"disable-ccid\" and \"pcsc-shared\" into scdaemon.conf, then \"gpgconf --kill scdaemon\")"},
	{hw.ErrRefused, api.CodeRefused, ""},
	{hw.ErrUnavailable, api.CodeNoPCSC, ""},
	{hw.ErrMalformed, api.CodeCardError, "unplug the key, plug it in again and repeat the command"},
	{ykoath.ErrNoApplet, api.CodeNotSupported, "switch the OATH application on, e.g. with \"ykman config usb --enable OATH\""},
	{ykoath.ErrLocked, api.CodeLocked, "run \"oathctl password unlock KEY\""},
	{ykoath.ErrWrongPassword, api.CodeWrongPassword, "try again: a key does not count wrong passwords"},
	{ykoath.ErrTouchTimeout, api.CodeTouchTimeout, "repeat the command and touch the key while it blinks"},
	{ykoath.ErrNoSuchCredential, api.CodeNotFound, "another program changed the key: run \"oathctl verify\""},
	{ykoath.ErrFull, api.CodeFull, "remove an account from the key, or use another key"},
	{ykoath.ErrExists, api.CodeExists, "choose another name"},
	{ykoath.ErrNotSupported, api.CodeNotSupported, "use a key with newer firmware"},
	{context.Canceled, api.CodeCanceled, ""},
	{context.DeadlineExceeded, api.CodeCanceled, ""},
}

// cardError explains an error that came from working with a key.
func cardError(err error, format string, args ...any) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	for _, m := range meanings {
		if errors.Is(err, m.err) {
			e := wrap(m.code, err, format, args...)
			if e.Hint == "" {
				e.Hint = m.hint
			}
			return e
		}
	}
	return wrap(api.CodeCardError, err, format, args...)
}

// gone reports whether err means that the key left, so that it may come back.
func gone(err error) bool {
	return errors.Is(err, hw.ErrRemoved) || errors.Is(err, errSwapped)
}
