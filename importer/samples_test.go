package importer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// The accounts of Aegis' own test vault, which other programs' samples hold too, minus what they cannot express.
const (
	mason    = "totp Deno|Mason SHA1 6 30 0 4SJHB4GSD43FZBAI7C2HLRJGPQ"
	james    = "totp SPDX|James SHA256 7 20 0 5OM4WOOGPLQEF6UGN3CPEOOLWU"
	elijah   = "totp Airbnb|Elijah SHA512 8 50 0 7ELGJSGXNCCTV3O6LKJWYFV2RA"
	issuu    = "hotp Issuu|James SHA1 6 0 1 YOOMIXWS5GN6RTBPUFFWKTW5M4"
	benjamin = "hotp Air Canada|Benjamin SHA256 7 0 50 KUVJJOM753IHTNDSZVCNKL7GII"
	wwe      = "hotp WWE|Mason SHA512 8 0 10300 5VAML3X35THCEBVRLV24CGBKOY"
	// Aegis has this one of Steam's under another issuer.
	sophia = "totp Steam|Boeing:Sophia SHA1 6 30 0 JRZCL47CMXVOQMNPZR2F7J4RGI"
)

var othersExports = []struct {
	file, format string
	entries      []string
}{
	{"aegis_plain.json", "aegis", []string{mason, james, elijah, issuu, benjamin, wwe, sophia}},
	{"aegis_encrypted.json", "aegis", []string{mason, james, elijah, issuu, benjamin, wwe, sophia}},
	{"2fas_authenticator_encrypted_v3.2fas", "2fas", []string{mason, james, elijah, issuu, benjamin, wwe}},
	{"andotp_encrypted.bin", "andotp", []string{mason, james, elijah, issuu, benjamin, wwe, sophia}},
	{"stratum_encrypted.bin", "stratum", []string{mason, james, elijah, issuu, benjamin, wwe, sophia}},
	{"authy_plain.xml", "authy", []string{
		mason, "totp SPDX|James SHA1 7 30 0 5OM4WOOGPLQEF6UGN3CPEOOLWU", "totp Airbnb|Elijah SHA1 8 30 0 7ELGJSGXNCCTV3O6LKJWYFV2RA",
	}},
	{"bitwarden.json", "bitwarden", []string{mason, james, elijah, "totp Steam|Test Steam SHA1 6 30 0 JRZCL47CMXVOQMNPZR2F7J4RGI"}},
	{"freeotp_plus.json", "freeotp-plus", []string{wwe, benjamin, issuu, elijah, james, mason}},
	{"freeotp_v2_api25.xml", "freeotp", []string{benjamin, elijah, wwe, james, issuu, mason}},
	{"proton_authenticator.json", "proton-authenticator", []string{mason, james, elijah}},
	{"ente_auth.txt", "otpauth", []string{benjamin, elijah, sophia, mason, issuu, james, wwe}},
}

func TestSamples(t *testing.T) {
	dir := need.Samples(t, "imports")
	for _, row := range othersExports {
		data, err := os.ReadFile(filepath.Join(dir, row.file))
		if err != nil {
			t.Fatal(err)
		}
		secret := "test"
		if strings.HasPrefix(row.file, "authy") {
			secret = "testtest"
		}
		export, err := Read(data, Options{Password: password(secret)})
		if err != nil || export.Format != row.format {
			t.Errorf("%s: read as %q, %v", row.file, export.Format, err)
		}
		if got, want := lines(export.Entries), strings.Join(row.entries, "\n")+"\n"; got != want {
			t.Errorf("%s:\n%swant\n%s", row.file, got, want)
		}
		export.Wipe()
	}
}
