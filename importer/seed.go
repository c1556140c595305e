package importer

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/oathd/oathd/oath"
)

// hex gives the record the seed that the hexadecimal text stands for, which still belongs to the caller.
func (r *record) hex(text []byte) {
	seed := oath.NewSecret(hex.DecodedLen(len(text)))
	if _, err := hex.Decode(seed.Bytes(), text); err != nil {
		seed.Wipe()
		r.seed(nil, errors.New("its secret is not hexadecimal"))
		return
	}
	r.seed(seed, nil)
}

// base64 gives the record the seed that the base64 text stands for, which still belongs to the caller.
func (r *record) base64(text []byte) {
	buf := oath.NewSecret(base64.StdEncoding.DecodedLen(len(text)))
	defer buf.Wipe()
	n, err := base64.StdEncoding.Decode(buf.Bytes(), text)
	if err != nil {
		r.seed(nil, errors.New("its secret is not base64"))
		return
	}
	r.seed(oath.CopySecret(buf.Bytes()[:n]), nil)
}

// signedBytes is a seed as a JSON array of Java's bytes, which go from -128 to 127. Its owner wipes it, or uses take.
type signedBytes struct{ secret *oath.Secret }

// UnmarshalJSON reads the array, or null, which is empty.
func (s *signedBytes) UnmarshalJSON(array []byte) error {
	buf := oath.NewSecret(len(array)/2 + 1)
	defer buf.Wipe()
	out, err := appendSigned(buf.Bytes()[:0], array)
	s.secret.Wipe()
	s.secret = oath.CopySecret(out)
	return err
}

// take hands the seed over to whoever calls, who wipes it.
func (s *signedBytes) take() *oath.Secret {
	secret := s.secret
	s.secret = nil
	return secret
}

// publicBytes is a JSON array of Java's bytes that are no secret.
type publicBytes []byte

// UnmarshalJSON reads the array, or null, which is empty.
func (b *publicBytes) UnmarshalJSON(array []byte) (err error) {
	*b, err = appendSigned(nil, array)
	return err
}

// appendSigned appends the bytes of a JSON array, none of whose elements takes less than two characters.
func appendSigned(dst, array []byte) ([]byte, error) {
	for item := range jsonItems(array) {
		n, ok := signedByte(item)
		if !ok {
			return dst, errors.New("a byte is no number from -128 to 255")
		}
		dst = append(dst, n)
	}
	return dst, nil
}

func signedByte(text []byte) (byte, bool) {
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	n := 0
	for _, c := range digits {
		if n = n*10 + int(c-'0'); c < '0' || c > '9' || n > 255 {
			return 0, false
		}
	}
	if negative {
		return byte(-n), n <= 128
	}
	return byte(n), len(digits) > 0
}
