package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// javaMagic begins what Java's ObjectOutputStream writes (Java Object Serialization Specification, section 6.4.2).
const javaMagic = "\xac\xed\x00\x05"

// The marks of what follows, and the number that the first object has, of the same section.
const (
	javaReference  = 0x71
	javaClass      = 0x72
	javaObject     = 0x73
	javaString     = 0x74
	javaBlock      = 0x77
	javaLongString = 0x7c

	javaFirstHandle = 0x7e0000
)

// javaHashMap is what stands before the elements of a java.util.HashMap: class, serialVersionUID, flags, the
// fields loadFactor and threshold, no annotations, no superclass.
const javaHashMap = "\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02" +
	"F\x00\x0aloadFactorI\x00\x09threshold\x78\x70"

// javaPair is an element of a map from strings to strings.
type javaPair struct {
	key   string
	value []byte
}

// javaReader reads the serialized form of one HashMap.
type javaReader struct {
	rest []byte
	// strings are those read so far, which later ones may refer to.
	strings [][]byte
}

var errJavaMap = errors.New("it is no Java map of texts")

// readJavaMap reads a serialized java.util.HashMap<String, String>, in its own order.
func readJavaMap(data []byte) ([]javaPair, error) {
	head := javaMagic + string([]byte{javaObject, javaClass}) + javaHashMap
	// The fields' values, and a block with the number of buckets and that of elements.
	const values = 8 + 2 + 8
	if len(data) < len(head)+values {
		return nil, tooShort(len(data), len(head)+values)
	}
	block := data[len(head)+8:]
	if string(data[:len(head)]) != head || block[0] != javaBlock || block[1] != 8 {
		return nil, errJavaMap
	}
	r := &javaReader{rest: block[2+8:]}
	return r.pairs(binary.BigEndian.Uint32(block[2+4:]))
}

func (r *javaReader) pairs(n uint32) ([]javaPair, error) {
	var pairs []javaPair
	for range n {
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		value, err := r.text()
		if err != nil {
			return nil, err
		}
		if pairs = append(pairs, javaPair{string(key), value}); len(pairs) > 2*maxEntries {
			return nil, errTooMany
		}
	}
	return pairs, nil
}

// text reads a string, or a reference to one that was there before.
func (r *javaReader) text() ([]byte, error) {
	mark, err := r.take(1)
	if err != nil {
		return nil, err
	}
	switch mark[0] {
	case javaString:
		return r.sized(2)
	case javaLongString:
		return r.sized(8)
	case javaReference:
		return r.reference()
	}
	return nil, errJavaMap
}

// sized reads a string behind its length in bytes, which is a number of width bytes.
func (r *javaReader) sized(width int) ([]byte, error) {
	length, err := r.take(width)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint64(append(make([]byte, 8-width), length...))
	if n > math.MaxInt32 {
		return nil, fmt.Errorf("%w: a text of %d bytes", ErrLimit, n)
	}
	text, err := r.take(int(n))
	if err != nil {
		return nil, err
	}
	text = fromModifiedUTF8(text)
	r.strings = append(r.strings, text)
	return text, nil
}

func (r *javaReader) reference() ([]byte, error) {
	handle, err := r.take(4)
	if err != nil {
		return nil, err
	}
	// The first two are those of the class and of the map itself.
	i := int64(binary.BigEndian.Uint32(handle)) - javaFirstHandle - 2
	if i < 0 || i >= int64(len(r.strings)) {
		return nil, errJavaMap
	}
	return r.strings[i], nil
}

func (r *javaReader) take(n int) ([]byte, error) {
	if n > len(r.rest) {
		return nil, fmt.Errorf("it is cut off: %d bytes are missing", n-len(r.rest))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken, nil
}

// fromModifiedUTF8 undoes what Java does differently: it writes NUL in two bytes, and what is beyond 16 bits as
// two surrogates (java.io.DataInput, "Modified UTF-8").
func fromModifiedUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		unit, n := modifiedUnit(text[i:])
		i += n
		if utf16.IsSurrogate(unit) {
			if second, m := modifiedUnit(text[i:]); utf16.IsSurrogate(second) {
				unit, i = utf16.DecodeRune(unit, second), i+m
			}
		}
		out = utf8.AppendRune(out, unit)
	}
	return out
}

// modifiedUnit reads one unit of 16 bits and returns how many bytes it took.
func modifiedUnit(text []byte) (rune, int) {
	switch {
	case len(text) >= 3 && text[0]&0xf0 == 0xe0:
		return rune(text[0]&0xf)<<12 | rune(text[1]&0x3f)<<6 | rune(text[2]&0x3f), 3
	case len(text) >= 2 && text[0]&0xe0 == 0xc0:
		return rune(text[0]&0x1f)<<6 | rune(text[1]&0x3f), 2
	case len(text) >= 1 && text[0] < 0x80:
		return rune(text[0]), 1
	}
	return utf8.RuneError, min(1, len(text))
}
