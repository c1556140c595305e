package otpauth

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

var errEmpty = errors.New("the secret is empty")

// DecodeSecret reads a seed as people and services write it: base32 (RFC 4648) in any case, with
// blanks and '-' anywhere, with or without '=' at the end. text still belongs to the caller.
//
// encoding/base32 is not used: it copies its input into a buffer of its own, which nobody wipes, and
// without padding it drops what is cut off in the middle of a byte.
func DecodeSecret(text []byte) (*oath.Secret, error) {
	clean := oath.NewSecret(len(text))
	defer clean.Wipe()
	n, err := quintets(clean.Bytes(), text)
	if err != nil {
		return nil, err
	}
	switch n % 8 {
	case 1, 3, 6:
		return nil, errors.New("the secret is cut off: no base32 text has this length")
	}
	if n == 0 {
		return nil, errEmpty
	}
	seed := oath.NewSecret(n * 5 / 8)
	pack(seed.Bytes(), clean.Bytes()[:n])
	return seed, nil
}

// quintets writes the value of each base32 character of text to dst and returns how many there are.
func quintets(dst, text []byte) (int, error) {
	n, padded := 0, false
	for i, c := range text {
		v := value(c)
		switch {
		case c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '=':
			padded = true
			continue
		case v < 0 || padded:
			return 0, fmt.Errorf("the secret is not base32: character %d is not one of A-Z and 2-7", i+1)
		}
		dst[n] = byte(v)
		n++
	}
	return n, nil
}

// value returns what a base32 character stands for, -1 for any other character.
func value(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c - 'a')
	case c >= '2' && c <= '7':
		return int(c-'2') + 26
	}
	return -1
}

// pack joins groups of 5 bits; the bits that are left over are padding.
func pack(dst, quintets []byte) {
	bits, held, n := uint32(0), 0, 0
	for _, q := range quintets {
		bits, held = bits<<5|uint32(q), held+5
		if held >= 8 {
			held -= 8
			dst[n] = byte(bits >> held)
			n++
		}
	}
}

// encode appends seed in base32 without padding to dst, which has the room.
func encode(dst, seed []byte) []byte {
	bits, held := uint32(0), 0
	for _, b := range seed {
		bits, held = bits<<8|uint32(b), held+8
		for held >= 5 {
			held -= 5
			dst = append(dst, alphabet[bits>>held&31])
		}
	}
	if held > 0 {
		dst = append(dst, alphabet[bits<<(5-held)&31])
	}
	return dst
}

// unescapeSecret decodes the value of the parameter "secret".
func unescapeSecret(escaped []byte) (*oath.Secret, error) {
	text := oath.NewSecret(len(escaped))
	defer text.Wipe()
	n, err := unescape(text.Bytes(), escaped)
	if err != nil {
		return nil, err
	}
	return DecodeSecret(text.Bytes()[:n])
}

// unescape undoes a query's escapes from src to dst: '+' is a blank, "%3D" is '='.
func unescape(dst, src []byte) (int, error) {
	n := 0
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(src) || hex(src[i+1]) < 0 || hex(src[i+2]) < 0 {
				return 0, errors.New("the secret is not escaped properly")
			}
			c = byte(hex(src[i+1])<<4 | hex(src[i+2]))
			i += 2
		}
		dst[n] = c
		n++
	}
	return n, nil
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
