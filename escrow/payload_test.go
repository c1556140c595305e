package escrow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// TestPlaintext pins what is inside a payload for ten years.
func TestPlaintext(t *testing.T) {
	for want, test := range map[string]struct {
		entry   Entry
		content string
	}{
		`oathd seed 1
vault: vvvvvvvvvv
account: aaaaaaaaaa
issuer: GitHub
name: alice
type: totp
algorithm: SHA1
digits: 6
period: 30
counter: 0
touch: yes
secret: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
`: {github, "12345678901234567890"},
		`oathd seed 1
vault: vvvvvvvvvv
account: bbbbbbbbbb
issuer: ` + `
name: bob
type: hotp
algorithm: SHA512
digits: 8
period: 0
counter: 7
touch: no
secret: ME
`: {bank, "a"},
		`oathd runbook 1
vault: vvvvvvvvvv
account: aaaaaaaaaa

Call them.
`: {notes, "Call them.\n"},
	} {
		got := test.entry.plaintext("vvvvvvvvvv", secret(test.content))
		if string(got.Bytes()) != want {
			t.Errorf("%s\nwant %s", got.Bytes(), want)
		}
		content, err := test.entry.content("vvvvvvvvvv", got.Bytes())
		if err != nil || string(content.Bytes()) != test.content {
			t.Errorf("%q, %v; want %q", content.Bytes(), err, test.content)
		}
	}
}

// TestEntryJSON pins how the ledger and a backup write entries.
func TestEntryJSON(t *testing.T) {
	for _, test := range []struct {
		entry Entry
		want  string
	}{
		{github, `{"kind":"seed","id":"aaaaaaaaaa","account":{"Issuer":"GitHub","Name":"alice","Type":"totp","Algorithm":"SHA1","Digits":6,"Period":30},"touch":true}`},
		{bank, `{"kind":"seed","id":"bbbbbbbbbb","account":{"Issuer":"","Name":"bob","Type":"hotp","Algorithm":"SHA512","Digits":8,"Period":0},"counter":7}`},
		{notes, `{"kind":"runbook","id":"aaaaaaaaaa"}`},
	} {
		got, err := json.Marshal(test.entry)
		if err != nil || string(got) != test.want {
			t.Errorf("%s, %v\nwant %s", got, err, test.want)
		}
		var back Entry
		if err := json.Unmarshal(got, &back); err != nil || back != test.entry {
			t.Errorf("%+v, %v", back, err)
		}
	}
}

// TestMismatch opens rows as what they are not, each field in turn.
func TestMismatch(t *testing.T) {
	s := newSafe(t)
	o := s.unlock(t, s.Vault)
	for field, change := range map[string]func(*Entry){
		"account":   func(e *Entry) { e.ID = bank.ID },
		"issuer":    func(e *Entry) { e.Account.Issuer = "" },
		"name":      func(e *Entry) { e.Account.Name = "mallory" },
		"type":      func(e *Entry) { e.Account.Type, e.Account.Period = oath.HOTP, 0 },
		"algorithm": func(e *Entry) { e.Account.Algorithm = oath.SHA256 },
		"digits":    func(e *Entry) { e.Account.Digits = 8 },
		"period":    func(e *Entry) { e.Account.Period = 60 },
		"counter":   func(e *Entry) { e.Counter = 1 },
		"touch":     func(e *Entry) { e.Touch = false },
	} {
		row := s.rows[0]
		change(&row.Entry)
		_, err := o.Get(row)
		mismatch, ok := errors.AsType[*MismatchError](err)
		if !ok || mismatch.Field != field || !strings.Contains(err.Error(), fmt.Sprintf("its %s is %q, not %q", field, mismatch.Got, mismatch.Want)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	swapped := []Row{{s.rows[0].Entry, s.rows[1].Ciphertext}, {s.rows[1].Entry, s.rows[0].Ciphertext}}
	for _, row := range swapped {
		if _, err := o.Get(row); !isMismatch(err, "account") {
			t.Errorf("swapped: %v", err)
		}
	}
	_, err := o.Get(Row{notes, s.rows[0].Ciphertext})
	wants(t, "a seed as a runbook", err, ErrDamaged)
}

func isMismatch(err error, field string) bool {
	mismatch, ok := errors.AsType[*MismatchError](err)
	return ok && mismatch.Field == field
}

// TestForgedPayloads has payloads that somebody encrypted to the vault's public key.
func TestForgedPayloads(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	o := s.unlock(t, s.Vault)
	recipient, err := age.ParseX25519Recipient(s.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	head := github.header(s.ID)
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"a newer version":    {strings.Replace(head, "seed 1", "seed 2", 1), ErrNewer},
		"another kind":       {notes.header(s.ID) + "x", ErrDamaged},
		"no secret":          {head, ErrDamaged},
		"an empty secret":    {head + "\n", ErrDamaged},
		"a small letter":     {head + "gezdgnbv\n", ErrDamaged},
		"no line break":      {head + "GEZDGNBV", ErrDamaged},
		"something behind":   {head + "GEZDGNBV\n\n", ErrDamaged},
		"a field less":       {strings.Replace(head, "counter: 0\n", "", 1) + "GEZDGNBV\n", ErrDamaged},
		"a secret elsewhere": {strings.TrimSuffix(head, "touch: yes\nsecret: ") + "secret: GEZDGNBV\n", ErrDamaged},
		"nothing":            {"", ErrDamaged},
		"megabytes":          {"", ErrDamaged},
	} {
		if name == "megabytes" {
			test.text = strings.Repeat("x", maxPlaintext+1)
		}
		_, err := o.Get(Row{github, ageFile(t, test.text, recipient)})
		wants(t, name, err, test.want)
		if err != nil && strings.Contains(err.Error(), "GEZD") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
	_, err = o.Get(Row{github, ageFile(t, github.header(other.ID)+"GEZDGNBV\n", recipient)})
	if !isMismatch(err, "vault") {
		t.Errorf("another vault's id: %v", err)
	}
	_, err = o.Get(other.rows[0])
	wants(t, "another vault's row", err, ErrForeign)
	_, err = o.Get(Row{github, []byte("nothing")})
	wants(t, "garbage", err, ErrDamaged)
	for _, text := range []string{"oathd runbook 1", "oathd runbook 1\n", notes.header(s.ID)[:40]} {
		_, err := o.Get(Row{notes, ageFile(t, text, recipient)})
		wants(t, text, err, ErrDamaged)
	}
	got, err := o.Get(Row{github, ageFile(t, head+"GEZDGNBV\n", recipient)})
	if err != nil || string(got.Bytes()) != "12345" {
		t.Errorf("as age encrypts it: %q, %v", got.Bytes(), err)
	}
}

func TestFlippedPayload(t *testing.T) {
	s := newSafe(t)
	o := s.unlock(t, s.Vault)
	for i := range s.rows[0].Ciphertext {
		got, err := o.Get(Row{github, flip(s.rows[0].Ciphertext, i)})
		if err == nil {
			t.Fatalf("byte %d: %q", i, got.Bytes())
		}
		wants(t, fmt.Sprintf("byte %d", i), err, ErrDamaged, ErrForeign)
	}
}

func TestSealRefuses(t *testing.T) {
	s := newSafe(t)
	for name, e := range map[string]Entry{
		"no id":                  {Kind: Seed, Account: github.Account},
		"an id that climbs":      {Kind: Seed, ID: "../../../x", Account: github.Account},
		"no kind":                {ID: "aaaaaaaaaa", Account: github.Account},
		"a line break in a name": {Kind: Seed, ID: "aaaaaaaaaa", Account: oath.Account{Name: "a\nb", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}},
		"a runbook with more":    {Kind: Runbook, ID: "aaaaaaaaaa", Touch: true},
	} {
		if _, err := s.Seal(e, secret("x")); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, content := range map[string]*oath.Secret{"nothing": {}, "too much": secret(strings.Repeat("x", maxPlaintext))} {
		if _, err := s.Seal(notes, content); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	bad := *s.Vault
	bad.PublicKey = "age1"
	if _, err := bad.Seal(github, secret("x")); err == nil {
		t.Error("a vault without a public key: taken")
	}
}

// FuzzPayload reads anything as a payload: what is taken is what would be written.
func FuzzPayload(f *testing.F) {
	for _, e := range []Entry{github, bank, notes} {
		f.Add(e.plaintext("vvvvvvvvvv", secret("some content")).Bytes())
	}
	f.Add([]byte("oathd runbook 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, e := range []Entry{github, bank, notes} {
			content, err := e.content("vvvvvvvvvv", text)
			if err == nil && string(e.plaintext("vvvvvvvvvv", content).Bytes()) != string(text) {
				t.Errorf("%q was read as %q", text, content.Bytes())
			}
		}
	})
}
