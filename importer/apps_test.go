package importer

import (
	"crypto/sha1"
	"encoding/base32"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

// apps are the files that testdata/make_c.py makes, and what is in them. {x} stands for the seed that the script makes of
// x, LONG for a name that no page of a database holds.
var apps = []struct{ file, format, want string }{
	{"google_sqlite.db", "google-sqlite", `
totp |old@example.com SHA1 6 30 0 {old}
totp GitHub|alice@example.com SHA1 6 30 0 {github}
totp GitHub|bob SHA1 6 30 0 {bob}
totp Bank|carol SHA1 6 30 0 {bank}
hotp Issuu|token SHA1 6 0 300 {hotp}
totp New|encrypted SHA1 6 30 0 PROBLEM the secret is not base32: character 10 is not one of A-Z and 2-7; newer versions of the app encrypt it: let the app transfer the account, and take that QR code
totp Strange|strange SHA1 6 0 0 PROBLEM no security key computes codes of this kind: "type 9"
totp Long|LONG SHA1 6 30 0 {long} PROBLEM name too long: "Long:LONG" takes 805 bytes on a key, 64 fit
totp Überbank|Zoë SHA1 6 30 0 {zoe}
`},
	{"microsoft_sqlite.db", "microsoft-sqlite", `
totp GitHub|alice SHA1 6 30 0 {github}
totp Microsoft|alice@outlook.example SHA1 8 30 0 {personal}
totp Contoso|alice@contoso.example SHA1 6 30 0 PROBLEM it is an account of a company, approved in the app: what codes it has, only the app can compute
totp Newer|alice SHA1 6 30 0 PROBLEM its secret is encrypted with a key that the telephone keeps
totp Damaged|alice SHA1 6 30 0 PROBLEM the secret is not base32: character 1 is not one of A-Z and 2-7
`},
	{"duo.json", "duo", `
totp |company SHA1 6 30 0 PROBLEM the secret is empty
totp |alice SHA1 6 30 0 {github}
hotp Bank|bob SHA1 6 0 3 {bank}
totp |damaged SHA1 6 30 0 PROBLEM its secret is not a text
`},
	{"steam.maFile", "steam", `
totp Steam|dave SHA1 6 30 0 {steam}
`},
	{"steam_accounts.json", "steam", `
totp Steam|dave SHA1 6 30 0 {steam}
totp Steam|erin SHA1 6 30 0 PROBLEM its secret is not base64
`},
	{"totp_authenticator.txt", "totp-authenticator", totpAccounts},
	{"totp_authenticator_password.txt", "totp-authenticator", totpAccounts},
	{"totp_authenticator.xml", "totp-authenticator", totpAccounts},
	{"battlenet.xml", "battle-net", `
totp Battle.net|EU-1234-5678-9012 SHA1 8 30 0 {blizzard}
`},
	{"battlenet_messenger.xml", "battle-net", `
totp Battle.net|US-1234-5678-9012 SHA1 8 30 0 {messenger}
`},
	{"winauth.txt", "winauth", winauthAccounts},
	{"winauth.zip", "winauth", winauthAccounts},
	{"authenticator_plus.zip", "authenticator-plus", `
totp Google|alice SHA1 6 30 0 {google}
totp Dropbox|bob SHA1 6 30 0 {dropbox}
`},
	{"authenticator_plus.db", "authenticator-plus", `
totp Google|alice SHA1 6 30 0 {google}
hotp Token|bob SHA1 6 0 5 {hotp}
totp Battle.net|US-1234-5678-9012 SHA1 8 30 0 {blizzard}
totp |Damaged SHA1 6 30 0 PROBLEM the secret is not base32: character 1 is not one of A-Z and 2-7
`},
	{"pass_otp.txt", "pass-otp", `
totp GitHub|alice SHA1 6 30 0 {github}
`},
}

const totpAccounts = `
totp GitHub|alice SHA1 6 30 0 {github}
totp |bob SHA1 6 30 0 {bank}
totp Strict|carol "the" <first> SHA1 8 60 0 {strict}
totp Odd|dave SHA1 6 30 0 PROBLEM its secret is written to base 10: 16, 32 and 64 are known
`

const winauthAccounts = `
totp |My Bank SHA1 6 30 0 {bank}
totp Two Words|alice+one@example.com SHA1 6 30 0 {github}
totp BattleNet|Battle.net SHA1 8 30 0 {blizzard}
totp Steam|dave SHA1 6 30 0 {steam}
hotp |token SHA1 6 0 41 {hotp}
totp Long|alice SHA512 6 60 0 {long}
totp |Broken SHA1 6 30 0 PROBLEM the secret is not base32: character 1 is not one of A-Z and 2-7
`

func TestApps(t *testing.T) {
	for _, row := range apps {
		e, err := Read(fixture(t, row.file), Options{Password: password("test")})
		if err != nil || e.Format != row.format {
			t.Errorf("%s: %q, %v", row.file, e.Format, err)
			continue
		}
		if got, want := lines(e.Entries), withSeeds(row.want); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", row.file, got, want)
		}
	}
}

// fixture reads a file of testdata.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var seedName = regexp.MustCompile(`\{(\w+)\}`)

// withSeeds puts in what stands for seeds, as make_c.py does.
func withSeeds(want string) string {
	want = seedName.ReplaceAllStringFunc(strings.TrimPrefix(want, "\n"), func(name string) string {
		seed := sha1.Sum([]byte(strings.Trim(name, "{}")))
		return base32.StdEncoding.EncodeToString(seed[:])
	})
	return strings.ReplaceAll(want, "LONG", strings.Repeat("long", 200))
}

// writeAheadDatabase prints a database whose only account is in its write-ahead log.
const writeAheadDatabase = `
import sqlite3, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    db = sqlite3.connect(folder + "/db")
    db.execute("PRAGMA journal_mode=wal")
    db.execute("CREATE TABLE accounts (email TEXT, secret TEXT, type INTEGER)")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("INSERT INTO accounts VALUES ('alice', 'MFRGGZDF', 0)")
    db.commit()
    sys.stdout.buffer.write(open(folder + "/db", "rb").read())
`

func TestAppsErrors(t *testing.T) {
	google := fixture(t, "google_sqlite.db")
	for _, c := range []struct {
		name, format, data, want string
	}{
		{"encrypted maFiles", "steam", string(fixture(t, "steam_manifest.json")), "take their encryption off"},
		{"no Steam account", "steam", `{"a": 1}`, "no shared_secret"},
		{"cut JSON", "steam", `{"shared_secret": "`, "cut off"},
		{"cut JSON", "duo", `[{"otpGenerator": {`, "cut off"},
		{"another table", "microsoft-sqlite", strings.ReplaceAll(string(google), "accounts", "recounts"), "no table accounts"},
		{"no database", "google-sqlite", strings.Repeat("x", 200), "no SQLite database"},
		{"little", "google-sqlite", "SQLite format 3\x00", "cut off: 16 bytes, at least 100"},
		{"cut database", "google-sqlite", string(google[:1024]), "it has 2 pages, and needs page"},
		{"other preferences", "totp-authenticator", "<map></map>", "STATIC_TOTP_CODES_LIST is not in it"},
		{"other preferences", "battle-net", "<map></map>", "AUTHENTICATOR_DEVICE_SECRET is not in it"},
		{"cut preferences", "battle-net", "<map><string", "cut off"},
		{"an empty database", "google-sqlite", string(python(t, writeAheadDatabase)), "wal_checkpoint"},
		{"no base64", "totp-authenticator", "!", "not base64"},
		{"no blocks", "totp-authenticator", "QUJD", "no whole number of blocks"},
		{"no list", "winauth", "# nothing\n", "no URI in it"},
		{"neither", "authenticator-plus", "nothing", "neither an archive with Accounts.txt nor an encrypted database"},
		{"no URI", "pass-otp", "password\nuser: alice", "no line in it"},
	} {
		if _, err := Read([]byte(c.data), Options{Format: c.format}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v", c.format, c.name, err)
		}
	}
}

func TestAppsPassword(t *testing.T) {
	for _, name := range []string{"totp_authenticator_password.txt", "winauth.zip", "authenticator_plus.zip", "authenticator_plus.db"} {
		data := fixture(t, name)
		if _, err := Read(data, Options{}); !errors.Is(err, ErrPasswordNeeded) {
			t.Errorf("%s without a password: %v", name, err)
		}
		asked := 0
		_, err := Read(data, Options{Password: func() (*oath.Secret, error) {
			if asked++; asked > 1 {
				return nil, io.EOF
			}
			return oath.CopySecret([]byte("wrong")), nil
		}})
		if asked != 2 || !errors.Is(err, io.EOF) {
			t.Errorf("%s with a wrong one: asked %d times, %v", name, asked, err)
		}
	}
}
