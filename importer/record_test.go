package importer

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

func TestRecord(t *testing.T) {
	usual := func(change func(*record)) record {
		r := record{issuer: "Example", name: "alice", kind: "totp"}
		r.base32([]byte("MZXW6YTB"))
		change(&r)
		return r
	}
	for _, test := range []struct {
		change func(*record)
		want   string
	}{
		{func(r *record) {}, "totp Example|alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.kind = "TOTP"; r.algorithm = "hmac-sha-256" }, "totp Example|alice SHA256 6 30 0 MZXW6YTB"},
		{func(r *record) { r.issuer, r.name = " Example ", "\talice " }, "totp Example|alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.issuer, r.name = "", "Example: alice" }, "totp Example|alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.name = "a:b" }, "totp Example|a:b SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.name = "" }, "totp |Example SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.issuer, r.digits = "Steam", 5 }, "totp Steam|alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.kind = "steam"; r.digits = 5 }, "totp Steam|Example:alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.kind = "Steam"; r.issuer = "STEAM" }, "totp Steam|alice SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.kind = "steam"; r.issuer, r.name = "Steam", "" }, "totp Steam|Steam SHA1 6 30 0 MZXW6YTB"},
		{func(r *record) { r.kind, r.counter, r.period = "hotp", math.MaxUint32, 30 }, "hotp Example|alice SHA1 6 0 4294967295 MZXW6YTB"},
		{func(r *record) { r.kind, r.counter = "hotp", 1<<32 }, "PROBLEM the counter 4294967296 is not one"},
		{func(r *record) { r.kind, r.counter = "hotp", -1 }, "PROBLEM the counter -1 is not one"},
		{func(r *record) { r.kind = "motp" }, `PROBLEM no security key computes codes of this kind: "motp"`},
		{func(r *record) { r.kind = strings.Repeat("x", 100) }, `kind: "xxxxxxxxxxxxxxxxxxxxxxxx…"`},
		{func(r *record) { r.algorithm = "MD5" }, "PROBLEM unknown algorithm"},
		{func(r *record) { r.digits = 10 }, "PROBLEM unusable number of digits: 10"},
		{func(r *record) { r.digits = -1 }, "PROBLEM unusable number of digits: -1"},
		{func(r *record) { r.period = -30 }, "PROBLEM unusable period: -30"},
		{func(r *record) { r.secret.Wipe() }, "PROBLEM it has no secret"},
		{func(r *record) { r.base32([]byte("8")) }, "PROBLEM the secret is not base32"},
		{func(r *record) { r.issuer, r.name = "", "" }, "MZXW6YTB PROBLEM unusable name: it is empty"},
		{func(r *record) { r.name = "a\x1b[31m" }, "MZXW6YTB PROBLEM unusable name: control character"},
		{func(r *record) { r.issuer = "https://x" }, "MZXW6YTB PROBLEM unusable name: a key would give"},
		{func(r *record) { r.name = strings.Repeat("n", 65) }, "MZXW6YTB PROBLEM name too long"},
	} {
		e := usual(test.change).entry()
		if got := line(e); !strings.Contains(got, test.want) {
			t.Errorf("got %q, want %q", got, test.want)
		}
		e.Seed.Wipe()
	}
}

func TestURIs(t *testing.T) {
	for uri, want := range map[string]string{
		"otpauth://totp/Example:alice?secret=MZXW6YTB":                                     "totp Example|alice SHA1 6 30 0 MZXW6YTB",
		" OTPAUTH://TOTP/alice?secret=MZXW6YTB&issuer=Example\r\n":                         "totp Example|alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/alice?secret=MZXW6YTB&issuer=&digits=&period=&algorithm=&counter=": "totp |alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/alice?note=" + strings.Repeat("n", 9000) + "&secret=MZXW6YTB":      "totp |alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://steam/alice?secret=MZXW6YTB&digits=5":                                   "totp Steam|alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://steam/Steam:alice?secret=MZXW6YTB&issuer=Steam":                         "totp Steam|alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/alice?secret=MZXW6YTB&digits=5":                                    "PROBLEM unusable number of digits: 5",
		"otpauth://totp/Ex:alice?secret=MZXW6YTB&secret=MZXW6YTC":                          "Ex|alice algorithm 0 0 0 0 PROBLEM it has two secrets",
		"otpauth://totp/Ex:alice?secret=MZXW6YTB&digits=8&secret=MZXW6YTB&digits=8":        "totp Ex|alice SHA1 8 30 0 MZXW6YTB",
		"otpauth://totp/alice?SECRET=MZXW6YTB&Issuer=Ex&PERIOD=60":                         "totp Ex|alice SHA1 6 60 0 MZXW6YTB",
		"otpauth://totp/Ex #2:al#ice?issuer=Ex #2&secret=MZXW6YTB":                         "totp Ex #2|al#ice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/Ex:alice?secret=MZXW6YTB#":                                         "PROBLEM the secret is not base32: character 9",
		"otpauth://totp/Ex:alice?issuer=Experiod=15&secret=MZXW6YTB":                       "totp Ex|alice SHA1 6 15 0 MZXW6YTB",
		"otpauth://totp/Ex:alice?issuer=Experiod=15&period=30&secret=MZXW6YTB":             `PROBLEM it has the parameter "period" twice`,
		"otpauth://totp/Ex:alice?secret=MZXW6YTB&codeDisplay=%7B%22trashed%22%3Atrue%7D":   "totp Ex|alice SHA1 6 30 0 PROBLEM it is in the trash",
		"otpauth://totp/Ex:alice?secret=MZXW6YTB&codeDisplay=%7B%22trashed%22%3Afalse%7D":  "totp Ex|alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/Ex:alice?secret=MZXW6YTB&codeDisplay=%7B%22trashed%22%3Atrue":      "totp Ex|alice SHA1 6 30 0 MZXW6YTB",
		"otpauth://totp/MZXW6YTBOI":                                                        "type 0x00 | algorithm 0 0 0 0 PROBLEM it has no secret",
		"otpauth://motp/Ex:alice?secret=MZXW6YTB":                                          "Ex|alice algorithm 0 0 0 0 PROBLEM its type is neither",
		"otpauth://totp/" + strings.Repeat("n", 70) + "?secret=MZXW6YTB":                   "MZXW6YTB PROBLEM name too long",
		"steam://MZXW6YTB": "MZXW6YTB PROBLEM unusable name: it is empty",
		"otpauth://steam/": "PROBLEM it has no secret",
	} {
		e := uriEntry([]byte(uri))
		if got := line(e); !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
		e.Seed.Wipe()
	}
	e := namedURI([]byte("otpauth://totp/?secret=MZXW6YTB"), "Beside", "bob")
	if got := line(e); got != "totp Beside|bob SHA1 6 30 0 MZXW6YTB" {
		t.Errorf("a name beside the URI: %q", got)
	}
	e.Seed.Wipe()
}

func TestProblems(t *testing.T) {
	export, err := Read(fixture(t, "aegis.json"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Wipe()
	var got []string
	for _, problem := range export.Problems() {
		got = append(got, problem.Error())
	}
	if len(got) != 5 || got[0] != `entry 6 (Old Bank:mallory): unknown algorithm "MD5": it is SHA1, SHA256 or SHA512` {
		t.Errorf("%q", got)
	}
	if first := export.Problems()[0]; !errors.Is(first, oath.ErrAlgorithm) {
		t.Errorf("%v is not what it wraps", first)
	}
	if bare := (&EntryError{Number: 2, Err: ErrKind}).Error(); bare != "entry 2: no security key computes codes of this kind" {
		t.Error(bare)
	}
}

func TestFormats(t *testing.T) {
	list := Formats()
	for i, f := range list {
		if f.Name == "" || f.Program == "" || f.Kind == "" || f.Name != strings.ToLower(f.Name) {
			t.Errorf("%+v does not say what it is", f)
		}
		if i > 0 && f.Name <= list[i-1].Name {
			t.Errorf("%s comes after %s", f.Name, list[i-1].Name)
		}
	}
	if len(list) < 10 {
		t.Errorf("there are %d formats", len(list))
	}
}
