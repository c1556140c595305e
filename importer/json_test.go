package importer

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzJSON compares what is cut out of JSON with what encoding/json makes of it.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"a": [1, "x", null, {"b": "\"]"}], "a": 2}`, `[[], {}, "", [{}], -1.5e3 , true]`, ` [ "\u00e9\ud83d\ude00\ud800\n\\" ]`, `{"a":{"b":{"c":[1,2]}},"\u0061":1}`, `7`, `""`, `{`, `[1,]`,
		`"\u00e9\ud83d\ude00 \ud800 \udc00 \ud800\u0041 \b\f\n\r\t\"\\\/"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if checkJSON([]byte(text)) != nil {
			return
		}
		var items []json.RawMessage
		if json.Unmarshal([]byte(text), &items) == nil {
			n := 0
			for item := range jsonItems([]byte(text)) {
				if n >= len(items) || string(item) != string(items[n]) {
					t.Fatalf("%q: item %d is %q", text, n, item)
				}
				n++
			}
			if n != len(items) {
				t.Errorf("%q: %d items, want %d", text, n, len(items))
			}
		}
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &members) == nil && !strings.Contains(text, `\`) {
			for key, value := range members {
				if got := jsonAt([]byte(text), key); string(got) != string(value) {
					t.Errorf("%q: %q is %q, want %q", text, key, got, value)
				}
			}
		}
		checkString(t, text)
	})
}

// checkString compares how a string is unquoted.
func checkString(t *testing.T, text string) {
	t.Helper()
	var want string
	if json.Unmarshal([]byte(text), &want) != nil || strings.TrimSpace(text) == "null" {
		return
	}
	var got secretText
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Errorf("%q: %v", text, err)
	}
	// encoding/json replaces bytes that are not UTF-8, which no secret has.
	if string(got.bytes()) != want && strings.ToValidUTF8(text, "") == text {
		t.Errorf("%q is %q, want %q", text, got.bytes(), want)
	}
	got.wipe()
}

func TestSecretTextOfAnotherKind(t *testing.T) {
	for _, text := range []string{"7", "[]", "{}", "true"} {
		var s struct{ Secret secretText }
		err := unmarshal([]byte(`{"Secret": `+text+`}`), &s)
		if err == nil || err.Error() != "its secret is not a text" {
			t.Errorf("%s: %v", text, err)
		}
	}
	var s secretText
	if err := unmarshal([]byte("null"), &s); err != nil || s.bytes() != nil {
		t.Errorf("null is %q, %v", s.bytes(), err)
	}
}
