// Package otpauth owns the otpauth URI, the form in which services hand out seeds as QR codes
// (Google Authenticator's wiki, "Key Uri Format"; yubikey-manager, yubikit/oath.py, parse_uri).
//
// The seed never becomes a string: the URI is read from bytes that the caller can wipe, and the seed
// goes from there into an oath.Secret. No error holds any part of it.
package otpauth

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/oathd/oathd/oath"
)

// Entry is one account with its seed, as a URI describes it.
type Entry struct {
	Account oath.Account
	// Seed belongs to whoever has the Entry, and is wiped by Wipe.
	Seed *oath.Secret
	// Counter is an HOTP account's next counter; 0 for TOTP.
	Counter uint32
}

// Wipe wipes the seed.
func (e Entry) Wipe() { e.Seed.Wipe() }

// MaxLen is the longest URI in bytes that is read: more than a QR code holds (2,953 bytes).
const MaxLen = 4096

// ErrMigration is Google Authenticator's export of several accounts in one code.
var ErrMigration = errors.New("it is an export of Google Authenticator, not one account")

var (
	scheme    = []byte("otpauth://")
	migration = []byte("otpauth-migration:")
)

// Is reports whether text begins as an otpauth URI does.
func Is(text []byte) bool { return hasPrefixFold(text, scheme) }

// Parse reads one URI; space around it is ignored, and uri still belongs to the caller. What is
// missing has the usual defaults (SHA1, 6 digits, 30 seconds, counter 0); whatever cannot be meant as
// it stands is an error, and so is a parameter that is there twice. Unknown parameters are ignored.
//
// The parameter "issuer" wins over the issuer in the label, which ends at the label's first ':'.
func Parse(uri []byte) (Entry, error) { return ParseAs(uri, nil) }

// ParseAs is Parse for an account that is to have another name than the URI gives it, perhaps because
// that one is too long for a key: change is called before the account is checked.
func ParseAs(uri []byte, change func(*oath.Account)) (Entry, error) {
	e, err := parse(bytes.TrimSpace(uri), change)
	if err != nil {
		return Entry{}, fmt.Errorf("cannot use the otpauth URI: %w", err)
	}
	return e, nil
}

func parse(uri []byte, change func(*oath.Account)) (Entry, error) {
	kind, label, query, err := split(uri)
	if err != nil {
		return Entry{}, err
	}
	p, err := parseQuery(query)
	if err != nil {
		return Entry{}, err
	}
	// Without a secret, the rest may be a secret in the wrong place: nothing of it is quoted.
	if p.secret == nil {
		return Entry{}, errors.New("it has no secret")
	}
	account, counter, err := describe(kind, label, p.values)
	if err != nil {
		return Entry{}, err
	}
	if change != nil {
		change(&account)
	}
	if err := account.Validate(); err != nil {
		return Entry{}, err
	}
	seed, err := unescapeSecret(p.secret)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Account: account, Seed: seed, Counter: counter}, nil
}

// split cuts the URI into type, label and query, none of them unescaped.
func split(uri []byte) (kind, label, query []byte, err error) {
	switch {
	case len(uri) > MaxLen:
		return nil, nil, nil, fmt.Errorf("it is longer than %d bytes", MaxLen)
	case hasPrefixFold(uri, migration):
		return nil, nil, nil, ErrMigration
	case !Is(uri):
		return nil, nil, nil, fmt.Errorf("it does not begin with %q", scheme)
	case bytes.ContainsRune(uri, '#'):
		return nil, nil, nil, errors.New("a '#' in it has to be written as %23")
	}
	rest, query, _ := bytes.Cut(uri[len(scheme):], []byte("?"))
	kind, label, found := bytes.Cut(rest, []byte("/"))
	if !found {
		return nil, nil, nil, errors.New("it has no label")
	}
	return kind, label, query, nil
}

// params are a URI's known parameters. The secret stays escaped, where it is in the URI.
type params struct {
	secret []byte
	values map[string]string
}

var known = map[string]bool{
	"issuer": true, "algorithm": true, "digits": true, "period": true, "counter": true, "encoder": true,
}

func parseQuery(query []byte) (params, error) {
	p := params{values: make(map[string]string)}
	for part := range bytes.SplitSeq(query, []byte("&")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		if err := p.set(string(name), value); err != nil {
			return params{}, err
		}
	}
	return p, nil
}

func (p *params) set(name string, value []byte) error {
	if name == "secret" {
		if p.secret != nil {
			return errors.New("it has two secrets")
		}
		p.secret = value
		return nil
	}
	if !known[name] {
		return nil
	}
	if _, twice := p.values[name]; twice {
		return fmt.Errorf("it has the parameter %q twice", name)
	}
	text, err := url.QueryUnescape(string(value))
	if err != nil {
		return fmt.Errorf("the parameter %q is not escaped properly", name)
	}
	p.values[name] = text
	return nil
}

// describe makes an account, and HOTP's counter, of everything but the secret.
func describe(kind, label []byte, values map[string]string) (oath.Account, uint32, error) {
	a := oath.Account{Algorithm: oath.SHA1}
	var err error
	if a.Type, err = parseType(kind); err != nil {
		return a, 0, err
	}
	if a.Issuer, a.Name, err = parseLabel(label, values["issuer"]); err != nil {
		return a, 0, err
	}
	if s, ok := values["algorithm"]; ok {
		if a.Algorithm, err = oath.ParseAlgorithm(s); err != nil {
			return a, 0, fmt.Errorf("%w: it is SHA1, SHA256 or SHA512", oath.ErrAlgorithm)
		}
	}
	counter, err := numbers(&a, values)
	return a, counter, err
}

// parseType says less than oath.ParseType, which would quote what it found.
func parseType(kind []byte) (oath.Type, error) {
	t, err := oath.ParseType(string(kind))
	if err != nil {
		return 0, errors.New("its type is neither totp nor hotp")
	}
	return t, nil
}

// parseLabel splits the label at its first ':', which may be escaped; blanks before the name are
// not part of it.
func parseLabel(label []byte, issuer string) (string, string, error) {
	text, err := url.PathUnescape(string(label))
	if err != nil {
		return "", "", errors.New("its label is not escaped properly")
	}
	before, name, found := strings.Cut(text, ":")
	if !found {
		before, name = "", text
	}
	if issuer == "" {
		issuer = before
	}
	return issuer, strings.TrimLeft(name, " "), nil
}

// numbers sets digits and period, and returns the counter. Numbers that mean nothing for the type
// (FreeOTP writes a period for HOTP) are ignored.
func numbers(a *oath.Account, values map[string]string) (uint32, error) {
	digits, err := number(values, "digits", 6)
	if err != nil {
		return 0, err
	}
	if a.Digits = int(digits); a.Type == oath.HOTP {
		return number(values, "counter", 0)
	}
	period, err := number(values, "period", oath.DefaultPeriod)
	if err != nil {
		return 0, err
	}
	a.Period = int(period)
	return 0, steam(a, values["encoder"])
}

// steam reads the ways in which a Steam account is marked. Its codes have 5 characters, which a key
// stores as 6 digits (yubikey-manager); KeePassXC adds "encoder=steam".
func steam(a *oath.Account, encoder string) error {
	if a.Steam() && a.Digits == 5 {
		a.Digits = 6
	}
	switch {
	case encoder == "":
		return nil
	case !strings.EqualFold(encoder, "steam"):
		return errors.New("its encoder is unknown")
	case !a.Steam():
		return errors.New("an account with Steam's encoder must have the issuer Steam")
	}
	return nil
}

func number(values map[string]string, name string, missing uint32) (uint32, error) {
	s, ok := values[name]
	if !ok {
		return missing, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the parameter %q is not a number from 0 to 4294967295", name)
	}
	return uint32(n), nil
}

func hasPrefixFold(s, prefix []byte) bool {
	return len(s) >= len(prefix) && bytes.EqualFold(s[:len(prefix)], prefix)
}
