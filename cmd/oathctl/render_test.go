package main

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestRender(t *testing.T) {
	everything, file, old := look{true, true}, look{false, true}, look{false, false}
	tests := []struct {
		look     look
		in, want string
	}{
		{everything, paint(green, "✓") + " ok", "\x1b[32m✓\x1b[0m ok"},
		{file, paint(green, "✓") + " ok", "✓ ok"},
		{old, paint(green, "✓") + " – a…b Straße", "+ - a~b Stra?e"},
		{everything, "evil\x1b[2J\x1b]0;title\a", "evil\ufffd[2J\ufffd]0;title\ufffd"},
		{everything, "two\nlines\r\tx\x7f\u0085", "two\ufffdlines\ufffd\ufffdx\ufffd\ufffd"},
		{everything, "turn\u202earound", "turn\ufffdaround"},
		{old, "\x1b", "?"},
		{everything, "broken\xff", "broken\ufffd"},
	}
	for _, test := range tests {
		if got := test.look.render(test.in); got != test.want {
			t.Errorf("%+v %q: got %q, want %q", test.look, test.in, got, test.want)
		}
	}
}

// FuzzRender: whatever a key says, the terminal sees no control character but those of the styles.
func FuzzRender(f *testing.F) {
	f.Add("\x1b[31m\x1b[2Jx\x00", true)
	f.Fuzz(func(t *testing.T, s string, colour bool) {
		got := look{colour, true}.render(s)
		for _, style := range styles {
			if !colour && strings.Contains(got, style) {
				t.Errorf("%q: coloured", s)
			}
			got = strings.ReplaceAll(got, style, "")
		}
		if strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestWidths(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "漢字": 4, "e\u0301": 1, paint(red, "x"): 1, "한국": 4, "🔑": 2, "ß…": 2} {
		if got := width(s); got != want {
			t.Errorf("%q: got %d, want %d", s, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"漢字漢", 5, "漢字…"}, {"漢字漢", 4, "漢…"}, {"abc", 1, "…"},
	} {
		got := shorten(test.in, test.n)
		if got != test.want || width(got) > test.n {
			t.Errorf("%q to %d: got %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one  two three four-and-more-than-fits five", 9)
	want := []string{"one two", "three", "four-and-more-than-fits", "five"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wrap("", 9); len(got) != 0 {
		t.Errorf("nothing: got %q", got)
	}
}

func TestTable(t *testing.T) {
	got := table([][]string{{"A", "B", "C"}, {"漢字", paint(red, "x"), ""}, {"one"}})
	want := []string{"A     B  C", "漢字  " + paint(red, "x"), "one"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := table(nil); len(got) != 0 {
		t.Errorf("nothing: got %q", got)
	}
}
