package importer

import (
	"fmt"
	"strings"
)

// googleSQLite is Google Authenticator's own database on Android, databases/databases: table accounts
// with email, secret (base32), counter, type, issuer and, since 2012, original_name
// (google-authenticator-android, AccountDb.java). Since version 5.10 the secrets in it are encrypted with a key that the
// telephone keeps (extract_otp_secrets, issue 24), and no base32.
var googleSQLite = format{
	Format: Format{Name: "google-sqlite", Program: "Google Authenticator (database)", Kind: "SQLite"},
	detect: func(in *input) bool { return in.hasTable("accounts", "email", "secret", "type") },
	read: func(in *input) ([]Entry, error) {
		return in.tableEntries("accounts", googleRow)
	},
}

// googleTypes are the values of the column type; Authenticator Plus, whose table is the same, has a third.
var googleTypes = map[int64]string{0: kindTOTP, 1: kindHOTP}

func googleRow(get func(string) value) Entry {
	r := googleRecord(get)
	if r.problem != nil {
		r.problem = fmt.Errorf("%w; newer versions of the app encrypt it: let the app transfer the account, and take that QR code", r.problem)
	}
	return r.entry()
}

// googleRecord reads an account. The app knows SHA1, 6 digits and 30 seconds alone, whatever a QR code said. The counter
// is taken as it stands, as the app itself hands it on; it counts up before it shows a code (OtpProvider.java), so after
// the first code a service refuses ours once, and takes the next.
func googleRecord(get func(string) value) record {
	r := record{name: get("email").String(), issuer: get("issuer").String(), counter: get("counter").number}
	r.unprefix()
	kind := get("type").number
	r.kind = googleTypes[kind]
	if r.kind == "" {
		r.kind = fmt.Sprintf("type %d", kind)
	}
	r.base32(get("secret").text)
	return r
}

// unprefix takes the issuer off the name where both say it: "GitHub:alice" of GitHub.
func (r *record) unprefix() {
	if name, found := strings.CutPrefix(r.name, r.issuer+":"); found && r.issuer != "" {
		r.name = name
	}
}
