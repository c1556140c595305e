package api

import "errors"

// ErrorCode is the stable name of a kind of error, the same on every front door.
type ErrorCode string

// The error codes.
const (
	CodeInternal      ErrorCode = "internal"
	CodeBadRequest    ErrorCode = "bad_request"    // the request, a name, a seed or a parameter is unusable
	CodeForbidden     ErrorCode = "forbidden"      // another uid, a browser
	CodeTooLarge      ErrorCode = "too_large"      // the body is longer than any honest one
	CodeNotFound      ErrorCode = "not_found"      // no such account, key or route
	CodeAmbiguous     ErrorCode = "ambiguous"      // several match: see Candidates
	CodeKeyAbsent     ErrorCode = "key_absent"     // the key that is needed is not plugged in
	CodeKeyRemoved    ErrorCode = "key_removed"    // it was pulled out, or swapped, in the middle
	CodeKeyHeld       ErrorCode = "key_held"       // another program holds it
	CodeNotAdopted    ErrorCode = "not_adopted"    // a key must be adopted first
	CodeLocked        ErrorCode = "locked"         // the key's password is not known
	CodeWrongPassword ErrorCode = "wrong_password" // it is known to be wrong
	CodeTouchTimeout  ErrorCode = "touch_timeout"  // nobody touched the key
	CodeExists        ErrorCode = "exists"         // the name is taken, with another seed
	CodeExistsSame    ErrorCode = "exists_same"    // the account is there already, with the same seed
	CodeFull          ErrorCode = "full"           // the key has no room
	CodeNotSupported  ErrorCode = "not_supported"  // the key's firmware can't do it
	CodeProofFailed   ErrorCode = "proof_failed"   // the key answered with another seed's HMAC
	CodeLastCopy      ErrorCode = "last_copy"      // it would destroy the last proved copy
	CodeClock         ErrorCode = "clock"          // the clock is before the program's build, or ran past the code
	CodeNoPCSC        ErrorCode = "no_pcsc"        // the PC/SC service is absent
	CodeRefused       ErrorCode = "refused"        // the PC/SC service refuses this session
	CodeLedger        ErrorCode = "ledger"         // the ledger can't be read or written
	CodeBusy          ErrorCode = "busy"           // too many requests at once
	CodeCardError     ErrorCode = "card_error"     // the key answered something unexpected
	CodeNoDaemon      ErrorCode = "no_daemon"      // the client found no daemon
	CodeCanceled      ErrorCode = "canceled"       // the caller gave up
	CodeConflict      ErrorCode = "conflict"       // another operation on the same thing is under way
	CodeNoEscrow      ErrorCode = "no_escrow"      // there is no escrow, or the account is not in it
	CodeEscrow        ErrorCode = "escrow"         // the escrow or a backup is damaged, tampered with, or too new
	CodeNoKeyring     ErrorCode = "no_keyring"     // no keyring remembers passwords: it is absent, locked or silent
	CodePINBlocked    ErrorCode = "pin_blocked"    // the PIN has one try left, or none
	CodeAWS           ErrorCode = "aws"            // AWS refuses, or cannot be reached
)

// Error is an error as it travels: for programs by Code, for people by Message ("cannot …: …") and Hint (the next step).
type Error struct {
	Code       ErrorCode   `json:"code"`
	Message    string      `json:"message"`
	Hint       string      `json:"hint,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
}

// Candidate is one of several things that a name could have meant.
type Candidate struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Note tells candidates with the same label apart.
	Note string `json:"note,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is makes errors.Is(err, &Error{Code: c}) compare codes only.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of the first Error in err's chain, CodeInternal for another error, "" for nil.
func CodeOf(err error) ErrorCode {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// ErrorBody is the body of every response that is an error.
type ErrorBody struct {
	Error *Error `json:"error"`
}
