package otpauth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pquerna/otp"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// hello is the seed of "JBSWY3DPEHPK3PXP".
const hello = "Hello!\xde\xad\xbe\xef"

func totp(issuer, name string) oath.Account {
	return oath.Account{Issuer: issuer, Name: name, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
}

func with(a oath.Account, change func(*oath.Account)) oath.Account {
	change(&a)
	return a
}

func TestParse(t *testing.T) {
	hotp := oath.Account{Issuer: "Bank", Name: "carol", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
	tests := []struct {
		uri     string
		want    oath.Account
		seed    string
		counter uint32
	}{
		{"otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP", totp("", "alice"), hello, 0},
		{"  otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP\r\n", totp("", "alice"), hello, 0},
		{"OTPAUTH://TOTP/alice?secret=jbswy3dpehpk3pxp", totp("", "alice"), hello, 0},
		{"otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP", totp("Example", "alice@google.com"), hello, 0},
		{"otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXP&issuer=Other", totp("Other", "alice"), hello, 0},
		{"otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXP&issuer=", totp("Example", "alice"), hello, 0},
		{"otpauth://totp/Example%3A%20alice?secret=JBSWY3DPEHPK3PXP", totp("Example", "alice"), hello, 0},
		{"otpauth://totp/AWS:root:1?secret=JBSWY3DPEHPK3PXP", totp("AWS", "root:1"), hello, 0},
		{"otpauth://totp/a+b?secret=JBSWY3DPEHPK3PXP&issuer=Big+Corp", totp("Big Corp", "a+b"), hello, 0},
		{"otpauth://totp/Stra%C3%9Fe:%E6%B1%89?secret=JBSWY3DPEHPK3PXP", totp("Straße", "汉"), hello, 0},
		{"otpauth://totp/Amazon%20Web%20Services:root-account-mfa-device@123456789012?secret=JBSWY3DPEHPK3PXP&issuer=Amazon%20Web%20Services",
			totp("Amazon Web Services", "root-account-mfa-device@123456789012"), hello, 0},
		{"otpauth://totp/a?secret=JBSW+Y3DP-EHPK+3PXP", totp("", "a"), hello, 0},
		{"otpauth://totp/a?secret=MY%3D%3D%3D%3D%3D%3D", totp("", "a"), "f", 0},
		{"otpauth://totp/a?secret=MZXQ====", totp("", "a"), "fo", 0},
		{"otpauth://totp/a?secret=MZXW6", totp("", "a"), "foo", 0},
		{"otpauth://totp/a?secret=MZXW6YQ", totp("", "a"), "foob", 0},
		{"otpauth://totp/a?secret=MZXW6YTB&image=https%3A%2F%2Fx&color", totp("", "a"), "fooba", 0},
		{"otpauth://totp/a?secret=MY&algorithm=SHA256&digits=8&period=60",
			oath.Account{Name: "a", Type: oath.TOTP, Algorithm: oath.SHA256, Digits: 8, Period: 60}, "f", 0},
		{"otpauth://totp/a?secret=MY&algorithm=HmacSHA512&digits=7",
			with(totp("", "a"), func(a *oath.Account) { a.Algorithm, a.Digits = oath.SHA512, 7 }), "f", 0},
		{"otpauth://totp/a?secret=MY&algorithm=sha-1&counter=5", totp("", "a"), "f", 0},
		{"otpauth://hotp/Bank:carol?secret=MY&counter=4294967295", hotp, "f", 1<<32 - 1},
		{"otpauth://hotp/Bank:carol?secret=MY&period=0", hotp, "f", 0},
		{"otpauth://totp/Steam:dave?secret=MY&digits=5", totp("Steam", "dave"), "f", 0},
		{"otpauth://totp/Steam:dave?secret=MY&digits=5&encoder=steam", totp("Steam", "dave"), "f", 0},
	}
	for _, test := range tests {
		t.Run(test.uri, func(t *testing.T) {
			got, err := otpauth.Parse([]byte(test.uri))
			if err != nil {
				t.Fatal(err)
			}
			defer got.Wipe()
			if got.Account != test.want || got.Counter != test.counter || string(got.Seed.Bytes()) != test.seed {
				t.Errorf("got %+v, counter %d, seed %q\nwant %+v, counter %d, seed %q",
					got.Account, got.Counter, got.Seed.Bytes(), test.want, test.counter, test.seed)
			}
		})
	}
}

// secret is in each URI of TestParseErrors, and may be in no error.
const secret = "KRSXG5CTMVRXEZLU"

func TestParseErrors(t *testing.T) {
	tests := []struct{ uri, want string }{
		{"", "does not begin with"},
		{"https://example.com/?secret=" + secret, "does not begin with"},
		{"otpauth-migration://offline?data=" + secret, "export of Google Authenticator"},
		{"otpauth://totp?secret=" + secret, "no label"},
		{"otpauth://totp/a", "no secret"},
		{"otpauth://totp/a&secret=" + secret, "no secret"},
		{"otpauth://totp/a?Secret=" + secret, "no secret"},
		{"otpauth://" + secret + "/a?secret=" + secret, "neither totp nor hotp"},
		{"otpauth://motp/a?secret=" + secret, "neither totp nor hotp"},
		{"otpauth://totp/?secret=" + secret, "it is empty"},
		{"otpauth://totp/Example:?secret=" + secret, "it is empty"},
		{"otpauth://totp/a%2?secret=" + secret, "label is not escaped properly"},
		{"otpauth://totp/a%0Ab?secret=" + secret, "control character"},
		{"otpauth://totp/a%E2%80%AEb?secret=" + secret, "control character"},
		{"otpauth://totp/a%FF?secret=" + secret, "not UTF-8"},
		{"otpauth://totp/a?secret=" + secret + "&issuer=x:y", "would give"},
		{"otpauth://totp/a?secret=" + secret + "&issuer=%zz", `"issuer" is not escaped properly`},
		{"otpauth://totp/a#1?secret=" + secret, "%23"},
		{"otpauth://totp/" + strings.Repeat("n", 65) + "?secret=" + secret, "takes 65 bytes on a key, 64 fit"},
		{"otpauth://totp/" + strings.Repeat("ß", 31) + "?secret=" + secret + "&period=60", "takes 65 bytes"},
		{"otpauth://totp/a?secret=" + secret + "&secret=" + secret, "two secrets"},
		{"otpauth://totp/a?secret=" + secret + "&digits=6&digits=6", `"digits" twice`},
		{"otpauth://totp/a?secret=" + secret + "&algorithm=MD5", "SHA1, SHA256 or SHA512"},
		{"otpauth://totp/a?secret=" + secret + "&algorithm=", "SHA1, SHA256 or SHA512"},
		{"otpauth://totp/a?secret=" + secret + "&digits=5", "number of digits: 5"},
		{"otpauth://totp/a?secret=" + secret + "&digits=11", "number of digits: 11"},
		{"otpauth://totp/a?secret=" + secret + "&digits=six", `"digits" is not a number`},
		{"otpauth://totp/a?secret=" + secret + "&period=0", "period: 0 seconds"},
		{"otpauth://totp/a?secret=" + secret + "&period=-30", `"period" is not a number`},
		{"otpauth://totp/a?secret=" + secret + "&period=86401", "period: 86401 seconds"},
		{"otpauth://hotp/a?secret=" + secret + "&counter=4294967296", `"counter" is not a number`},
		{"otpauth://totp/a?secret=" + secret + "&encoder=other", "encoder is unknown"},
		{"otpauth://totp/a?secret=" + secret + "&encoder=steam", "issuer Steam"},
		{"otpauth://totp/a?secret=", "secret is empty"},
		{"otpauth://totp/a?secret=%20-%3D", "secret is empty"},
		{"otpauth://totp/a?secret=" + secret + "1", "character 17 is not one of A-Z and 2-7"},
		{"otpauth://totp/a?secret=" + secret + "=A", "character 18"},
		{"otpauth://totp/a?secret=" + secret + "%0", "secret is not escaped properly"},
		{"otpauth://totp/a?secret=" + secret + "%xy", "secret is not escaped properly"},
		{"otpauth://totp/a?secret=" + secret + "A", "cut off"},
		{"otpauth://totp/a?secret=" + secret + "AAA", "cut off"},
		{"otpauth://totp/a?secret=" + secret + "AAAAAA", "cut off"},
		{"otpauth://totp/a?secret=" + strings.Repeat("A", otpauth.MaxLen), "longer than 4096 bytes"},
	}
	for _, test := range tests {
		t.Run(test.uri, func(t *testing.T) {
			_, err := otpauth.Parse([]byte(test.uri))
			if err == nil || !strings.HasPrefix(err.Error(), "cannot use the otpauth URI: ") {
				t.Fatalf("got error %v", err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %q, want one with %q", err, test.want)
			}
			if strings.Contains(strings.ToUpper(err.Error()), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	for uri, want := range map[string]error{
		"otpauth-migration://offline?data=x":                       otpauth.ErrMigration,
		"otpauth://totp/a?secret=MY&digits=9":                      oath.ErrDigits,
		"otpauth://totp/a?secret=MY&algorithm=MD5":                 oath.ErrAlgorithm,
		"otpauth://totp/a?secret=MY&period=0":                      oath.ErrPeriod,
		"otpauth://totp/?secret=MY":                                oath.ErrName,
		"otpauth://totp/" + strings.Repeat("n", 65) + "?secret=MY": oath.ErrNameLong,
	} {
		if _, err := otpauth.Parse([]byte(uri)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", uri, err, want)
		}
	}
}

func TestParseAs(t *testing.T) {
	long := []byte("otpauth://totp/" + strings.Repeat("n", 65) + "?secret=MY&issuer=Corp")
	entry, err := otpauth.ParseAs(long, func(a *oath.Account) { a.Name = "short" })
	if err != nil || entry.Account != totp("Corp", "short") {
		t.Errorf("got %+v, %v", entry.Account, err)
	}
	entry.Wipe()
	if _, err := otpauth.ParseAs(long, func(a *oath.Account) { a.Name = "" }); !errors.Is(err, oath.ErrName) {
		t.Errorf("the new name is not checked: %v", err)
	}
}

func TestFormat(t *testing.T) {
	entry := otpauth.Entry{Account: totp("Big Corp", "a:b+c&d"), Seed: oath.CopySecret([]byte(hello))}
	defer entry.Wipe()
	const want = "otpauth://totp/Big%20Corp:a%3Ab%2Bc%26d?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp&algorithm=SHA1&digits=6&period=30"
	if got := otpauth.Format(entry); string(got.Bytes()) != want {
		t.Errorf("got  %s\nwant %s", got.Bytes(), want)
	}
}

func TestWipe(t *testing.T) {
	entry, err := otpauth.Parse([]byte("otpauth://totp/a?secret=MY"))
	if err != nil {
		t.Fatal(err)
	}
	if entry.Wipe(); entry.Seed.Bytes() != nil {
		t.Error("the seed is still there")
	}
}

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"otpauth://totp/a": true, "OtpAuth://": true, "otpauth:": false, "otpauth-migration://x": false, "": false,
	} {
		if got := otpauth.Is([]byte(text)); got != want {
			t.Errorf("Is(%q) is %v", text, got)
		}
	}
}

// FuzzParse holds every URI that is accepted against an independent reader (pquerna/otp, as far as it
// looks), and through Format and back.
func FuzzParse(f *testing.F) {
	for _, uri := range []string{
		"otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
		"otpauth://hotp/a%3Ab?secret=mz-xw+6%3D%3D%3D&counter=7&algorithm=SHA512&digits=8",
		"otpauth://totp/::a?secret=MY&period=15&issuer=",
		"otpauth://totp/Steam:x?secret=MY&digits=5&encoder=steam",
		"otpauth://totp/a?secret=MY&secret=MY", "otpauth://totp/%?secret=%",
	} {
		f.Add([]byte(uri))
	}
	f.Fuzz(func(t *testing.T, uri []byte) {
		entry, err := otpauth.Parse(uri)
		if err != nil {
			return
		}
		defer entry.Wipe()
		if err := entry.Account.Validate(); err != nil {
			t.Fatalf("accepted, but no key takes it: %v", err)
		}
		checkAgainstOther(t, string(uri), entry)
		checkRoundTrip(t, entry)
	})
}

func checkAgainstOther(t *testing.T, uri string, entry otpauth.Entry) {
	other, err := otp.NewKeyFromURL(uri)
	if err != nil || strings.Contains(uri, ";") {
		return // net/url is stricter about the whole, and drops parameters with a ';'
	}
	got := []string{entry.Account.Type.String(), entry.Account.Issuer, entry.Account.Name, string(entry.Seed.Bytes())}
	want := []string{strings.ToLower(other.Type()), other.Issuer(), strings.TrimLeft(other.AccountName(), " "), decodeOther([]byte(other.Secret()))}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, pquerna/otp %q", uri, got, want)
	}
	// It takes a spelling that it does not know ("SHA-256") for SHA-1.
	if alg := other.Algorithm(); alg != otp.AlgorithmSHA1 && alg.String() != entry.Account.Algorithm.String() {
		t.Errorf("%s: got %s, pquerna/otp %s", uri, entry.Account.Algorithm, alg)
	}
	if a := entry.Account; !a.Steam() && a.Digits != other.Digits().Length() || a.Type == oath.TOTP && a.Period != int(other.Period()) {
		t.Errorf("%s: got %+v, pquerna/otp %d digits, period %d", uri, a, other.Digits(), other.Period())
	}
}

func checkRoundTrip(t *testing.T, entry otpauth.Entry) {
	text := otpauth.Format(entry)
	defer text.Wipe()
	again, err := otpauth.Parse(text.Bytes())
	if err != nil {
		t.Fatalf("%s: %v", text.Bytes(), err)
	}
	defer again.Wipe()
	if again.Account != entry.Account || again.Counter != entry.Counter || !again.Seed.Equal(entry.Seed) {
		t.Errorf("%s: got %+v, want %+v", text.Bytes(), again, entry)
	}
}

// FuzzDecodeSecret holds what is decoded against encoding/base32.
func FuzzDecodeSecret(f *testing.F) {
	for _, s := range []string{"JBSWY3DPEHPK3PXP", "mz xw-6===", "A", "=", "1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		seed, err := otpauth.DecodeSecret(text)
		if err != nil {
			return
		}
		defer seed.Wipe()
		if want := decodeOther(text); string(seed.Bytes()) != want {
			t.Errorf("%q: got %x, encoding/base32 %x", text, seed.Bytes(), want)
		}
	})
}
