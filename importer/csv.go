package importer

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/oathd/oathd/oath"
)

// maxFields is how many fields a line of CSV may have: Bitwarden's have 11.
const maxFields = 256

// csvRow is a line of CSV (RFC 4180). Its fields are gone with the next line.
type csvRow struct {
	// columns are the places of the fields by the names of the first line, in lower case.
	columns map[string]int
	fields  [][]byte
}

// get returns a field; nil if there is no such column, or the line is too short.
func (r csvRow) get(column string) []byte {
	if i, ok := r.columns[column]; ok && i < len(r.fields) {
		return r.fields[i]
	}
	return nil
}

func (r csvRow) text(column string) string { return string(r.get(column)) }

// hasColumns reports whether the input is CSV whose first line has these names, which are in lower case. It may be
// something else entirely, so nothing of it is copied to where it would stay.
func (in *input) hasColumns(names ...string) bool {
	// A first line is short: no more than that is looked at.
	head := in.data[:min(len(in.data), 1<<12)]
	text := oath.NewSecret(len(head))
	defer text.Wipe()
	first := csvReader{rest: head, texts: text.Bytes()[:0]}
	fields, err := first.row()
	if err != nil {
		return false
	}
	for _, name := range names {
		if !slices.ContainsFunc(fields, func(field []byte) bool { return bytes.EqualFold(bytes.TrimSpace(field), []byte(name)) }) {
			return false
		}
	}
	return true
}

func columnsOf(fields [][]byte) map[string]int {
	columns := make(map[string]int)
	for i, name := range fields {
		columns[strings.ToLower(string(bytes.TrimSpace(name)))] = i
	}
	return columns
}

// csv yields the lines after the first, which names the columns. An error is the last that it yields.
func (in *input) csv() iter.Seq2[csvRow, error] {
	return func(yield func(csvRow, error) bool) {
		text := oath.NewSecret(len(in.data))
		defer text.Wipe()
		r := csvReader{rest: in.data, texts: text.Bytes()[:0]}
		fields, err := r.row()
		columns := columnsOf(fields)
		for err == nil && len(r.rest) > 0 {
			if fields, err = r.row(); err == nil && !yield(csvRow{columns, fields}, nil) {
				return
			}
		}
		if err != nil {
			yield(csvRow{}, fmt.Errorf("line %d: %w", r.lines, err))
		}
	}
}

// csvReader reads CSV. What is quoted goes into texts where a quote in it is written twice.
type csvReader struct {
	rest, texts []byte
	fields      [][]byte
	lines       int
}

var errQuotes = errors.New("it is cut off, or no CSV: a quotation mark is not closed")

// row reads a line.
func (r *csvReader) row() ([][]byte, error) {
	r.lines++
	r.fields = r.fields[:0]
	for {
		field, err := r.field()
		if err != nil {
			return nil, err
		}
		if r.fields = append(r.fields, field); len(r.fields) > maxFields {
			return nil, fmt.Errorf("%w: more than %d fields", ErrLimit, maxFields)
		}
		if more := r.separator(); !more {
			return r.fields, nil
		}
	}
}

// separator reports whether another field follows on the line.
func (r *csvReader) separator() bool {
	r.rest = bytes.TrimPrefix(r.rest, []byte("\r"))
	if len(r.rest) == 0 {
		return false
	}
	more := r.rest[0] == ','
	r.rest = r.rest[1:]
	return more
}

func (r *csvReader) field() ([]byte, error) {
	if len(r.rest) > 0 && r.rest[0] == '"' {
		return r.quoted()
	}
	n := bytes.IndexAny(r.rest, ",\n")
	if n < 0 {
		n = len(r.rest)
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return bytes.TrimSuffix(field, []byte("\r")), nil
}

func (r *csvReader) quoted() ([]byte, error) {
	from := len(r.texts)
	for {
		n := bytes.IndexByte(r.rest[1:], '"')
		if n < 0 {
			return nil, errQuotes
		}
		part := r.rest[1 : 1+n]
		r.lines += bytes.Count(part, []byte("\n"))
		r.rest = r.rest[n+2:]
		twice := len(r.rest) > 0 && r.rest[0] == '"'
		if !twice && from == len(r.texts) {
			return part, r.closed()
		}
		if r.texts = append(r.texts, part...); !twice {
			return r.texts[from:], r.closed()
		}
		r.texts = append(r.texts, '"')
	}
}

// closed wants the field to end where its quotation marks do.
func (r *csvReader) closed() error {
	if len(r.rest) > 0 && !strings.ContainsRune(",\r\n", rune(r.rest[0])) {
		return errQuotes
	}
	return nil
}
