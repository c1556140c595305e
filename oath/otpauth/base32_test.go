package otpauth_test

import (
	"encoding/base32"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath/otpauth"
)

// decodeOther decodes with the standard library what otpauth has accepted.
func decodeOther(text []byte) string {
	clean := strings.NewReplacer(" ", "", "-", "", "\t", "", "\r", "", "\n", "", "=", "").Replace(string(text))
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(clean))
	if err != nil {
		return "not base32: " + err.Error()
	}
	return string(seed)
}

func TestDecodeSecret(t *testing.T) {
	// RFC 4648, section 10, and how people write it down.
	for text, want := range map[string]string{
		"MY======": "f", "MZXQ====": "fo", "MZXW6===": "foo", "MZXW6YQ=": "foob", "MZXW6YTB": "fooba", "MZXW6YTBOI======": "foobar",
		"mzxw 6ytb oi": "foobar", "mzxw-6ytb-oi\n": "foobar", "\tMZXW6YTB OI== ====": "foobar",
	} {
		seed, err := otpauth.DecodeSecret([]byte(text))
		if err != nil || string(seed.Bytes()) != want {
			t.Errorf("%q: got %q, %v", text, seed.Bytes(), err)
		}
	}
}

func TestDecodeSecretErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty", " -=": "empty", "MZXW0": "character 5", "MY=A": "character 4", "é": "character 1", "MYA": "cut off",
	} {
		if _, err := otpauth.DecodeSecret([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
