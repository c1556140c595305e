// Package tlv reads and writes the simple tag-length-value lists of the OATH, Management and PIV
// applets: one-byte tags, lengths as in BER (ISO/IEC 8825-1, section 8.1.3) in at most three bytes.
package tlv

import (
	"errors"
	"fmt"
	"iter"
)

// ErrMalformed says that bytes are not a list of TLVs.
var ErrMalformed = errors.New("malformed TLV")

// TLV is one element. Value is a part of the bytes it was read from.
type TLV struct {
	Tag   byte
	Value []byte
}

// Append adds tag, length and value to b. The value is at most 65535 bytes.
func Append(b []byte, tag byte, value ...byte) []byte {
	n := len(value)
	switch {
	case n < 0x80:
		b = append(b, tag, byte(n))
	case n < 0x100:
		b = append(b, tag, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, tag, 0x82, byte(n>>8), byte(n))
	default:
		panic(fmt.Sprintf("tlv: a value of %d bytes", n))
	}
	return append(b, value...)
}

// AppendBare adds a tag and one byte without a length between them, the form in which PUT carries its
// property (YKOATH, "PUT", tag 78).
func AppendBare(b []byte, tag, value byte) []byte { return append(b, tag, value) }

// Parse reads b to its end. An element that claims more bytes than there are is an error.
func Parse(b []byte) ([]TLV, error) {
	var list []TLV
	for len(b) > 0 {
		t, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		list, b = append(list, t), rest
	}
	return list, nil
}

func next(b []byte) (TLV, []byte, error) {
	if len(b) < 2 {
		return TLV{}, nil, fmt.Errorf("%w: tag %02X has no length", ErrMalformed, b[0])
	}
	n, header := int(b[1]), 2
	switch {
	case b[1] == 0x81 && len(b) >= 3:
		n, header = int(b[2]), 3
	case b[1] == 0x82 && len(b) >= 4:
		n, header = int(b[2])<<8|int(b[3]), 4
	case b[1] >= 0x80:
		return TLV{}, nil, fmt.Errorf("%w: tag %02X has length byte %02X", ErrMalformed, b[0], b[1])
	}
	if len(b)-header < n {
		return TLV{}, nil, fmt.Errorf("%w: tag %02X claims %d bytes, %d are there", ErrMalformed, b[0], n, len(b)-header)
	}
	return TLV{Tag: b[0], Value: b[header : header+n]}, b[header+n:], nil
}

// Find returns the value of the first element with the tag, and whether there is one.
func Find(list []TLV, tag byte) ([]byte, bool) {
	for _, t := range list {
		if t.Tag == tag {
			return t.Value, true
		}
	}
	return nil, false
}

// All yields the values of all elements with the tag.
func All(list []TLV, tag byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, t := range list {
			if t.Tag == tag && !yield(t.Value) {
				return
			}
		}
	}
}
