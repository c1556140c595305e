package importer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// The kinds of accounts that a key can hold, as a record names them.
const (
	kindTOTP  = "totp"
	kindHOTP  = "hotp"
	kindSteam = "steam"
)

// ErrKind is the Problem of an account whose codes no OATH applet computes.
var ErrKind = errors.New("no security key computes codes of this kind")

// record is an account as an export describes it, before it is decided what a key can hold.
type record struct {
	issuer, name string
	// kind is one of the three above, or the name of one that keys do not know.
	kind string
	// secret is nil if there is none, or if it could not be decoded, which problem then says.
	secret  *oath.Secret
	problem error
	// unread says which of the numbers is none; nil if all are.
	unread error
	// algorithm "", digits 0 and period 0 stand for what is not said: SHA1, 6 and 30.
	algorithm      string
	digits, period int
	counter        int64
}

// base32 gives the record the seed that text stands for, which still belongs to the caller.
func (r *record) base32(text []byte) { r.secret, r.problem = otpauth.DecodeSecret(text) }

// seed gives the record a seed, or the reason for which there is none.
func (r *record) seed(secret *oath.Secret, err error) { r.secret, r.problem = secret, err }

// entry decides what a key can hold. The record's secret goes into the Entry, or is wiped.
func (r record) entry() Entry {
	a, counter, err := r.account()
	e := Entry{Account: a, Seed: r.secret, Counter: counter, Problem: err}
	if err == nil {
		e.Problem = r.check(a)
	}
	if e.Problem != nil && (r.secret.Len() == 0 || !renamable(e.Problem)) {
		e.Seed.Wipe()
		e.Seed = nil
	}
	return e
}

// check looks at the seed first: an account without one is not worth another name.
func (r record) check(a oath.Account) error {
	if err := cmp.Or(r.problem, r.unread); err != nil {
		return err
	}
	if r.secret.Len() == 0 {
		return errors.New("it has no secret")
	}
	return a.Validate()
}

// renamable reports whether another name would solve the problem.
func renamable(err error) bool {
	return errors.Is(err, oath.ErrName) || errors.Is(err, oath.ErrNameLong)
}

func (r record) account() (oath.Account, uint32, error) {
	a := oath.Account{Issuer: r.issuer, Name: r.name, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: or(r.digits, 6)}
	tidy(&a)
	switch strings.ToLower(r.kind) {
	case kindTOTP:
		a.Period = or(r.period, oath.DefaultPeriod)
		if a.Steam() && a.Digits == 5 {
			a.Digits = 6
		}
	case kindSteam:
		a.Period = or(r.period, oath.DefaultPeriod)
		markSteam(&a)
	case kindHOTP:
		a.Type = oath.HOTP
	default:
		return a, 0, fmt.Errorf("%w: %s", ErrKind, short(r.kind))
	}
	if r.algorithm != "" {
		var err error
		if a.Algorithm, err = oath.ParseAlgorithm(r.algorithm); err != nil {
			return a, 0, fmt.Errorf("%w %s: it is SHA1, SHA256 or SHA512", oath.ErrAlgorithm, short(r.algorithm))
		}
	}
	if a.Type == oath.TOTP {
		return a, 0, nil
	}
	return a, uint32(r.counter), checkCounter(r.counter)
}

func checkCounter(n int64) error {
	if n < 0 || n > math.MaxUint32 {
		return fmt.Errorf("the counter %d is not one from 0 to 4294967295", n)
	}
	return nil
}

// tidy brings issuer and name into the form that a key gives back: no blanks around them, the issuer
// that stands in the name on its own, and as name what is there if there is only an issuer.
func tidy(a *oath.Account) {
	a.Issuer, a.Name = strings.TrimSpace(a.Issuer), strings.TrimSpace(a.Name)
	if before, name, found := strings.Cut(a.Name, ":"); found && a.Issuer == "" {
		a.Issuer, a.Name = strings.TrimSpace(before), strings.TrimSpace(name)
	}
	if a.Name == "" {
		a.Issuer, a.Name = "", a.Issuer
	}
}

// markSteam gives the account the issuer by which codes in Steam's alphabet are known here. Another
// issuer becomes a part of the name.
func markSteam(a *oath.Account) {
	if a.Digits == 5 {
		a.Digits = 6
	}
	if strings.EqualFold(a.Issuer, "Steam") {
		a.Issuer = "Steam"
		return
	}
	a.Issuer, a.Name = "Steam", a.Label()
}

// splitLabel reads a label as otpauth URIs have it: "issuer:name", of which the issuer gives way to
// one that is said elsewhere.
func splitLabel(label, issuer string) (string, string) {
	before, name, found := strings.Cut(label, ":")
	switch {
	case !found:
		return issuer, label
	case issuer == "":
		return before, name
	}
	return issuer, name
}

// or returns n, or instead if n is 0.
func or(n, instead int) int {
	if n == 0 {
		return instead
	}
	return n
}

// short quotes a word of an export for an error, not more of it than a word has.
func short(s string) string {
	const most = 24
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
