package importer

import (
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

// password returns what Options.Password is for a password that somebody knows.
func password(text string) func() (*oath.Secret, error) {
	return func() (*oath.Secret, error) { return oath.CopySecret([]byte(text)), nil }
}

// line writes an entry for comparison: everything that is known of it, the seed in base32.
func line(e Entry) string {
	a := e.Account
	s := fmt.Sprintf("%s %s|%s %s %d %d %d", a.Type, a.Issuer, a.Name, a.Algorithm, a.Digits, a.Period, e.Counter)
	if e.Seed != nil {
		s += " " + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(e.Seed.Bytes())
	}
	if e.Problem != nil {
		s += " PROBLEM " + e.Problem.Error()
	}
	return s
}

func lines(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(line(e) + "\n")
	}
	return b.String()
}

func TestReadOfNothingKnown(t *testing.T) {
	for _, data := range []string{"", "\n", "hello", "{}", "[]", "\x00\x01", "[1, 2]", `{"a": "b"}`} {
		if _, err := Read([]byte(data), Options{}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", data, err)
		}
	}
	if _, err := Read(nil, Options{Format: "nosuch"}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"nosuch": there are`) {
		t.Error(err)
	}
}
