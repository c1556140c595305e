package importer

import (
	"bytes"
	"errors"
	"iter"
)

// otpauthFormat is a text with one otpauth URI in each line, the form in which most programs hand
// accounts on. Empty lines and those that begin with '#' are skipped.
var otpauthFormat = format{
	Format: Format{Name: "otpauth", Program: "many programs", Kind: "otpauth:// URIs, one a line, or as QR codes"},
	detect: func(in *input) bool { return startsWithURI(in, "otpauth://", steamScheme) },
	read:   readURILines,
}

// startsWithURI reports whether the first line that says something begins with one of the schemes.
func startsWithURI(in *input, schemes ...string) bool {
	for line := range uriLines(in.data) {
		for _, scheme := range schemes {
			if hasPrefixFold(line, scheme) {
				return true
			}
		}
		return false
	}
	return false
}

// readURILines takes both kinds of URIs, for both can stand on one picture.
func readURILines(in *input) ([]Entry, error) {
	var entries []Entry
	for line := range uriLines(in.data) {
		if entries = append(entries, in.lineEntries(line)...); full(entries) {
			break
		}
	}
	if len(entries) == 0 && len(in.batches) == 0 {
		return nil, errors.New("there is no URI in it")
	}
	return entries, nil
}

func (in *input) lineEntries(line []byte) []Entry {
	switch {
	case hasPrefixFold(line, migrationScheme):
		entries, err := in.migrate(line)
		if err != nil {
			return []Entry{{Problem: err}}
		}
		return entries
	case hasPrefixFold(line, "otpauth://"), hasPrefixFold(line, steamScheme):
		return []Entry{uriEntry(line)}
	}
	return []Entry{{Problem: errors.New("the line is no otpauth URI")}}
}

// uriLines yields textLines, without the quotation marks that are around each line of what ente Auth saves by itself
// (ente-auth-auto-backup.txt).
func uriLines(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range textLines(text) {
			if last := len(line) - 1; last > 0 && line[0] == '"' && line[last] == '"' {
				line = line[1:last]
			}
			if !yield(line) {
				return
			}
		}
	}
}

// textLines yields the lines of a text without the blanks around them, but for empty ones and comments.
func textLines(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(text) {
			line = bytes.TrimSpace(line)
			if len(line) > 0 && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}
