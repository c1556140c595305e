package piv

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/oath"
)

// The two processes of a set-up speak over the child's standard input and output. In goes one line of JSON, then the
// secrets as bare bytes, one behind the other, in as many bytes as the line says; out come lines of JSON, the last of
// which has a certificate or an error. So no secret is in an argument, the environment, or a text.

// request is the line that goes in.
type request struct {
	Reader  string         `json:"reader"`
	Serial  uint32         `json:"serial,omitempty"`
	Slot    byte           `json:"slot"`
	Name    string         `json:"name,omitempty"`
	Lengths map[string]int `json:"lengths"`
}

// secrets are what goes in behind it. Those that are not there are empty.
type secrets struct {
	pin, management *oath.Secret
}

// each calls do with every secret, in the order in which they go over the pipe.
func (s *secrets) each(do func(name string, secret **oath.Secret) error) error {
	for _, field := range []struct {
		name   string
		secret **oath.Secret
	}{{"pin", &s.pin}, {"management", &s.management}} {
		if err := do(field.name, field.secret); err != nil {
			return err
		}
	}
	return nil
}

func (s *secrets) wipe() {
	_ = s.each(func(_ string, secret **oath.Secret) error {
		(*secret).Wipe()
		return nil
	})
}

// writeRequest sends a request with its secrets, none of which is copied.
func writeRequest(w io.Writer, r request, s secrets) error {
	r.Lengths = make(map[string]int)
	_ = s.each(func(name string, secret **oath.Secret) error {
		r.Lengths[name] = (*secret).Len()
		return nil
	})
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return err
	}
	return s.each(func(_ string, secret **oath.Secret) error {
		_, err := w.Write((*secret).Bytes())
		return err
	})
}

// maxRequestLine bounds the line, and maxSecret what it may announce.
const (
	maxRequestLine = 4 << 10
	maxSecret      = 64
)

// readRequest reads what writeRequest sends. The line is read byte by byte, so that no buffer takes in the secrets
// behind it.
func readRequest(r io.Reader) (request, secrets, error) {
	var in request
	var s secrets
	line, err := readLine(r)
	if err != nil {
		return in, s, err
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return in, s, err
	}
	err = s.each(func(name string, secret **oath.Secret) (err error) {
		n := in.Lengths[name]
		if n < 0 || n > maxSecret {
			return fmt.Errorf("a secret of %d bytes", n)
		}
		*secret, err = oath.ReadSecret(r, n)
		return err
	})
	if err != nil {
		s.wipe()
	}
	return in, s, err
}

func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < maxRequestLine {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if b[0] == '\n' {
			return line, nil
		}
		line = append(line, b[0])
	}
	return nil, errors.New("a line without an end")
}

// reply is a line that comes out.
type reply struct {
	Step        Step       `json:"step,omitempty"`
	Certificate []byte     `json:"certificate,omitempty"`
	Error       *wireError `json:"error,omitempty"`
}

// wireError is an error on its way from the child.
type wireError struct {
	Kind    string `json:"kind,omitempty"` // one of kinds
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Tries   int    `json:"tries,omitempty"`
}

// kinds are the errors that keep their meaning on the way.
var kinds = map[string]error{
	"wrong_pin":         ErrWrongPIN,
	"last_try":          ErrLastTry,
	"pin_blocked":       ErrPINBlocked,
	"touch_timeout":     ErrTouchTimeout,
	"management_key":    ErrManagementKey,
	"not_behind_pcscd":  ErrNotBehindPCSCD,
	"other_key":         ErrOtherKey,
	"slot_taken":        ErrSlotTaken,
	"too_old":           ErrTooOld,
	"no_applet":         ErrNoApplet,
	"rejected":          ErrRejected,
	"held":              hw.ErrHeld,
	"removed":           hw.ErrRemoved,
	"reset":             hw.ErrReset,
	"refused":           hw.ErrRefused,
	"pcscd_unavailable": hw.ErrUnavailable,
}

// encodeError puts an error on the wire.
func encodeError(err error) *wireError {
	w := &wireError{Message: err.Error(), Hint: hw.Hint(err)}
	for kind, meaning := range kinds {
		if errors.Is(err, meaning) {
			w.Kind = kind
		}
	}
	if pin, ok := errors.AsType[*PINError](err); ok {
		w.Tries = pin.Tries
	}
	return w
}

// err takes an error from the wire.
func (w *wireError) err() error {
	var err error = &remoteError{message: w.Message, meaning: kinds[w.Kind]}
	switch meaning := kinds[w.Kind]; meaning {
	case ErrWrongPIN, ErrLastTry, ErrPINBlocked:
		err = &remoteError{message: w.Message, meaning: &PINError{Reason: meaning, Tries: w.Tries}}
	}
	if w.Hint != "" {
		return hw.WithHint(err, "%s", w.Hint)
	}
	return err
}

// remoteError is what the child said, and what it means.
type remoteError struct {
	message string
	meaning error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.meaning }
