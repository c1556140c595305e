package importer

import (
	"errors"
	"fmt"
)

// microsoftSQLite is Microsoft Authenticator's own database on Android, databases/PhoneFactor: table
// accounts with name (of the service), username, oath_secret_key, account_type and, in newer versions,
// encrypted_oath_secret_key (Aegis, MicrosoftAuthImporter.java).
var microsoftSQLite = format{
	Format: Format{Name: "microsoft-sqlite", Program: "Microsoft Authenticator", Kind: "SQLite"},
	detect: func(in *input) bool { return in.hasTable("accounts", "oath_secret_key", "account_type") },
	read: func(in *input) ([]Entry, error) {
		return in.tableEntries("accounts", microsoftRow)
	},
}

// The account types: one added by a QR code, a personal Microsoft account, and one of a company.
const (
	microsoftTOTP     = 0
	microsoftPersonal = 1
	microsoftWork     = 2
)

var (
	errMicrosoftWork      = errors.New("it is an account of a company, approved in the app: what codes it has, only the app can compute")
	errMicrosoftEncrypted = errors.New("its secret is encrypted with a key that the telephone keeps")
)

func microsoftRow(get func(string) value) Entry {
	r := record{issuer: get("name").String(), name: get("username").String(), kind: kindTOTP}
	secret := get("oath_secret_key").text
	switch kind := get("account_type").number; {
	case kind == microsoftWork:
		r.seed(nil, errMicrosoftWork)
	case len(secret) == 0 && len(get("encrypted_oath_secret_key").text) > 0:
		r.seed(nil, errMicrosoftEncrypted)
	case kind == microsoftTOTP:
		r.base32(secret)
	case kind == microsoftPersonal:
		r.digits = 8
		r.base64(secret)
	default:
		r.kind = fmt.Sprintf("type %d", kind)
	}
	return r.entry()
}
