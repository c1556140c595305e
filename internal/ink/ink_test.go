package ink

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestRender(t *testing.T) {
	everything, file, old := Look{true, true}, Look{false, true}, Look{false, false}
	tests := []struct {
		look     Look
		in, want string
	}{
		{everything, Paint(Green, "✓") + " ok", "\x1b[32m✓\x1b[0m ok"},
		{file, Paint(Green, "✓") + " ok", "✓ ok"},
		{old, Paint(Green, "✓") + " – a…b Straße", "+ - a~b Stra?e"},
		{everything, "evil\x1b[2J\x1b]0;title\a", "evil\ufffd[2J\ufffd]0;title\ufffd"},
		{everything, "two\nlines\r\tx\x7f\u0085", "two\ufffdlines\ufffd\ufffdx\ufffd\ufffd"},
		{everything, "turn\u202earound", "turn\ufffdaround"},
		{old, "\x1b", "?"},
		{everything, "broken\xff", "broken\ufffd"},
	}
	for _, test := range tests {
		if got := test.look.Render(test.in); got != test.want {
			t.Errorf("%+v %q: got %q, want %q", test.look, test.in, got, test.want)
		}
	}
}

// FuzzRender: whatever a key says, the terminal sees no control character but those of the styles.
func FuzzRender(f *testing.F) {
	f.Add("\x1b[31m\x1b[2Jx\x00", true)
	f.Fuzz(func(t *testing.T, s string, colour bool) {
		got := Look{colour, true}.Render(s)
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
	for s, want := range map[string]int{"": 0, "abc": 3, "漢字": 4, "e\u0301": 1, Paint(Red, "x"): 1, "한국": 4, "🔑": 2, "ß…": 2} {
		if got := Width(s); got != want {
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
		got := Shorten(test.in, test.n)
		if got != test.want || Width(got) > test.n {
			t.Errorf("%q to %d: got %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := Wrap("one  two three four-and-more-than-fits five", 9)
	want := []string{"one two", "three", "four-and-more-than-fits", "five"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Wrap("", 9); len(got) != 0 {
		t.Errorf("nothing: got %q", got)
	}
}

func TestTable(t *testing.T) {
	got := Table([][]string{{"A", "B", "C"}, {"漢字", Paint(Red, "x"), ""}, {"one"}})
	want := []string{"A     B  C", "漢字  " + Paint(Red, "x"), "one"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Table(nil); len(got) != 0 {
		t.Errorf("nothing: got %q", got)
	}
}

func TestSpeaksUTF8(t *testing.T) {
	for _, test := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false}, {"", "", "C.UTF-8", true}, {"", "", "de_DE.utf8", true}, {"C", "", "C.UTF-8", false}, {"", "POSIX", "C.UTF-8", false}, {"en_US.UTF-8", "C", "C", true},
	} {
		t.Setenv("LC_ALL", test.all)
		t.Setenv("LC_CTYPE", test.ctype)
		t.Setenv("LANG", test.lang)
		if got := speaksUTF8(); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}

func TestLookAt(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, test := range []struct {
		terminal       bool
		term, noColour string
		want           Look
	}{
		{true, "xterm", "", Look{true, true}}, {false, "xterm", "", Look{false, true}}, {true, "dumb", "", Look{false, true}}, {true, "xterm", "1", Look{false, true}},
	} {
		t.Setenv("TERM", test.term)
		t.Setenv("NO_COLOR", test.noColour)
		if got := LookAt(test.terminal); got != test.want {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}
