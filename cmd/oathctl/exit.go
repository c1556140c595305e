package main

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/ipc/api"
)

// The exit statuses, which scripts rely on.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3 // or ambiguous
	exitKeyAbsent   = 4
	exitTouch       = 5
	exitLocked      = 6
	exitPartly      = 7 // fewer copies than asked for
	exitProofFailed = 8
)

// statuses has every error code of the API; a test sees to that.
var statuses = map[api.ErrorCode]int{
	api.CodeInternal:      exitError,
	api.CodeBadRequest:    exitUsage,
	api.CodeForbidden:     exitError,
	api.CodeTooLarge:      exitError,
	api.CodeNotFound:      exitNotFound,
	api.CodeAmbiguous:     exitNotFound,
	api.CodeKeyAbsent:     exitKeyAbsent,
	api.CodeKeyRemoved:    exitKeyAbsent,
	api.CodeKeyHeld:       exitError,
	api.CodeNotAdopted:    exitError,
	api.CodeLocked:        exitLocked,
	api.CodeWrongPassword: exitLocked,
	api.CodeTouchTimeout:  exitTouch,
	api.CodeExists:        exitError,
	api.CodeExistsSame:    exitError,
	api.CodeFull:          exitError,
	api.CodeNotSupported:  exitError,
	api.CodeProofFailed:   exitProofFailed,
	api.CodeLastCopy:      exitError,
	api.CodeClock:         exitError,
	api.CodeNoPCSC:        exitError,
	api.CodeRefused:       exitError,
	api.CodeLedger:        exitError,
	api.CodeBusy:          exitError,
	api.CodeCardError:     exitError,
	api.CodeNoDaemon:      exitError,
	api.CodeCanceled:      exitError,
	api.CodeConflict:      exitError,
	api.CodeNoEscrow:      exitError,
	api.CodeEscrow:        exitError,
	api.CodeNoKeyring:     exitError,
	api.CodePINBlocked:    exitLocked,
	api.CodeAWS:           exitError,
}

// exitStatus returns the status that err stands for.
func exitStatus(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[ended](err); ok {
		return int(e)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if status, ok := statuses[api.CodeOf(err)]; ok {
		return status
	}
	return exitError // a code that this version does not know
}

// ended is the error of a verb that has said all there is to say: only the exit status is left.
type ended int

// Error says what nobody is meant to read.
func (e ended) Error() string { return fmt.Sprintf("ended with exit status %d", int(e)) }

// usageError is a mistake on the command line.
type usageError struct {
	message string
	hint    string
}

// Error returns the message.
func (e *usageError) Error() string { return e.message }

func usagef(hint, format string, args ...any) error {
	return &usageError{message: fmt.Errorf(format, args...).Error(), hint: hint}
}

// reportError returns what a report means for the exit status: nil if all is there, else ended.
func reportError(r api.Report) error {
	var first *api.Error
	proved := 0
	for _, account := range r.Accounts {
		proved += account.Proved
		for _, o := range account.Outcomes {
			if o.State == api.CopyMismatch || o.Error != nil && o.Error.Code == api.CodeProofFailed {
				return ended(exitProofFailed)
			}
			if first == nil {
				first = o.Error
			}
		}
	}
	switch {
	case r.Complete:
		return nil
	case proved == 0 && first != nil:
		return ended(exitStatus(first)) // nothing is done, and this is why
	}
	return ended(exitPartly)
}
