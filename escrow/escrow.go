// Package escrow owns the vault: encrypted copies of seeds and runbooks, and the keys, paper and passphrase
// that open it. It is a library without files or clock; the agent keeps what it returns.
//
// The vault has one X25519 key of age, the vault key. Its public half encrypts every payload, so that adding an
// account needs no unlock. Its secret half is a text that age can use as an identity file, and is itself an age
// file for the recipients: PIV slots of security keys and printed recovery keys; and, because age lets a
// passphrase stand only alone, a second file for the passphrase. Everything here can be opened with age alone.
//
// The formats are texts: a first line "oathd KIND VERSION", then "field: value" lines in a fixed order. Their
// readers write again what they understood and compare, so that there is one form of everything and a changed
// byte is noticed.
package escrow

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The reasons for which something cannot be opened or made; the errors of this package wrap them.
var (
	// ErrNewer: a format version that this oathd does not know.
	ErrNewer = errors.New("made by a newer oathd")
	// ErrDamaged: bytes were changed, cut off or added.
	ErrDamaged = errors.New("damaged")
	// ErrForeign: a payload that another vault's key, or an earlier key of this vault, opens. Damage in the few
	// bytes of its header that wrap its key looks the same.
	ErrForeign = errors.New("encrypted to another vault key")
	// ErrReplaced: the public key that payloads are encrypted to is not that of the secret key inside. Who put it
	// there can read every seed that was added since.
	ErrReplaced = errors.New("the vault's public key was replaced")
	// ErrTampered: the list of recipients was changed without the vault key.
	ErrTampered = errors.New("the list of recipients was changed outside oathd")
	// ErrNoRecipient: the key, paper or passphrase is none that this vault was encrypted to.
	ErrNoRecipient = errors.New("not a recipient of this vault")
	// ErrWrongPassphrase: there is a passphrase, and it is another one.
	ErrWrongPassphrase = errors.New("wrong passphrase")
	// ErrPassphraseNeeded: the vault keeps a passphrase, and what is to be done cannot do without it.
	ErrPassphraseNeeded = errors.New("the passphrase is needed for it")
	// ErrMistyped: a recovery key whose check digits are wrong.
	ErrMistyped = errors.New("mistyped")
	// ErrRecipients: a list of recipients that a vault cannot have.
	ErrRecipients = errors.New("unusable recipients")
	// ErrClosed: a vault that was unlocked, and closed since.
	ErrClosed = errors.New("the vault is locked again")
)

// MismatchError says in which field a payload differs from the entry that it was opened as: two rows were
// swapped, or one was edited.
type MismatchError struct {
	// Field is the payload's word for it: "account", "issuer", "digits", ….
	Field     string
	Want, Got string
}

// Error names the field and both values, none of which is secret.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("it belongs to something else: its %s is %q, not %q", e.Field, e.Got, e.Want)
}

// version is that of every format of this package.
const version = 1

// maxFirstLine is more than any text of ours has in its first line.
const maxFirstLine = 40

// idLen is the length of a vault's and an account's id.
const idLen = 10

// validID reports whether s is an id: 10 characters of lower-case base32, fit for a file's name.
func validID(s string) bool {
	return len(s) == idLen && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// checkFirst compares a text's first line with the one that it should have.
func checkFirst(got, want string) error {
	if got == want {
		return nil
	}
	kind := strings.TrimSuffix(want, strconv.Itoa(version))
	number, ours := strings.CutPrefix(got, kind)
	if n, err := strconv.Atoi(number); ours && err == nil && n > version {
		return fmt.Errorf("%w: its version is %d, this oathd knows %d", ErrNewer, n, version)
	}
	return damaged("it does not begin with %q", want)
}

// afterHeader returns what follows header in text. An error names the first line that differs; of the text it
// shows the value of the same field at most, for a secret may stand in any other place.
func afterHeader(text []byte, header string) ([]byte, error) {
	first, _, _ := strings.Cut(header, "\n")
	if err := checkFirst(string(firstLine(text[:min(len(text), maxFirstLine)])), first); err != nil {
		return nil, err
	}
	for want := range strings.Lines(header) {
		if !bytes.HasPrefix(text, []byte(want)) {
			return nil, differs(firstLine(text), want)
		}
		text = text[len(want):]
	}
	return text, nil
}

// differs says how a line is not the one that was wanted.
func differs(got []byte, want string) error {
	want, whole := strings.CutSuffix(want, "\n")
	field, value, named := strings.Cut(want, ": ")
	gotValue, sameField := bytes.CutPrefix(got, []byte(field+": "))
	if !whole || !named || !sameField {
		return damaged("there is no %q where it should be", field)
	}
	return &MismatchError{Field: field, Want: value, Got: string(gotValue)}
}

// firstLine returns text up to its first line break.
func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}
