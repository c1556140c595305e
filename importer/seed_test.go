package importer

import "testing"

func TestSeedsInOtherLetters(t *testing.T) {
	for _, test := range []struct{ how, text, want string }{
		{"hex", "666f6F", "foo"}, {"hex", "66f", ""}, {"hex", "zz", ""},
		{"base64", "Zm9v", "foo"}, {"base64", "Zm8=", "fo"}, {"base64", "Zm8", ""}, {"base64", "*", ""},
	} {
		var r record
		if test.how == "hex" {
			r.hex([]byte(test.text))
		} else {
			r.base64([]byte(test.text))
		}
		if got := string(r.secret.Bytes()); got != test.want || (r.problem == nil) != (test.want != "") {
			t.Errorf("%s %q: %q, %v", test.how, test.text, got, r.problem)
		}
		r.secret.Wipe()
	}
}

func TestSignedBytes(t *testing.T) {
	for text, want := range map[string]string{
		"[]": "", "null": "", "[102,111,111]": "foo", " [ -1, -128 ,127,255]": "\xff\x80\x7f\xff", "[0,-0]": "\x00\x00",
	} {
		var s signedBytes
		if err := unmarshal([]byte(text), &s); err != nil || string(s.secret.Bytes()) != want {
			t.Errorf("%s: %q, %v", text, s.secret.Bytes(), err)
		}
		seed := s.take()
		seed.Wipe()
	}
	for _, text := range []string{"[256]", "[-129]", "[1.5]", `["1"]`, "[[1]]", "[1e1]", "[99999999999999999999]"} {
		var s signedBytes
		if err := unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s: %q", text, s.secret.Bytes())
		}
		s.take().Wipe()
	}
}
