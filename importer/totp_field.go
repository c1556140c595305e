package importer

import (
	"bytes"
	"errors"
	"slices"
	"strings"
)

// errTrash is the Problem of what a password manager keeps until its trash is emptied.
var errTrash = errors.New("it is in the trash: if it is still needed, take it out there and export again")

// totpField reads what password managers keep with an item for its TOTP: an otpauth URI, steam://SECRET, or the
// secret alone in base32. The item's title and user name stand in for issuer and name where there are none.
// text still belongs to the caller.
func totpField(text []byte, title, user string) Entry {
	text = bytes.TrimSpace(text)
	if isTOTPURI(text) {
		return namedURI(text, title, user)
	}
	r := record{issuer: title, name: user, kind: kindTOTP}
	r.base32(text)
	return r.entry()
}

// trashed is an entry with errTrash.
func trashed(e Entry) Entry {
	e.Seed.Wipe()
	e.Seed, e.Problem = nil, errTrash
	return e
}

// also names the further TOTPs of an item, of which n came before, by their fields.
func also(user, field string, n int) string {
	if n == 0 || field == "" {
		return user
	}
	return strings.TrimPrefix(user+" - "+field, " - ")
}

// totp returns the field for a TOTP. Bitwarden Authenticator puts nothing into quotation marks, so that a comma in a name
// moves what follows; and it writes three fields more than it has named (bitwarden/android,
// AuthenticatorRepositoryImpl.kt, toCsvFormat).
func (r csvRow) totp(column string) []byte {
	text := r.get(column)
	if len(r.fields) <= len(r.columns) || isTOTPURI(text) {
		return text
	}
	if i := slices.IndexFunc(r.fields, isTOTPURI); i >= 0 {
		return r.fields[i]
	}
	return text
}

func isTOTPURI(text []byte) bool {
	return hasPrefixFold(text, "otpauth://") || hasPrefixFold(text, steamScheme)
}

// readItemsCSV reads a password manager's list: an entry for each line that has something in the column totp. Its name
// is that of the first of the columns users that has something in it.
func readItemsCSV(in *input, totp, title string, users ...string) ([]Entry, error) {
	var entries []Entry
	for row, err := range in.csv() {
		if err != nil {
			return entries, err
		}
		text := row.totp(totp)
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var user string
		for _, column := range users {
			user = instead(user, row.text(column))
		}
		if entries = append(entries, totpField(text, row.text(title), user)); full(entries) {
			break
		}
	}
	return entries, nil
}
