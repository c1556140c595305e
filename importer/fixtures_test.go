package importer

import (
	"strings"
	"testing"
)

// The accounts of testdata/make.py, as the function line writes them.
const (
	alice   = "totp Example|alice SHA1 6 30 0 JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	bob     = "totp Béla & Co|bob@example.org SHA256 8 60 0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA"
	carol   = "totp Exotic|carol SHA512 6 30 0 MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPJAUEQ2EIVDEOSCJJJFUYTKOJ5IFCUSTKRKVMV2YLFNDAMJSGM2DKNRXHA4TUOZ4HU7D6QA"
	dave    = "hotp Counting House|dave SHA1 6 0 7 KRUGS4ZANFZSA3TPOQQGCIDTMVSWIIJB"
	eve     = "totp Steam|eve SHA1 6 30 0 ONXW2ZJAMRQXIYJAO5UXI2BAON2GK"
	mallory = `totp Old Bank|mallory algorithm 0 6 30 0 PROBLEM unknown algorithm "MD5": it is SHA1, SHA256 or SHA512`
	long    = `totp A Rather Long-Winded Institution|somebody.with.a.long.name@mail.example.org SHA1 6 30 0 JBSWY3DPEHPK3PXP PROBLEM name too long: "A Rather Long-Winded Institution:somebody.with.a.long.name@mail.example.org" takes 75 bytes on a key, 64 fit`
	broken  = "totp Broken|seed SHA1 6 30 0 PROBLEM the secret is not base32: character 5 is not one of A-Z and 2-7"
	// PSKC calls it by another name.
	malloryPSKC = `totp Old Bank|mallory algorithm 0 6 30 0 PROBLEM unknown algorithm "HMAC-MD5": it is SHA1, SHA256 or SHA512`
	// A URI's problems are found before everything is known.
	malloryURI = "type 0x00 Old Bank|mallory algorithm 0 0 0 0 PROBLEM unknown algorithm: it is SHA1, SHA256 or SHA512"
)

// some is what the encrypted exports hold.
var some = []string{alice, bob, dave, eve}

// all is what the plain ones hold.
var all = []string{alice, bob, carol, dave, eve, mallory, long, broken}

// fixtures are the files of testdata/make.py and of RFC 6030, and what is in them. The password is "test" unless
// another is named.
var fixtures = []struct {
	file, format, password string
	entries                []string
}{
	{file: "otpauth.txt", format: "otpauth", entries: []string{
		alice, bob, carol, dave, eve, malloryURI, long, broken,
		"totp |bare SHA1 6 30 0 MZXW6YTBOI",
		"totp Steam| SHA1 6 30 0 ONXW2ZJAMRQXIYJAO5UXI2BAON2GK PROBLEM unusable name: it is empty",
		"totp |Nameless SHA1 6 30 0 JBSWY3DPEHPK3PXP",
		"type 0x00 |somebody algorithm 0 0 0 0 PROBLEM its type is neither totp nor hotp",
		"type 0x00 | algorithm 0 0 0 0 PROBLEM the line is no otpauth URI",
	}},
	{file: "otpauth_bom.txt", format: "otpauth", entries: []string{alice}},
	{file: "otpauth_utf16le.txt", format: "otpauth", entries: []string{alice}},
	{file: "otpauth_utf16be.txt", format: "otpauth", entries: []string{alice}},
	{file: "google.txt", format: "google-migration", entries: []string{alice, carol, dave, mallory, long}},
	{file: "google_batch1.txt", format: "google-migration", entries: []string{alice}},
	{file: "google_batch2.txt", format: "google-migration", entries: []string{dave, carol}},
	{file: "aegis.json", format: "aegis", entries: append(all[:8:8],
		`totp Modem|frank SHA1 6 0 0 PROBLEM no security key computes codes of this kind: "motp"`,
		`totp Odd|odd SHA1 6 30 0 PROBLEM what it says of its digits is no number`,
	)},
	{file: "aegis_encrypted.json", format: "aegis", entries: some},
	{file: "aegis_encrypted.json", format: "aegis", password: "another", entries: some},
	{file: "2fas_v1.2fas", format: "2fas", entries: []string{alice}},
	{file: "2fas_v2.2fas", format: "2fas", entries: []string{alice, bob, dave}},
	{file: "2fas_v3.2fas", format: "2fas", entries: []string{alice, carol, eve}},
	{file: "2fas_v4.2fas", format: "2fas", entries: append(all[:8:8], "totp |Only A Name SHA1 6 30 0 JBSWY3DPEHPK3PXP")},
	{file: "2fas_encrypted_v4.2fas", format: "2fas", entries: some},
	{file: "andotp.json", format: "andotp", entries: all},
	{file: "andotp_old.json", format: "andotp", entries: []string{alice, dave}},
	{file: "andotp_first.json", format: "andotp", entries: []string{alice}},
	{file: "andotp_encrypted.bin", format: "andotp", entries: some},
	{file: "andotp_encrypted_old.bin", format: "andotp", entries: []string{alice, dave}},
	{file: "gnome_authenticator.json", format: "gnome-authenticator", entries: []string{alice, bob, carol}},
	{file: "ente_backup.txt", format: "otpauth", entries: []string{
		alice, eve, "hotp Counting House|dave SHA1 6 0 7 PROBLEM it is in the trash: if it is still needed, take it out there and export again",
	}},
	{file: "ente_old.txt", format: "otpauth", entries: []string{
		"totp Béla Co #1|bob@example.org SHA256 8 60 0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA", alice,
	}},
	{file: "ente_encrypted.txt", format: "ente", entries: some},
	{file: "ente_encrypted_padded.txt", format: "ente", entries: some},
	{file: "stratum.json", format: "stratum", entries: append(all[:5:5],
		`totp Old Bank|mallory algorithm 0 6 30 0 PROBLEM unknown algorithm "number 3": it is SHA1, SHA256 or SHA512`,
		long, broken,
		`totp Modem|frank SHA1 6 0 0 PROBLEM no security key computes codes of this kind: "mOTP"`,
		"totp |Example SHA1 6 30 0 JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
	)},
	{file: "stratum_encrypted.stratum", format: "stratum", entries: some},
	{file: "stratum_legacy.authpro", format: "stratum", entries: some},
	{file: "otpclient.json", format: "otpclient", entries: some},
	{file: "otpclient_v1.enc", format: "otpclient", entries: some},
	{file: "otpclient_v2.enc", format: "otpclient", entries: some},
	{file: "otpclient_v2_short.enc", format: "otpclient", password: "tést", entries: some},
	{file: "otpclient_v3.enc", format: "otpclient", entries: some},
	{file: "pskc.xml", format: "pskc", entries: []string{alice, bob, carol, dave, malloryPSKC}},
	{file: "pskc_encrypted.xml", format: "pskc", entries: []string{alice, bob, carol, dave, malloryPSKC}},
	{file: "pskc_encrypted_aes256.xml", format: "pskc", entries: []string{alice, bob, carol, dave, malloryPSKC}},
	{file: "rfc6030_figure6.xml", format: "pskc", password: "12345678901234567890123456789012", entries: []string{
		"hotp Issuer|12345678 SHA1 8 0 0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
	}},
	{file: "rfc6030_figure7.xml", format: "pskc", password: "qwerty", entries: []string{
		"hotp Example-Issuer|123456 SHA1 8 0 0 GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
	}},
}

func TestFixtures(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.file, func(t *testing.T) {
			export, err := Read(fixture(t, f.file), Options{Password: password(instead(f.password, "test"))})
			defer export.Wipe()
			if err != nil || export.Format != f.format {
				t.Fatalf("read as %q, %v", export.Format, err)
			}
			if got, want := lines(export.Entries), strings.Join(f.entries, "\n")+"\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}
