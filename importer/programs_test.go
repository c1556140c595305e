package importer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// programs are the files that testdata/make_b.py makes, and what is in them. {x} stands for the seed that the script makes
// of x.
var programs = []struct{ file, format, want string }{
	{"authy.xml", "authy", `
totp GitHub|alice SHA1 6 30 0 {github}
totp Bank|bob SHA1 8 30 0 {bank}
totp Shop|carol's own words SHA1 6 30 0 {shop}
totp |nobody SHA1 6 30 0 {nobody}
totp Eleven|dave SHA1 11 30 0 PROBLEM unusable number of digits: 11, a key holds 6, 7 or 8
totp Broken|erin SHA1 6 30 0 PROBLEM the secret is cut off: no base32 text has this length
totp Empty|frank SHA1 6 30 0 PROBLEM the secret is empty
totp Number|grace SHA1 6 30 0 PROBLEM its secret is not a text
`},
	{"authy_own.xml", "authy", `
totp |Twitch SHA1 7 10 0 {twitch}
totp |Gemini SHA1 7 10 0 PROBLEM its secret is not hexadecimal
`},
	{"authy_encrypted.xml", "authy", `
totp Old|zoe SHA1 6 30 0 PROBLEM this password does not decrypt its secret
totp GitHub|alice SHA1 6 30 0 {github}
totp Bank|bob SHA1 8 30 0 {bank}
totp New|carol SHA1 6 30 0 {new}
totp Known|dave SHA1 6 30 0 {known}
`},
	{"freeotp.xml", "freeotp", freeOTPAccounts + `type 0x00 |Cut:off algorithm 0 0 0 0 PROBLEM it is cut off, or no JSON
`},
	{"freeotp2.bin", "freeotp", `
totp Odd|frank algorithm 0 6 30 0 PROBLEM unknown algorithm "SHA384": it is SHA1, SHA256 or SHA512
totp Steam|erin SHA1 6 30 0 {steam}
totp GitHub|alice SHA256 8 60 0 {github}
totp Plain|éve 😀 SHA1 6 30 0 {plain}
hotp Counting House|dave SHA1 6 0 7 {token}
`},
	{"freeotp2_damaged.bin", "freeotp", `
totp Odd|frank algorithm 0 6 30 0 PROBLEM unknown algorithm "SHA384": it is SHA1, SHA256 or SHA512
totp Steam|erin SHA1 6 30 0 {steam}
totp GitHub|alice SHA256 8 60 0 PROBLEM the master key does not decrypt its secret
totp Plain|éve 😀 SHA1 6 30 0 PROBLEM cannot read its encrypted secret
type 0x00 | algorithm 0 0 0 0 PROBLEM there is its secret, but not what it is for
`},
	{"freeotp_plus.json", "freeotp-plus", freeOTPAccounts},
	{"bitwarden.json", "bitwarden", bitwardenAccounts},
	{"bitwarden.zip", "bitwarden", bitwardenAccounts},
	{"bitwarden_pbkdf2.json", "bitwarden", bitwardenAccounts},
	{"bitwarden_argon2.json", "bitwarden", bitwardenAccounts},
	{"bitwarden.csv", "bitwarden", `
totp GitHub|alice SHA256 8 60 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
totp Steam|Games:erin SHA1 6 30 0 {steam}
totp No issuer|carol SHA1 6 30 0 {shop}
totp Label|dora SHA1 6 30 0 {nolabel}
totp Broken|grace SHA1 6 30 0 PROBLEM the secret is cut off: no base32 text has this length
`},
	{"bitwarden_authenticator.csv", "bitwarden", `
totp GitHub|alice SHA1 6 30 0 {github}
totp Bank, Inc.|bob SHA1 8 30 0 {bank}
totp Steam|Games SHA1 6 30 0 {steam}
totp Steam|A SHA1 6 30 0 {comma}
`},
	{"bitwarden_converted.json", "bitwarden", `
totp GitHub|alice SHA1 6 30 0 {github}
`},
	{"keepassxc.xml", "keepassxc", `
totp GitHub|alice SHA512 8 60 0 {github}
totp Steam|Games:erin SHA1 6 30 0 {steam}
totp |Unnamed SHA1 6 30 0 {unnamed}
totp KeeOtp|bob SHA256 8 60 0 {keeotp}
hotp KeeOtp2|bob SHA1 6 0 4 {keeotp2}
totp KeePassOTP|bob SHA1 6 30 0 {keepassotp}
totp Two|one SHA1 6 30 0 {one}
totp Two|two SHA1 6 30 0 {two}
totp Legacy|carol SHA1 8 60 0 {legacy}
totp Steam|Legacy Steam:carol SHA1 6 30 0 {steam2}
totp Bare|carol SHA1 6 30 0 {bare}
totp KeePass|dave SHA256 8 60 0 {base32}
totp Hex|dave SHA1 6 30 0 {hex}
totp Base64|dave SHA1 6 30 0 {base64}
hotp Counter|dave SHA1 6 0 41 ORUGKIDTMVSWIIDBOMQHIZLYOQ
totp Broken|frank SHA1 6 30 0 PROBLEM what it says of its period is no number
totp Odd|frank SHA1 6 30 0 PROBLEM its secret is written in "UTF8": base32 and hexadecimal are known
totp Gone|grace SHA1 6 30 0 PROBLEM it is in the trash: if it is still needed, take it out there and export again
totp Last|heidi SHA1 6 30 0 {last}
`},
	{"keepassxc.csv", "keepassxc", `
totp GitHub|alice SHA512 8 60 0 {github}
totp Steam|Games:erin SHA1 6 30 0 {steam}
`},
	{"1password.1pux", "1password", `
totp GitHub|alice SHA1 8 30 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
totp Two|carol SHA1 6 30 0 {one}
totp Two|carol - second SHA1 6 30 0 {two}
totp Archived|erin SHA1 6 30 0 {archived}
totp |Linked SHA1 6 30 0 {linked}
type 0x00 |Broken algorithm 0 0 0 0 PROBLEM its secret is not a text
totp Older|heidi SHA1 6 30 0 {older}
`},
	{"1password.csv", "1password", `
totp GitHub|alice SHA1 8 30 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
`},
	{"proton_authenticator.json", "proton-authenticator", protonAccounts},
	{"proton_authenticator_encrypted.json", "proton-authenticator", protonAccounts},
	{"proton_pass.json", "proton-pass", protonPassAccounts},
	{"proton_pass.zip", "proton-pass", protonPassAccounts},
	{"proton_pass.csv", "proton-pass", `
totp GitHub|alice SHA1 6 30 0 {github}
`},
	{"lastpass.json", "lastpass", `
totp GitHub|alice SHA256 8 60 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
totp Odd|carol SHA1 6 30 0 {odd}
totp Odder|carol SHA1 6 30 0 PROBLEM what it says of its digits is no number
totp Broken|dave SHA1 6 30 0 PROBLEM the secret is not base32: character 1 is not one of A-Z and 2-7
`},
	{"raivo.json", "raivo", raivoAccounts},
	{"raivo.zip", "raivo", raivoAccounts},
}

const freeOTPAccounts = `
totp GitHub|alice SHA1 6 30 0 {github}
totp Bank|bob SHA256 8 60 0 {bank}
hotp Counting House|dave SHA1 6 0 7 {token}
hotp Fresh|dora SHA1 6 0 0 {fresh}
totp Steam|erin SHA1 6 30 0 {steam}
totp Shop|caroline SHA1 6 30 0 {shop}
totp MD|frank algorithm 0 6 30 0 PROBLEM unknown algorithm "MD5": it is SHA1, SHA256 or SHA512
totp Broken|grace SHA1 6 0 0 PROBLEM it is not of the form that belongs there
`

const bitwardenAccounts = `
totp GitHub|alice SHA256 8 60 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
totp Steam|Games:erin SHA1 6 30 0 {steam}
totp No issuer|carol SHA1 6 30 0 {shop}
totp Label|dora SHA1 6 30 0 {nolabel}
totp Broken|grace SHA1 6 30 0 PROBLEM the secret is cut off: no base32 text has this length
totp |Number SHA1 6 30 0 PROBLEM its secret is not a text
totp Gone|heidi SHA1 6 30 0 PROBLEM it is in the trash: if it is still needed, take it out there and export again
`

const protonAccounts = `
totp GitHub|alice SHA256 8 15 0 {github}
totp Bank|bob SHA1 6 30 0 {bank}
totp Steam|erin SHA1 6 30 0 {steam}
totp |Broken SHA1 6 30 0 PROBLEM the secret is not base32: character 1 is not one of A-Z and 2-7
type 0x00 |Empty algorithm 0 0 0 0 PROBLEM it does not begin with "otpauth://"
`

const protonPassAccounts = `
totp GitHub|alice SHA1 6 30 0 {github}
totp Bank|bob@example.org SHA1 6 30 0 {bank}
totp Two|carol SHA1 6 30 0 {one}
totp Two|carol - second SHA1 6 30 0 {two}
totp Only a field|dave SHA1 6 30 0 {field}
type 0x00 |Number algorithm 0 0 0 0 PROBLEM its secret is not a text
totp Gone|frank SHA1 6 30 0 PROBLEM it is in the trash: if it is still needed, take it out there and export again
totp |Me SHA1 6 30 0 {mail}
totp Me|card SHA1 6 30 0 {card}
`

const raivoAccounts = `
totp GitHub|alice SHA256 8 60 0 {github}
hotp Counting House|dave SHA1 6 0 7 {token}
totp Odd|carol SHA1 6 0 0 PROBLEM no security key computes codes of this kind: "YANDEX"
totp Broken|erin SHA1 6 30 0 PROBLEM what it says of its digits is no number
`

func TestPrograms(t *testing.T) {
	for _, row := range programs {
		export, err := Read(fixture(t, row.file), Options{Password: password("test")})
		if err != nil || export.Format != row.format {
			t.Errorf("%s: %q, %v", row.file, export.Format, err)
			continue
		}
		if got, want := lines(export.Entries), withSeeds(row.want); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", row.file, got, want)
		}
		export.Wipe()
	}
}

func TestProgramsErrors(t *testing.T) {
	java := string(fixture(t, "freeotp2.bin"))
	for _, c := range []struct{ name, format, data, want string }{
		{"no Authy", "authy", "<map></map>", "there are no accounts in it"},
		{"cut preferences", "authy", "<map><string name='com.authy.storage.tokens.authy.key'>[", "cut off"},
		{"cut JSON", "authy", "<map><string name='com.authy.storage.tokens.authy.key'>[</string></map>", "cut off, or no JSON"},
		{"cut preferences", "freeotp", "<map><string name='a'>{", "cut off"},
		{"cut map", "freeotp", java[:200], "cut off"},
		{"cut head", "freeotp", java[:20], "cut off: 20 bytes, at least"},
		{"another class", "freeotp", strings.Replace(java, "HashMap", "HashSet", 1), "no Java map of texts"},
		{"another object", "freeotp", strings.Replace(java, "t\x00", "s\x00", 1), "no Java map of texts"},
		{"no master key", "freeotp", strings.Replace(java, "masterKey", "mastersKy", 1), "cannot read its master key"},
		{"another hash", "freeotp", strings.Replace(java, "PBKDF2withHmacSHA512", "PBKDF2withHmacSHA384", 1), "is none that FreeOTP uses"},
		{"another cipher", "freeotp", strings.ReplaceAll(java, `"AES/GCM/NoPadding`, `"AES/CBC/NoPadding`), "is none that FreeOTP uses"},
		{"odd parameters", "freeotp", strings.ReplaceAll(java, `"mParameters":[48`, `"mParameters":[49`), "mean nothing"},
		{"cut JSON", "freeotp-plus", `{"tokens": [`, "cut off"},
		{"the account's own encryption", "", string(fixture(t, "bitwarden_account.json")), "nobody else can read it"},
		{"cut JSON", "bitwarden", `{"items": [`, "cut off"},
		{"another encryption", "", `{"encrypted": true, "passwordProtected": true, "data": "0.AA==|AA==|AA=="}`, "(type 2)"},
		{"two parts", "", `{"encrypted": true, "passwordProtected": true, "data": "2.AA==|AA=="}`, "(type 2)"},
		{"no base64", "", `{"encrypted": true, "passwordProtected": true, "data": "2.AA==|*|AA=="}`, "not base64"},
		{"another hash", "", `{"encrypted": true, "passwordProtected": true, "kdfType": 2, "data": "2.AA==|AA==|AA=="}`, "number 2"},
		{"an open quotation mark", "", "name,login_totp\nx,\"y\n", "line 2: it is cut off"},
		{"text after a quotation mark", "", "name,login_totp\n\"x\"y,z\n", "line 2: it is cut off"},
		{"a wide table", "", "name,login_totp\n" + strings.Repeat(",", maxFields), "more than 256 fields"},
		{"cut XML", "keepassxc", "<KeePassFile><Root>", "cut off"},
		{"values as they are in a database", "", `<KeePassFile><Entry><String><Key>otp</Key><Value Protected="True">AA</Value></String></Entry></KeePassFile>`, "export it from"},
		{"a field in a field", "", `<KeePassFile><Entry><String><Key><Key/></Key></String></Entry></KeePassFile>`, "where a text belongs"},
		{"deep XML", "", strings.Repeat("<KeePassFile>", 1000), "deeper than 256"},
		{"cut JSON", "1password", `{"accounts": [`, "cut off"},
		{"no list", "1password", `{"a": 1}`, "no accounts"},
		{"cut JSON", "proton-authenticator", `{"entries": [`, "cut off"},
		{"the future", "", `{"version": 2, "salt": "AA==", "content": "AA=="}`, "it has version 2"},
		{"no salt", "", `{"version": 1, "salt": "*", "content": "AA=="}`, "salt is not base64"},
		{"no content", "", `{"version": 1, "salt": "AA==", "content": "*"}`, "content is not base64"},
		{"little content", "", `{"version": 1, "salt": "AA==", "content": "AA=="}`, "cut off"},
		{"a PGP message", "", string(fixture(t, "proton_pass.pgp")), "encrypted with PGP"},
		{"a PGP message in an archive", "", string(fixture(t, "proton_pass_encrypted.zip")), "encrypted with PGP"},
		{"cut JSON", "proton-pass", `{"vaults": {`, "cut off"},
		{"a cut archive", "proton-pass", string(fixture(t, "proton_pass.zip")[:300]), "cut off"},
		{"cut JSON", "lastpass", `{"accounts": [`, "cut off"},
		{"cut JSON", "raivo", `[{`, "cut off"},
		{"an archive of unknown encryption", "raivo", strings.ReplaceAll(string(fixture(t, "raivo.zip")), "\x01\x99", "\x02\x99"), "does not say how it is encrypted"},
	} {
		_, err := Read([]byte(c.data), Options{Format: c.format, Password: password("test")})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %q", c.format, c.name, err, c.want)
		}
	}
}

func TestProgramsPassword(t *testing.T) {
	for _, name := range []string{"authy_encrypted.xml", "freeotp2.bin", "bitwarden_pbkdf2.json", "bitwarden_argon2.json", "proton_authenticator_encrypted.json", "raivo.zip"} {
		data := fixture(t, name)
		if _, err := Read(data, Options{}); !errors.Is(err, ErrPasswordNeeded) {
			t.Errorf("%s without a password: %v", name, err)
		}
		if _, err := Read(data, Options{Password: password("wrong")}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s with a wrong one: %v", name, err)
		}
	}
}

// TestProgramsCosts has exports ask for hashes that nobody could wait for, or has memory for.
func TestProgramsCosts(t *testing.T) {
	for _, c := range []struct {
		file   string
		limits limits
		change []string
		want   error
	}{
		{"authy_encrypted.xml", limits{work: 101_000}, nil, ErrLimit},
		{"freeotp2.bin", limits{work: 99_999}, nil, ErrLimit},
		{"freeotp2.bin", usualLimits, []string{`"mIterations":100000`, `"mIterations":-99999`}, errParameters},
		{"bitwarden_pbkdf2.json", usualLimits, []string{`"kdfIterations": 5000`, `"kdfIterations": 1000000000`}, ErrLimit},
		{"bitwarden_pbkdf2.json", usualLimits, []string{`"kdfIterations": 5000`, `"kdfIterations": 0`}, errParameters},
		{"bitwarden_argon2.json", usualLimits, []string{`"kdfMemory": 16`, `"kdfMemory": 9007199254740993`}, ErrLimit},
		{"bitwarden_argon2.json", usualLimits, []string{`"kdfIterations": 2`, `"kdfIterations": 2000000`}, ErrLimit},
		{"bitwarden_argon2.json", usualLimits, []string{`"kdfParallelism": 4`, `"kdfParallelism": 1000`}, errParameters},
		{"proton_authenticator_encrypted.json", limits{memory: 19<<20 - 1, work: 1 << 30}, nil, ErrLimit},
		{"raivo.zip", limits{work: 999}, nil, ErrLimit},
	} {
		data := fixture(t, c.file)
		changed := []byte(strings.NewReplacer(c.change...).Replace(string(data)))
		if c.change != nil && bytes.Equal(changed, data) {
			t.Fatalf("%s has nothing of %q", c.file, c.change)
		}
		begin := worked(t)
		_, err := read(changed, Options{Password: password("test")}, c.limits)
		if took := worked(t) - begin; !errors.Is(err, c.want) || took > 2*time.Second {
			t.Errorf("%s with %q: %v after %v, want %v", c.file, c.change, err, took, c.want)
		}
	}
}
