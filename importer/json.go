package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// maxDepth is how deep an export's JSON may be nested: no program's goes beyond 8.
const maxDepth = 64

// outline is what detection looks at in JSON text: the first members' names.
type outline struct {
	// valid is false for what is no JSON.
	valid bool
	// array is true for an array; keys are then those of its first element.
	array bool
	keys  map[string]bool
}

// object reports whether the input is a JSON object with all these members.
func (in *input) object(keys ...string) bool { return !in.outline().array && in.outline().has(keys) }

// array reports whether the input is a JSON array whose first element is an object with all these members.
func (in *input) array(keys ...string) bool { return in.outline().array && in.outline().has(keys) }

func (o *outline) has(keys []string) bool {
	for _, key := range keys {
		if !o.keys[key] {
			return false
		}
	}
	return o.valid
}

func (in *input) outline() *outline {
	if in.json == nil {
		in.json = outlineOf(in.data)
	}
	return in.json
}

func outlineOf(data []byte) *outline {
	if checkJSON(data) != nil {
		return &outline{}
	}
	text := bytes.TrimSpace(data)
	o := &outline{valid: true, array: text[0] == '[', keys: make(map[string]bool)}
	if o.array {
		for first := range jsonItems(text) {
			text = first
			break
		}
	}
	for key := range jsonMembers(text) {
		o.keys[key] = true
	}
	return o
}

// checkJSON returns an error unless data is one well-formed JSON text that is not nested too deep. The
// functions below need that.
func checkJSON(data []byte) error {
	if err := checkDepth(data); err != nil {
		return err
	}
	if !json.Valid(data) {
		return errors.New("it is cut off, or no JSON")
	}
	return nil
}

func checkDepth(data []byte) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += quotedLen(data[i:]) - 1
		case '[', '{':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: JSON that is nested deeper than %d", ErrLimit, maxDepth)
			}
		case ']', '}':
			depth--
		}
	}
	return nil
}

// quotedLen is the length of the string, quotes included, with which text begins.
func quotedLen(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// jsonItems yields the elements of a JSON array as parts of text; nothing if it is none.
func jsonItems(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := bytes.TrimSpace(text)
		if len(rest) == 0 || rest[0] != '[' {
			return
		}
		for rest = trimPunctuation(rest[1:]); len(rest) > 0 && rest[0] != ']'; rest = trimPunctuation(rest) {
			n := valueLen(rest)
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// jsonMembers yields the members of a JSON object, the values as parts of text; nothing if it is none.
func jsonMembers(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := bytes.TrimSpace(text)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = trimPunctuation(rest[1:]); len(rest) > 0 && rest[0] == '"'; rest = trimPunctuation(rest) {
			key := rest[1 : quotedLen(rest)-1]
			rest = trimPunctuation(rest[len(key)+2:])
			n := valueLen(rest)
			if !yield(string(key), rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// jsonAt follows members down from an object and returns the value there as a part of text; nil if
// there is none.
func jsonAt(text []byte, path ...string) []byte {
	for _, want := range path {
		var found []byte
		for key, value := range jsonMembers(text) {
			if key == want {
				found = value
			}
		}
		text = found
	}
	return text
}

// firstItem returns the first element of a JSON array; nil if there is none.
func firstItem(array []byte) []byte {
	for item := range jsonItems(array) {
		return item
	}
	return nil
}

func trimPunctuation(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n,:") }

// valueLen is the length of the JSON value with which text begins. text is well-formed.
func valueLen(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += quotedLen(text[i:]) - 1
		case '[', '{':
			depth++
			continue
		case ']', '}':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// maxValues is how many values may be in what becomes a Go value: an item of 1Password has a hundred. In memory an
// empty one is a hundred times as large as in the text.
const maxValues = 100_000

// unmarshal is json.Unmarshal with errors that hold no part of the text.
func unmarshal(text []byte, v any) error {
	if n := bytes.Count(text, []byte(",")); n >= maxValues {
		return fmt.Errorf("%w: an entry of %d values, at most %d are granted", ErrLimit, n+1, maxValues)
	}
	err := json.Unmarshal(text, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("its %q is not of the kind that belongs there", wrong.Field)
	case errors.Is(err, errText):
		return errText
	}
	return errors.New("it is not of the form that belongs there")
}

// jsonEntries makes an Entry of each element of a JSON array. An element that does not have the form
// of a T is an Entry with a Problem; toEntry sees whatever could be read of it.
func jsonEntries[T any](array []byte, toEntry func(*T) Entry) []Entry {
	var entries []Entry
	for item := range jsonItems(array) {
		if entries = append(entries, jsonEntry(item, toEntry)); full(entries) {
			break
		}
	}
	return entries
}

// jsonEntry makes an Entry of one JSON value, as jsonEntries does.
func jsonEntry[T any](item []byte, toEntry func(*T) Entry) Entry {
	var v T
	problem := unmarshal(item, &v)
	entry := toEntry(&v)
	if problem != nil {
		entry.Seed.Wipe()
		entry.Seed, entry.Problem = nil, problem
	}
	return entry
}

// errText is for a secret that is a number, or a list.
var errText = errors.New("its secret is not a text")

// secretText is a JSON string that never becomes a Go string. Its owner wipes it, or uses take.
type secretText struct{ text *oath.Secret }

// UnmarshalJSON reads a string, or null, which is empty.
func (s *secretText) UnmarshalJSON(quoted []byte) error {
	s.wipe()
	if string(quoted) == "null" {
		return nil
	}
	if len(quoted) < 2 || quoted[0] != '"' {
		return errText
	}
	text := oath.NewSecret(len(quoted))
	defer text.Wipe()
	s.text = oath.CopySecret(unquote(text.Bytes()[:0], quoted[1:len(quoted)-1]))
	return nil
}

// bytes returns the text itself; it is gone after wipe.
func (s *secretText) bytes() []byte { return s.text.Bytes() }

func (s *secretText) wipe() {
	s.text.Wipe()
	s.text = nil
}

// take hands the text to use and wipes it.
func (s *secretText) take(use func(text []byte)) {
	defer s.wipe()
	use(s.bytes())
}

// unquote appends what a well-formed JSON string's inside stands for; that is never longer.
func unquote(dst, inside []byte) []byte {
	for i := 0; i < len(inside); i++ {
		if inside[i] != '\\' {
			dst = append(dst, inside[i])
			continue
		}
		i++
		switch c := inside[i]; c {
		case 'b', 'f', 'n', 'r', 't':
			dst = append(dst, "\b\f\n\r\t"[bytes.IndexByte([]byte("bfnrt"), c)])
		case 'u':
			r, n := unquoteRune(inside[i+1:])
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unquoteRune reads what follows "\u", which may be half of a pair, and how long that is.
func unquoteRune(text []byte) (rune, int) {
	r := hexRune(text)
	if utf16.IsSurrogate(r) && len(text) >= 10 && text[4] == '\\' && text[5] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(text[6:])); pair != utf8.RuneError {
			return pair, 10
		}
	}
	return r, 4
}

func hexRune(text []byte) rune {
	n, err := strconv.ParseUint(string(text[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
