package oath_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

func totp(period int, issuer, name string) oath.Account {
	return oath.Account{Issuer: issuer, Name: name, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: period}
}

func hotp(issuer, name string) oath.Account {
	return oath.Account{Issuer: issuer, Name: name, Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
}

func TestID(t *testing.T) {
	for id, a := range map[string]oath.Account{
		"GitHub:alice":      totp(30, "GitHub", "alice"),
		"60/GitHub:alice":   totp(60, "GitHub", "alice"),
		"alice":             totp(30, "", "alice"),
		"15/alice":          totp(15, "", "alice"),
		"Ex:a:b":            totp(30, "Ex", "a:b"),
		"a/b:c":             totp(30, "a/b", "c"),
		":odd":              totp(30, "", ":odd"),
		"Bücher:jörg@x.org": totp(30, "Bücher", "jörg@x.org"),
		"Bank:bob":          hotp("Bank", "bob"),
		"bob":               hotp("", "bob"),
		":bob":              hotp("", ":bob"),
		"60/Bank:bob":       hotp("60/Bank", "bob"),
	} {
		if got := a.ID(); got != id {
			t.Errorf("%+v: id %q, want %q", a, got, id)
		}
		if err := a.Validate(); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		got := oath.ParseID(a.Type, id)
		got.Algorithm, got.Digits = a.Algorithm, a.Digits
		if got != a {
			t.Errorf("%q read as %+v, want %+v", id, got, a)
		}
	}
}

func TestParseIDOfOthers(t *testing.T) {
	for _, test := range []struct {
		id           string
		period       int
		issuer, name string
	}{
		{"", 30, "", ""},
		{"30/x", 30, "", "x"},
		{"0/x", 30, "", "0/x"},
		{"99999999999999999999/x", 30, "", "99999999999999999999/x"},
		{"60/", 30, "", "60/"},
		{"a:", 30, "", "a:"},
		{"line\nbreak", 30, "", "line\nbreak"},
		{"\xff:\xfe", 30, "\xff", "\xfe"},
	} {
		got := oath.ParseID(oath.TOTP, test.id)
		if got.Period != test.period || got.Issuer != test.issuer || got.Name != test.name {
			t.Errorf("%q read as %+v", test.id, got)
		}
	}
}

// FuzzParseID holds that what validates comes back from its id unchanged, and that reading never fails.
func FuzzParseID(f *testing.F) {
	f.Add("60/GitHub:alice", false)
	f.Add(":x", true)
	f.Add("9/8/7:6:5", false)
	f.Fuzz(func(t *testing.T, id string, counter bool) {
		kind := oath.TOTP
		if counter {
			kind = oath.HOTP
		}
		a := oath.ParseID(kind, id)
		if !strings.HasSuffix(id, a.Name) {
			t.Errorf("%q read with the name %q", id, a.Name)
		}
		a.Algorithm, a.Digits = oath.SHA1, 6
		if a.Validate() != nil {
			return
		}
		if b := oath.ParseID(kind, a.ID()); b.Issuer != a.Issuer || b.Name != a.Name || b.Period != a.Period {
			t.Errorf("%q read as %+v, written as %q, read as %+v", id, a, a.ID(), b)
		}
	})
}

func TestValidate(t *testing.T) {
	fits, tooLong := strings.Repeat("n", 64), strings.Repeat("n", 65)
	for name, test := range map[string]struct {
		change func(*oath.Account)
		want   error
	}{
		"good":                    {func(a *oath.Account) {}, nil},
		"eight digits":            {func(a *oath.Account) { a.Digits = 8 }, nil},
		"a name of 64 bytes":      {func(a *oath.Account) { a.Issuer, a.Name = "", fits }, nil},
		"a day":                   {func(a *oath.Account) { a.Period = 86400 }, nil},
		"a name of 65 bytes":      {func(a *oath.Account) { a.Issuer, a.Name = "", tooLong }, oath.ErrNameLong},
		"the period makes it 65":  {func(a *oath.Account) { a.Issuer, a.Name, a.Period = "", fits[:62], 60 }, oath.ErrNameLong},
		"no name":                 {func(a *oath.Account) { a.Name = "" }, oath.ErrName},
		"a line break":            {func(a *oath.Account) { a.Name = "a\nb" }, oath.ErrName},
		"an escape in the issuer": {func(a *oath.Account) { a.Issuer = "\x1b[31m" }, oath.ErrName},
		"text turned around":      {func(a *oath.Account) { a.Name = "a\u202eb" }, oath.ErrName},
		"not UTF-8":               {func(a *oath.Account) { a.Name = "\xff" }, oath.ErrName},
		"an issuer with a colon":  {func(a *oath.Account) { a.Issuer = "a:b" }, oath.ErrName},
		"a name like a period":    {func(a *oath.Account) { a.Issuer, a.Name = "", "60/x" }, oath.ErrName},
		"five digits":             {func(a *oath.Account) { a.Digits = 5 }, oath.ErrDigits},
		"eleven digits":           {func(a *oath.Account) { a.Digits = 11 }, oath.ErrDigits},
		"period 0":                {func(a *oath.Account) { a.Period = 0 }, oath.ErrPeriod},
		"period -1":               {func(a *oath.Account) { a.Period = -1 }, oath.ErrPeriod},
		"more than a day":         {func(a *oath.Account) { a.Period = 86401 }, oath.ErrPeriod},
		"HOTP with a period":      {func(a *oath.Account) { a.Type = oath.HOTP }, oath.ErrPeriod},
		"no algorithm":            {func(a *oath.Account) { a.Algorithm = 0 }, oath.ErrAlgorithm},
		"algorithm 4":             {func(a *oath.Account) { a.Algorithm = 4 }, oath.ErrAlgorithm},
	} {
		a := totp(30, "GitHub", "alice")
		test.change(&a)
		if err := a.Validate(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if err := (oath.Account{Name: "x", Digits: 6, Algorithm: oath.SHA1}).Validate(); err == nil {
		t.Error("an account without a type is valid")
	}
}

func TestNamesOfTypesAndAlgorithms(t *testing.T) {
	type both struct {
		Type      oath.Type
		Algorithm oath.Algorithm
	}
	for _, in := range []string{`{"Type":"TOTP","Algorithm":"HmacSHA512"}`, `{"Type":"totp","Algorithm":"sha-512"}`} {
		var b both
		if err := json.Unmarshal([]byte(in), &b); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(b)
		if err != nil || string(out) != `{"Type":"totp","Algorithm":"SHA512"}` {
			t.Errorf("%s became %s, %v", in, out, err)
		}
	}
	for _, in := range []string{`{"Type":"steam"}`, `{"Algorithm":"MD5"}`, `{"Algorithm":""}`} {
		if err := json.Unmarshal([]byte(in), new(both)); err == nil {
			t.Errorf("%s was taken", in)
		}
	}
	if got := oath.Type(0x30).String() + ", " + oath.Algorithm(9).String(); got != "type 0x30, algorithm 9" {
		t.Error(got)
	}
	for a, want := range map[oath.Algorithm][2]int{oath.SHA1: {64, 20}, oath.SHA256: {64, 32}, oath.SHA512: {128, 64}} {
		if a.BlockSize() != want[0] || a.Size() != want[1] {
			t.Errorf("%s: block %d, size %d", a, a.BlockSize(), a.Size())
		}
		if back, err := oath.ParseAlgorithm(a.String()); err != nil || back != a {
			t.Errorf("%s read as %v, %v", a, back, err)
		}
	}
}
