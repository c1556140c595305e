package oath

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

// Algorithm is the hash of the HMAC, with the value it has in an OATH applet's type|algorithm byte.
type Algorithm byte

// The algorithms of YKOATH, "PUT".
const (
	SHA1   Algorithm = 1
	SHA256 Algorithm = 2
	SHA512 Algorithm = 3
)

// Valid reports whether a is one of the three.
func (a Algorithm) Valid() bool { return a >= SHA1 && a <= SHA512 }

// String returns the name that otpauth URIs use: "SHA1", "SHA256", "SHA512".
func (a Algorithm) String() string {
	switch a {
	case SHA1:
		return "SHA1"
	case SHA256:
		return "SHA256"
	case SHA512:
		return "SHA512"
	}
	return fmt.Sprintf("algorithm %d", byte(a))
}

// ParseAlgorithm reads the names of String in any case, with or without a hyphen or the prefix "Hmac".
func ParseAlgorithm(s string) (Algorithm, error) {
	switch strings.TrimPrefix(strings.ReplaceAll(strings.ToUpper(s), "-", ""), "HMAC") {
	case "SHA1":
		return SHA1, nil
	case "SHA256":
		return SHA256, nil
	case "SHA512":
		return SHA512, nil
	}
	return 0, fmt.Errorf("%w %q: it is SHA1, SHA256 or SHA512", ErrAlgorithm, s)
}

// MarshalText writes the name that String returns.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAlgorithm reads.
func (a *Algorithm) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAlgorithm(string(b))
	return err
}

// BlockSize returns the hash's block in bytes: 64, 64 or 128.
func (a Algorithm) BlockSize() int {
	if a == SHA512 {
		return sha512.BlockSize
	}
	return sha256.BlockSize
}

// Size returns the length of an HMAC in bytes: 20, 32 or 64.
func (a Algorithm) Size() int {
	switch a {
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	}
	return sha1.Size
}

func (a Algorithm) new() hash.Hash {
	switch a {
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	}
	return sha1.New()
}
