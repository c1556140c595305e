// Package oath knows what an OATH account is and how its codes are computed: HOTP (RFC 4226), TOTP
// (RFC 6238) and Steam's variant of it, on buffers that are wiped.
//
// It is the bottom of the house: standard library only, no card, no file, no clock.
package oath

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Type is the kind of moving factor, with the value it has in an OATH applet's type|algorithm byte.
type Type byte

// The types of YKOATH, "PUT".
const (
	HOTP Type = 0x10
	TOTP Type = 0x20
)

// String returns "hotp" or "totp", as otpauth URIs spell them.
func (t Type) String() string {
	switch t {
	case HOTP:
		return "hotp"
	case TOTP:
		return "totp"
	}
	return fmt.Sprintf("type %#02x", byte(t))
}

// ParseType reads "hotp" or "totp" in any case.
func ParseType(s string) (Type, error) {
	switch strings.ToLower(s) {
	case "hotp":
		return HOTP, nil
	case "totp":
		return TOTP, nil
	}
	return 0, fmt.Errorf("unknown type %q: it is totp or hotp", s)
}

// MarshalText writes the name that String returns.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what ParseType reads.
func (t *Type) UnmarshalText(b []byte) (err error) {
	*t, err = ParseType(string(b))
	return err
}

// DefaultPeriod is the time step in seconds where none is named (RFC 6238, section 4.1), and the
// one period that an OATH applet's credential ids do not spell out.
const DefaultPeriod = 30

// MaxIDLen is the longest credential id in bytes that an OATH applet takes (YKOATH, "PUT").
const MaxIDLen = 64

// maxPeriod is a day: the field knows no longer step, and a proof's fixed step stays in the past for it.
const maxPeriod = 24 * 60 * 60

// The reasons for which an account cannot live on a key; the errors of Validate wrap them.
var (
	ErrName      = errors.New("unusable name")
	ErrNameLong  = errors.New("name too long")
	ErrDigits    = errors.New("unusable number of digits")
	ErrPeriod    = errors.New("unusable period")
	ErrAlgorithm = errors.New("unknown algorithm")
)

// Account is one credential's public half: everything but the seed.
type Account struct {
	Issuer    string
	Name      string
	Type      Type
	Algorithm Algorithm
	// Digits is the length of a code: 6, 7 or 8. Steam's codes have 5 characters, and Digits 6.
	Digits int
	// Period is the length of a time step in seconds; 0 for HOTP.
	Period int
}

// ID returns the credential id that stands for the account on a key: "[period/]issuer:name", the
// period only for TOTP and only if it is not 30 (yubikey-manager, yubikit/oath.py).
func (a Account) ID() string {
	id := a.Label()
	if a.Type == TOTP && a.Period != DefaultPeriod {
		id = strconv.Itoa(a.Period) + "/" + id
	}
	return id
}

// Label returns "issuer:name", or the name alone where there is no issuer.
func (a Account) Label() string {
	if a.Issuer == "" {
		return a.Name
	}
	return a.Issuer + ":" + a.Name
}

// Steam reports whether codes are to be written in Steam's alphabet: the issuer is exactly "Steam",
// the mark that Yubico Authenticator uses too.
func (a Account) Steam() bool { return a.Issuer == "Steam" && a.Type == TOTP }

// Validate returns an error that names the first thing that a key could not hold. It also refuses
// names that would come back from a key as another account.
func (a Account) Validate() error {
	if a.Type != TOTP && a.Type != HOTP {
		return fmt.Errorf("%s is neither totp nor hotp", a.Type)
	}
	if !a.Algorithm.Valid() {
		return fmt.Errorf("%w %d", ErrAlgorithm, a.Algorithm)
	}
	if a.Digits < 6 || a.Digits > 8 {
		return fmt.Errorf("%w: %d, a key holds 6, 7 or 8", ErrDigits, a.Digits)
	}
	if a.Type == TOTP && (a.Period < 1 || a.Period > maxPeriod) {
		return fmt.Errorf("%w: %d seconds, it is 1 to %d", ErrPeriod, a.Period, maxPeriod)
	}
	if a.Type == HOTP && a.Period != 0 {
		return fmt.Errorf("%w: an HOTP account has none", ErrPeriod)
	}
	return a.validateName()
}

func (a Account) validateName() error {
	if a.Name == "" {
		return fmt.Errorf("%w: it is empty", ErrName)
	}
	for _, s := range []string{a.Issuer, a.Name} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: it is not UTF-8", ErrName)
		}
		if i := strings.IndexFunc(s, unprintable); i >= 0 {
			return fmt.Errorf("%w: control character at byte %d of %q", ErrName, i, s)
		}
	}
	if n := len(a.ID()); n > MaxIDLen {
		return fmt.Errorf("%w: %q takes %d bytes on a key, %d fit", ErrNameLong, a.ID(), n, MaxIDLen)
	}
	if got := ParseID(a.Type, a.ID()); got.Issuer != a.Issuer || got.Name != a.Name {
		return fmt.Errorf("%w: a key would give %q back as issuer %q, name %q", ErrName, a.ID(), got.Issuer, got.Name)
	}
	return nil
}

// unprintable holds for control characters and for the invisible ones that turn text around, with
// which one name can look like another.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// totpID is compiled when it is first used: oathctl, which never does, would pay for it at each start.
var totpID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:(\d+)/)?(?:([^:]+):)?(.+)$`) })

// ParseID splits a credential id as found on a key. It never fails: what has no form is a name.
// Algorithm and Digits are left at zero, for they do not stand in the id.
func ParseID(t Type, id string) Account {
	if t == HOTP {
		return parseHOTPID(id)
	}
	a := Account{Type: t, Period: DefaultPeriod, Name: id}
	m := totpID().FindStringSubmatch(id)
	if m == nil {
		return a
	}
	if m[1] != "" {
		period, err := strconv.Atoi(m[1])
		if err != nil || period < 1 || period > maxPeriod {
			return a
		}
		a.Period = period
	}
	a.Issuer, a.Name = m[2], m[3]
	return a
}

// parseHOTPID splits at the first ':' that is not the first character (yubikit/oath.py, _parse_cred_id).
func parseHOTPID(id string) Account {
	if i := strings.Index(id, ":"); i > 0 {
		return Account{Type: HOTP, Issuer: id[:i], Name: id[i+1:]}
	}
	return Account{Type: HOTP, Name: id}
}
