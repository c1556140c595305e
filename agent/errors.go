package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
)

// errSwapped says that the applet is not the one that the worker has looked at.
var errSwapped = errors.New("another program reset the key, or another key is in the reader now")

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
	{errSwapped, api.CodeKeyRemoved, "repeat the command; \"oathctl keys\" shows what is plugged in"},
	{hw.ErrRemoved, api.CodeKeyRemoved, "plug the key in again; then \"oathctl resume\" says what is left to do"},
	{hw.ErrReset, api.CodeKeyRemoved, "repeat the command"},
	{hw.ErrHeld, api.CodeKeyHeld, "close the program that uses the key (for GnuPG: put \"disable-ccid\" and \"pcsc-shared\" into scdaemon.conf, then \"gpgconf --kill scdaemon\")"},
	{hw.ErrRefused, api.CodeRefused, "log in at the machine itself, or let your user use the PC/SC service (polkit)"},
	{hw.ErrUnavailable, api.CodeNoPCSC, "start the PC/SC service, e.g. with \"sudo systemctl start pcscd.socket\""},
	{hw.ErrMalformed, api.CodeCardError, "unplug the key, plug it in again and repeat the command"},
	{ykoath.ErrNoApplet, api.CodeNotSupported, "switch the OATH application on, e.g. with \"ykman config usb --enable OATH\""},
	{ykoath.ErrLocked, api.CodeLocked, "run \"oathctl password unlock KEY\""},
	{ykoath.ErrWrongPassword, api.CodeWrongPassword, "try again: a key does not count wrong passwords"},
	{ykoath.ErrImpostor, api.CodeProofFailed, "this may be a copy of your key that somebody made: look at it"},
	{ykoath.ErrTouchTimeout, api.CodeTouchTimeout, "repeat the command and touch the key while it blinks"},
	{ykoath.ErrNoSuchCredential, api.CodeNotFound, "another program changed the key: run \"oathctl verify\""},
	{ykoath.ErrFull, api.CodeFull, "remove an account from the key, or use another key"},
	{ykoath.ErrExists, api.CodeExists, "choose another name"},
	{ykoath.ErrNotSupported, api.CodeNotSupported, "use a key with newer firmware"},
	{ykoath.ErrCorrupt, api.CodeCardError, "remove the account from the key and add it again; if that fails, the key is broken"},
	{ykoath.ErrRejected, api.CodeCardError, "unplug the key, plug it in again and repeat the command"},
	{context.Canceled, api.CodeCanceled, "repeat the command"},
	{context.DeadlineExceeded, api.CodeCanceled, "repeat the command"},
}

// cardError explains an error that came from working with a key: what could not be done, and why in the words of the
// first meaning that it has. What the layers between said on the way is left out, but for the status word.
func cardError(err error, format string, args ...any) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	for _, m := range meanings {
		if !errors.Is(err, m.err) {
			continue
		}
		e := refuse(m.code, hw.Hint(err), format, args...)
		e.Message += ": " + m.err.Error()
		if status, ok := errors.AsType[hw.Status](err); ok && m.code == api.CodeCardError {
			e.Message += " (" + status.Error() + ")"
		}
		if e.Hint == "" {
			e.Hint = m.hint
		}
		return e
	}
	e := wrap(api.CodeCardError, err, format, args...)
	if e.Hint == "" {
		e.Hint = "unplug the key, plug it in again and repeat the command"
	}
	return e
}

// gone reports whether err means that the key left, or has to be looked at again, so that it may come back.
func gone(err error) bool {
	return errors.Is(err, hw.ErrRemoved) || errors.Is(err, hw.ErrReset) || errors.Is(err, errSwapped)
}

// lockedKey says that a key's password is needed before something can be done.
func lockedKey(label, format string, args ...any) *api.Error {
	return refuse(api.CodeLocked, fmt.Sprintf("run \"oathctl password unlock %s\"", label), format, args...)
}

// notAdopted says that a key has to be adopted before something can be done.
func notAdopted(label, format string, args ...any) *api.Error {
	return refuse(api.CodeNotAdopted, fmt.Sprintf("run \"oathctl key adopt %s\"", label), format, args...)
}
