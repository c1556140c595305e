package escrow

import (
	"bytes"
	"encoding/base32"
	"errors"
	"strings"
	"testing"

	"filippo.io/age/plugin"
)

// TestBech32Vectors has the strings of BIP 173 that age's longer form allows too.
func TestBech32Vectors(t *testing.T) {
	for _, text := range []string{
		"A12UEL5L",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
	} {
		prefix, data, err := decodeBech32([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := encodeBech32(prefix, data); !strings.EqualFold(string(got), text) {
			t.Errorf("%q became %q", text, got)
		}
	}
	for name, text := range map[string]string{
		"no separator":                "pzry9x0s0muk",
		"no prefix":                   "1pzry9x0s0muk",
		"a character outside":         "x1b4n0q5v",
		"a short checksum":            "li1dgmt3",
		"mixed case":                  "A12uEL5L",
		"another checksum":            "a12uel5m",
		"a checksum for capitals":     "A1G7SGD8",
		"empty":                       "",
		"too long":                    "a1" + strings.Repeat("q", maxBech32),
		"a letter that folds to 'k'":  "a12uel5\u212a",
		"ends in the middle":          string(encodeBech32("age", []byte{1})[:5]) + "qqqqqqqq",
		"bits left over":              leftOver(),
		"a whole group of bits extra": extraGroup(),
	} {
		if prefix, data, err := decodeBech32([]byte(text)); err == nil {
			t.Errorf("%s: %q was read as %q, %x", name, text, prefix, data)
		}
	}
}

// leftOver is a Bech32 text whose last bits, which no byte needs, are not zero.
func leftOver() string { return withValues("x", []byte{0, 1}) }

// extraGroup has a group of five bits that no byte needs.
func extraGroup() string { return withValues("x", []byte{0, 0, 0}) }

func withValues(prefix string, values []byte) string {
	sum := polymod(polymod(checkPrefix(prefix), values), make([]byte, checksumLen)) ^ 1
	text := prefix + "1"
	for _, v := range values {
		text += string(bech32Alphabet[v])
	}
	for i := range checksumLen {
		text += string(bech32Alphabet[sum>>(5*(checksumLen-1-i))&31])
	}
	return text
}

// TestBech32AgainstAge compares with what age writes and reads for plugins.
func TestBech32AgainstAge(t *testing.T) {
	for n := range 70 {
		data := bytes.Repeat([]byte{byte(n*37 + 1)}, n)
		if got, want := string(encodeBech32("age1yubikey", data)), plugin.EncodeRecipient("yubikey", data); got != want {
			t.Errorf("%d bytes: %q, age writes %q", n, got, want)
		}
		if got, want := string(upperCase(encodeBech32("age-plugin-yubikey-", data))), plugin.EncodeIdentity("yubikey", data); got != want {
			t.Errorf("%d bytes: %q, age writes %q", n, got, want)
		}
	}
}

func FuzzBech32(f *testing.F) {
	f.Add([]byte("A12UEL5L"))
	f.Add([]byte("age1yubikey1qds33lxxw9gaj82vqedjulgtedqeqxhv3tnu5f28zq3lpwpp25j4u9fu8kg"))
	f.Fuzz(func(t *testing.T, text []byte) {
		prefix, data, err := decodeBech32(text)
		if err != nil {
			return
		}
		if got := encodeBech32(prefix, data); !strings.EqualFold(string(got), string(text)) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestBase32(t *testing.T) {
	std := base32.StdEncoding.WithPadding(base32.NoPadding)
	for n := 1; n < 70; n++ {
		data := bytes.Repeat([]byte{byte(n*41 + 7)}, n)
		text := make([]byte, base32Len(n))
		encodeBase32(text, data)
		if want := std.EncodeToString(data); string(text) != want {
			t.Errorf("%x: %q, want %q", data, text, want)
		}
		got, err := decodeBase32(text)
		if err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%q: %x, %v", text, got.Bytes(), err)
		}
	}
	for _, text := range []string{"", "A", "AB1A", "ABC", "ab", "AB======", "A B", "AAAB", "AAAAAA"} {
		if _, err := decodeBase32([]byte(text)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
