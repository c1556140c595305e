package main

import (
	"slices"
	"testing"
)

// wordBreaks is bash's own COMP_WORDBREAKS.
const wordBreaks = " \t\n\"'@><=;|&(:"

func TestSplitBash(t *testing.T) {
	for _, test := range []struct {
		line  string
		words []string
		last  bashWord
	}{
		{"", nil, bashWord{}},
		{"oathctl", nil, bashWord{text: "oathctl"}},
		{"oathctl  code\t", []string{"oathctl", "code"}, bashWord{}},
		{"a b", []string{"a"}, bashWord{text: "b"}},
		{`a '' ""`, []string{"a", ""}, bashWord{quote: '"', closed: true}},
		{"a b:c", []string{"a"}, bashWord{text: "b:c", kept: "b:"}},
		{`a b\:c`, []string{"a"}, bashWord{text: "b:c"}},
		{"a b@c", []string{"a"}, bashWord{text: "b@c", kept: "b"}},
		{"a --x=y:z", []string{"a"}, bashWord{text: "--x=y:z", kept: "--x=y:"}},
		{`a b\ c`, []string{"a"}, bashWord{text: "b c"}},
		{`a b\`, []string{"a"}, bashWord{text: "b"}},
		{`a "b c`, []string{"a"}, bashWord{text: "b c", quote: '"'}},
		{`a x"b:c`, []string{"a"}, bashWord{text: "xb:c", kept: "x", quote: '"'}},
		{`a "b\"\$\c`, []string{"a"}, bashWord{text: `b"$\c`, quote: '"'}},
		{`a 'b\"c`, []string{"a"}, bashWord{text: `b\"c`, quote: '\''}},
		{`a "b c"d`, []string{"a"}, bashWord{text: "b cd", quote: '"', closed: true}},
		{`a "b c":d`, []string{"a"}, bashWord{text: "b c:d", kept: "b c:"}},
		{`a b'c"d'e`, []string{"a"}, bashWord{text: `bc"de`, kept: "b", quote: '\'', closed: true}},
	} {
		words, last := splitBash(test.line, wordBreaks)
		if !slices.Equal(words, test.words) || last != test.last {
			t.Errorf("%s: got %q and %+v, want %q and %+v", test.line, words, last, test.words, test.last)
		}
	}
}

func TestBashReplies(t *testing.T) {
	for _, test := range []struct {
		word       bashWord
		candidates []string
		want       []string
	}{
		{bashWord{text: "Ab"}, []string{"Abc", "abd", "xAb"}, []string{"Abc"}},
		{bashWord{text: "aB"}, []string{"Abc", "abd", "xAb"}, []string{"Abc", "abd"}},
		{bashWord{text: "x"}, []string{"axb"}, []string{"axb"}},
		{bashWord{text: "x"}, []string{"axb", "bxa"}, nil},
		{bashWord{text: "a:x", kept: "a:"}, []string{"bxa:xc"}, nil},
		{bashWord{text: "a:x", kept: "a:"}, []string{"a:x y"}, []string{`x\ y`}},
		{bashWord{text: "Ä"}, []string{"äh"}, []string{"äh"}},
		{bashWord{text: "a", quote: '"', closed: true}, []string{"ab"}, []string{`ab"`}},
		{bashWord{text: "a", quote: '\''}, []string{"a'b"}, []string{`a'\''b`}},
		{bashWord{text: "a", quote: '"'}, []string{"a\"`$\\!"}, []string{"a\\\"\\`\\$\\\\\"'!'\""}},
		{bashWord{}, []string{"~a", "#b", "é*"}, []string{`\~a`, `\#b`, `é\*`}},
	} {
		if got := test.word.replies(test.candidates); !slices.Equal(got, test.want) {
			t.Errorf("%+v with %q: got %q, want %q", test.word, test.candidates, got, test.want)
		}
	}
}
