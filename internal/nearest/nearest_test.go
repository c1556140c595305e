package nearest

import (
	"strings"
	"testing"
)

func TestTo(t *testing.T) {
	for _, test := range []struct {
		word  string
		known []string
		want  string
	}{
		{"acct", []string{"account", "key", "min_validity"}, "account"},
		{"kye", []string{"account", "key", "min_validity"}, "key"},
		{"KEY", []string{"account", "key", "min_validity"}, "key"},
		{"validity", []string{"account", "key", "min_validity"}, "min_validity"},
		{"key" + strings.Repeat("x", 1<<20), []string{"account", "key", "min_validity"}, "key"},
		{strings.Repeat("sitting", 10000), []string{"ab", "sitting"}, "sitting"},
		{"kitten", []string{"ab", "sitting"}, "sitting"},
		{"", []string{"abc", "ab"}, "ab"},
		{"b", []string{"a", "c"}, "a"},
		{"a", nil, ""},
	} {
		if got := To(test.word, test.known); got != test.want {
			t.Errorf("nearest to %.20q is %q, want %q", test.word, got, test.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		word, name string
		want       int
	}{
		{"kitten", "sitting", 3},
		{"flaw", "lawn", 2},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"sunday", "saturday", 3},
	} {
		if got := edits(test.word, test.name); got != test.want {
			t.Errorf("from %q to %q: %d edits, want %d", test.word, test.name, got, test.want)
		}
		if got := edits(test.name, test.word); got != test.want {
			t.Errorf("from %q to %q: %d edits, want %d", test.name, test.word, got, test.want)
		}
	}
}
