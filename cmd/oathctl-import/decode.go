package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/importer"
	"github.com/oathd/oathd/importer/qr"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/oath"
)

// decode finds the accounts in an export, or in the QR codes of a picture.
func decode(data []byte, o importer.Options) (kin.Imported, error) {
	if !qr.Is(data) {
		return decodeExport(data, o)
	}
	texts, err := qr.Read(data)
	if err != nil {
		return kin.Imported{}, err
	}
	known := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return !isAccount(text) })
	if len(known) == 0 {
		return kin.Imported{}, fmt.Errorf("it shows %s, none with an account", count(len(texts), "QR code"))
	}
	lines := oath.TakeSecret([]byte(strings.Join(known, "\n")))
	defer lines.Wipe()
	found, err := decodeExport(lines.Bytes(), o)
	if others := len(texts) - len(known); others > 0 {
		found.Notes = append(found.Notes, count(others, "QR code")+" in the picture left out: no account in it")
	}
	return found, err
}

// isAccount reports whether a QR code's text is one line that begins as URIs of accounts do.
func isAccount(text string) bool {
	head := strings.ToLower(text[:min(len(text), 8)])
	return (strings.HasPrefix(head, "otpauth") || strings.HasPrefix(head, "steam://")) && !strings.ContainsAny(text, "\r\n")
}

func decodeExport(data []byte, o importer.Options) (kin.Imported, error) {
	export, err := importer.Read(data, o)
	if err != nil {
		return kin.Imported{}, err
	}
	found := kin.Imported{Format: export.Format, Program: program(export.Format)}
	for _, e := range export.Entries {
		found.Entries = append(found.Entries, entry(e))
	}
	for _, b := range export.Batches {
		found.Batches = append(found.Batches, kin.ImportedBatch(b))
	}
	return found, nil
}

func entry(e importer.Entry) kin.ImportedEntry {
	a := e.Account
	out := kin.ImportedEntry{
		Issuer: a.Issuer, Name: a.Name, Type: a.Type.String(), Algorithm: a.Algorithm.String(), Digits: a.Digits, Period: a.Period,
		Counter: e.Counter, Seed: e.Seed,
	}
	if e.Problem != nil {
		out.Problem = e.Problem.Error()
		out.Rename = errors.Is(e.Problem, oath.ErrName) || errors.Is(e.Problem, oath.ErrNameLong)
	}
	return out
}

func program(format string) string {
	for _, f := range importer.Formats() {
		if f.Name == format {
			return f.Program
		}
	}
	return format
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
