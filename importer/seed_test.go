package importer

import (
	"strings"
	"testing"
)

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

func TestXMLThatIsNone(t *testing.T) {
	deep := ""
	for range maxElements + 1 {
		deep += "<a>"
	}
	for _, text := range []string{"<", "<map>", "<map></pam>", "<map><string name='a'>SECRET", "<map><string>SECRET<b/></string></map>", "<a>&SECRET;</a>", deep} {
		in := &input{data: []byte(text)}
		if list, err := in.preferences(); err == nil {
			t.Errorf("%.20s: %v", text, list)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%.20s: the error quotes it: %v", text, err)
		}
		in.wipe()
	}
}

func TestPreferences(t *testing.T) {
	in := &input{data: []byte(`<?xml version='1.0' encoding='utf-16' standalone='yes' ?>
<map><int name="no" value="1" /><string name="a">x &lt;&#65;<!-- no -->y</string><string name="b"/></map>`)}
	defer in.wipe()
	list, err := in.preferences()
	if err != nil || len(list) != 2 || list[0].name != "a" || string(list[0].text) != "x <Ay" || list[1].name != "b" || len(list[1].text) != 0 {
		t.Errorf("%q, %v", list, err)
	}
}
