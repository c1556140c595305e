package importer

import (
	"encoding/json"
	"testing"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		`6`: 6, `"6"`: 6, `" 6 "`: 6, `6.0`: 6, `"30.00"`: 30, `0`: 0, `""`: 0, `null`: 0, `-1`: -1, `9223372036854775807`: 1<<63 - 1,
	} {
		var n numberText
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var r record
		r.numbers(n, "", n)
		if r.unread != nil || r.digits != int(want) || r.counter != want || r.period != 0 {
			t.Errorf("%s: %d, %d, %v", text, r.digits, r.counter, r.unread)
		}
	}
	for _, text := range []string{`"six"`, `6.5`, `6e1`, `9223372036854775808`, `true`, `{"a": 6}`, `[6]`, `"6 6"`, `"JBSWY3DPEHPK3PXP"`, `"-"`, `100000000000000000000000000000000000`} {
		var n numberText
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		r := record{issuer: "Example", name: "alice", kind: kindTOTP}
		r.numbers("", n, "")
		r.base32([]byte("MZXW6YTB")) // whatever comes later
		if got, want := line(r.entry()), "totp Example|alice SHA1 6 30 0 PROBLEM what it says of its period is no number"; got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
