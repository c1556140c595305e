package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// attempts is how often a password is asked for.
const attempts = 3

// input is an export that is being read.
type input struct {
	// data is UTF-8 without a byte order mark, where the file began with one.
	data   []byte
	ask    func() (*oath.Secret, error)
	limits limits
	// batches are added by a format that knows of them.
	batches []Batch

	owned []*oath.Secret
	json  *outline
}

// own has s wiped when the input has been read, and returns its bytes.
func (in *input) own(s *oath.Secret) []byte {
	in.owned = append(in.owned, s)
	return s.Bytes()
}

func (in *input) wipe() {
	for _, s := range in.owned {
		s.Wipe()
	}
}

// inner is an input for what was found in this one: the content of an envelope, a file of an archive.
// data belongs to in, or to the caller.
func (in *input) inner(data []byte) *input {
	return &input{data: data, ask: in.ask, limits: in.limits}
}

// begins reports whether the data begins with prefix.
func (in *input) begins(prefix string) bool { return bytes.HasPrefix(in.data, []byte(prefix)) }

// opens reports whether the text begins with prefix, in any case and after blanks.
func (in *input) opens(prefix string) bool {
	text := bytes.TrimLeft(in.data, " \t\r\n")
	return len(text) >= len(prefix) && bytes.EqualFold(text[:len(prefix)], []byte(prefix))
}

// has reports whether the data has text anywhere in its first 64 kB.
func (in *input) has(text string) bool {
	return bytes.Contains(in.data[:min(len(in.data), 1<<16)], []byte(text))
}

// decrypt asks for passwords until open takes one, and returns what open returned, which is wiped when
// the input has been read. open returns ErrPassword for a wrong one; any other error is final.
func (in *input) decrypt(open func(password *oath.Secret) (*oath.Secret, error)) ([]byte, error) {
	if in.ask == nil {
		return nil, ErrPasswordNeeded
	}
	for n := 1; ; n++ {
		plain, err := in.attempt(open)
		if err == nil {
			return in.own(plain), nil
		}
		if !errors.Is(err, ErrPassword) || n == attempts {
			return nil, err
		}
	}
}

func (in *input) attempt(open func(password *oath.Secret) (*oath.Secret, error)) (*oath.Secret, error) {
	password, err := in.ask()
	if err != nil {
		return nil, err
	}
	defer password.Wipe()
	return open(password)
}

// The byte order marks of text that did not come from a Unix program.
var (
	markUTF8    = []byte("\xef\xbb\xbf")
	markLittle  = []byte("\xff\xfe")
	markBig     = []byte("\xfe\xff")
	errUTF16Odd = errors.New("cannot read the text: it says that it is UTF-16, and ends in the middle of a character")
)

// toUTF8 drops a byte order mark and rewrites UTF-16, which Windows programs save. Every text that is looked for
// begins in ASCII; encrypted bytes may begin like a mark by chance.
func (in *input) toUTF8() error {
	d := in.data
	switch {
	case bytes.HasPrefix(d, markUTF8):
		in.data = d[len(markUTF8):]
	case len(d) > 3 && bytes.HasPrefix(d, markLittle) && d[3] == 0:
		return in.fromUTF16(binary.LittleEndian)
	case len(d) > 3 && bytes.HasPrefix(d, markBig) && d[2] == 0:
		return in.fromUTF16(binary.BigEndian)
	}
	return nil
}

func (in *input) fromUTF16(order binary.ByteOrder) error {
	units := in.data[len(markLittle):]
	if len(units)%2 != 0 {
		return errUTF16Odd
	}
	// A unit of 16 bits becomes 3 bytes at most; a pair of them 4.
	text := oath.NewSecret(len(units) / 2 * 3)
	in.own(text)
	out := text.Bytes()[:0]
	for i := 0; i < len(units); i += 2 {
		r := rune(order.Uint16(units[i:]))
		if utf16.IsSurrogate(r) && i+2 < len(units) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(units[i+2:]))); pair != utf8.RuneError {
				r, i = pair, i+2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	in.data = out
	return nil
}

// tooShort is the error for a file that ends before its own header says.
func tooShort(have, want int) error {
	return fmt.Errorf("it is cut off: %d bytes, at least %d are needed", have, want)
}
