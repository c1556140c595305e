// Package importer turns other programs' exports into accounts: pure functions from bytes, without
// files, clock or network.
//
// One table (formats.go) names the formats in the order in which they are looked for; one file per
// format decodes it. What an export holds is untrusted: sizes, depths and the costs of password
// hashes are bounded before anything is spent on them, and errors name an entry and a reason, never
// a seed.
package importer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oathd/oathd/oath"
)

// Entry is one account of an export.
type Entry struct {
	// Account has issuer and name even where there is a Problem; the rest as far as it is known.
	Account oath.Account
	// Seed belongs to whoever has the Entry. It is nil if there is a Problem, unless another name would solve
	// that (oath.ErrName, oath.ErrNameLong).
	Seed *oath.Secret
	// Counter is an HOTP account's next counter; 0 for TOTP.
	Counter uint32
	// Problem says why the account cannot live on a key; nil if it can.
	Problem error
}

// Export is what a file holds.
type Export struct {
	// Format is the Name of the Format.
	Format  string
	Entries []Entry
	// Batches say which parts of exports that were divided over several QR codes these are.
	Batches []Batch
}

// Wipe wipes all seeds.
func (e Export) Wipe() { wipeAll(e.Entries) }

func wipeAll(entries []Entry) {
	for _, entry := range entries {
		entry.Seed.Wipe()
	}
}

// EntryError names the entry that cannot be used.
type EntryError struct {
	// Number is the entry's place in the export, from 1.
	Number int
	// Label is "issuer:name", as far as it is known.
	Label string
	Err   error
}

// Error returns "entry 3 (GitHub:alice): " and the reason.
func (e *EntryError) Error() string {
	if e.Label == "" {
		return fmt.Sprintf("entry %d: %v", e.Number, e.Err)
	}
	return fmt.Sprintf("entry %d (%s): %v", e.Number, e.Label, e.Err)
}

// Unwrap returns the reason.
func (e *EntryError) Unwrap() error { return e.Err }

// Problems returns an EntryError for each entry that has a Problem.
func (e Export) Problems() []*EntryError {
	var list []*EntryError
	for i, entry := range e.Entries {
		if entry.Problem != nil {
			list = append(list, &EntryError{i + 1, entry.Account.Label(), entry.Problem})
		}
	}
	return list
}

// The reasons for which a whole export cannot be read; the errors of Read wrap them.
var (
	ErrUnknown        = errors.New("no known format")
	ErrPassword       = errors.New("the password is wrong, or the file is damaged")
	ErrPasswordNeeded = errors.New("it is encrypted and needs a password")
	ErrLimit          = errors.New("it asks for too much")
	ErrNone           = errors.New("there is no account in it")
)

// maxEntries is how many entries an export may have: more than anybody has accounts, and few enough for them to take
// less memory than is granted.
const maxEntries = 50_000

var errTooMany = fmt.Errorf("%w: more than %d entries", ErrLimit, maxEntries)

// full reports whether there are more entries than an export may have. Whoever collects them then stops, and the
// export is refused.
func full(entries []Entry) bool { return len(entries) > maxEntries }

// Options are what Read needs besides the bytes.
type Options struct {
	// Format, if not "", is the Name of a Format that data is said to have.
	Format string
	// Password is called if the export is encrypted, and again after a wrong password, at most three times in
	// all; Read wipes what it returns. An error of its own ends the reading. nil means that there is none.
	Password func() (*oath.Secret, error)
}

// Read finds out what data is by its content and decodes it. data still belongs to the caller, who
// wipes it.
//
// What is wrong with one entry is that entry's Problem; an error means that the export as a whole
// cannot be read.
func Read(data []byte, o Options) (Export, error) { return read(data, o, usualLimits) }

func read(data []byte, o Options, l limits) (Export, error) {
	in := &input{data: data, ask: o.Password, limits: l}
	defer in.wipe()
	if err := in.toUTF8(); err != nil {
		return Export{}, err
	}
	list, err := candidates(in, o.Format)
	if err != nil {
		return Export{}, err
	}
	if len(in.data) == 0 {
		return Export{}, fmt.Errorf("cannot read the export: %w, it is empty", ErrNone)
	}
	if len(list) > 1 {
		return readAnyOf(list, in)
	}
	return list[0].export(in)
}

// export decodes the input, which has this format.
func (f format) export(in *input) (Export, error) {
	entries, err := f.read(in)
	if err == nil && full(entries) {
		err = errTooMany
	}
	if err != nil {
		wipeAll(entries)
		return Export{}, fmt.Errorf("cannot read the export of %s: %w", f.Program, err)
	}
	return Export{Format: f.Name, Entries: entries, Batches: in.batches}, nil
}

// candidates finds the format by its name, or by what the data looks like. Only of those without a mark there can be
// several.
func candidates(in *input, name string) ([]format, error) {
	for _, f := range formats {
		if name == f.Name || name == "" && f.detect(in) {
			return []format{f}, nil
		}
	}
	var list []format
	for _, f := range random {
		if name == f.Name || name == "" && f.detect(in) {
			list = append(list, f)
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case name == "":
		return nil, fmt.Errorf("%w: it looks like none of %s", ErrUnknown, names())
	}
	return nil, fmt.Errorf("%w %q: there are %s", ErrUnknown, name, names())
}

// readAnyOf tries each password on all formats: which one it is shows only in that the password fits.
func readAnyOf(list []format, in *input) (Export, error) {
	if in.ask == nil {
		return Export{}, fmt.Errorf("cannot read the export: %w", ErrPasswordNeeded)
	}
	for n := 1; ; n++ {
		export, err := in.attemptAnyOf(list)
		if err == nil {
			return export, nil
		}
		if !errors.Is(err, ErrPassword) || n == attempts {
			return Export{}, err
		}
	}
}

func (in *input) attemptAnyOf(list []format) (Export, error) {
	password, err := in.ask()
	if err != nil {
		return Export{}, err
	}
	defer password.Wipe()
	for _, f := range list {
		one := in.inner(in.data)
		one.ask = once(password)
		export, err := f.export(one)
		one.wipe()
		if err == nil || !errors.Is(err, ErrPassword) {
			return export, err
		}
	}
	return Export{}, fmt.Errorf("cannot read the export, which could be of several programs: %w", ErrPassword)
}

// once gives a copy of the password, and no second one.
func once(password *oath.Secret) func() (*oath.Secret, error) {
	given := false
	return func() (*oath.Secret, error) {
		if given {
			return nil, ErrPassword
		}
		given = true
		return password.Clone(), nil
	}
}

func names() string {
	var list []string
	for _, f := range Formats() {
		list = append(list, f.Name)
	}
	return strings.Join(list, ", ")
}
