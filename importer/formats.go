package importer

import (
	"slices"
	"strings"
)

// Format describes a format to people.
type Format struct {
	// Name is what selects it: "aegis". Plain and encrypted exports of one program share it.
	Name string
	// Program is what people call the program: "Aegis".
	Program string
	// Kind says what the file is: "JSON", "XML", "SQLite".
	Kind string
	// Encrypted reports whether its encrypted exports are read too.
	Encrypted bool
}

// format is a Format with what it takes to read it.
type format struct {
	Format
	// detect reports whether the input looks like this format. It is quick, and changes nothing.
	detect func(in *input) bool
	// read decodes the input. What is wrong with one entry stands in the entry.
	read func(in *input) ([]Entry, error)
}

// formats holds all formats in the order in which they are looked for: what has a mark of its own
// first, what is known only by having no other form last.
var formats = slices.Concat(
	marked,
	unmarked,
)

// marked are the formats with a magic number, or with fields that no other format has.
var marked = []format{
	winauth, otpauthFormat, googleMigration, aegis, twoFAS, gnomeAuthenticator, andOTP, enteAuth, stratum, otpClient, pskc,
	authy, freeOTP, freeOTPPlus, bitwarden, keePassXC, onePassword, protonAuthenticator, protonPass, lastPass, raivo,
	authenticatorPlus, googleSQLite, microsoftSQLite, duo, steamGuard, battlenet,
}

// unmarked are the formats that are known by nothing but being no other.
var unmarked = []format{passOTP, totpAuthenticator}

// Formats returns all formats, in the order of their names.
func Formats() []Format {
	var list []Format
	for _, f := range slices.Concat(formats, random) {
		list = append(list, f.Format)
	}
	slices.SortFunc(list, func(a, b Format) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(list) // a format can be looked for in two places
}
