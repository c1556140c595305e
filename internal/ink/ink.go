// Package ink owns how words are set on a terminal: in which styles and symbols, how wide they are, and that no name of a
// foreign key can rewrite the screen.
package ink

import (
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The styles that words may be set in. They are written into strings wherever a string is made, and
// taken out again by Render where nobody would see them as colours.
const (
	Bold   = "\x1b[1m"
	Dim    = "\x1b[2m"
	Red    = "\x1b[31m"
	Green  = "\x1b[32m"
	Yellow = "\x1b[33m"
	Plain  = "\x1b[0m"
)

var styles = []string{Bold, Dim, Red, Green, Yellow, Plain}

// Paint sets s in a style.
func Paint(style, s string) string { return style + s + Plain }

// ascii stands in for the symbols that we use, on terminals without UTF-8.
var ascii = map[rune]rune{'✓': '+', '✗': 'x', '≠': '!', '○': 'o', '·': '.', '…': '~', '–': '-', '←': '<', '━': '#', '─': '.'}

// Look is what whoever reads a stream can see: colours, and symbols that are not ASCII.
type Look struct{ Colour, Symbols bool }

// LookAt returns what can be seen on a stream: colours only on a terminal, not with NO_COLOR and not on a dumb one.
func LookAt(terminal bool) Look {
	return Look{
		Colour:  terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Symbols: speaksUTF8(),
	}
}

// speaksUTF8 asks the locale, the most specific variable first (setlocale(3)).
func speaksUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(os.Getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// Render makes a line fit for a terminal or a file: styles stay only with colour, what is not ASCII only
// with symbols, and control characters, which names on foreign keys may hold, never: a name could otherwise
// rewrite the screen.
func (l Look) Render(s string) string {
	var b strings.Builder
	for s != "" {
		if style := stylePrefix(s); style != "" {
			if l.Colour {
				b.WriteString(style)
			}
			s = s[len(style):]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		b.WriteRune(l.printable(r))
		s = s[size:]
	}
	return b.String()
}

func stylePrefix(s string) string {
	for _, style := range styles {
		if strings.HasPrefix(s, style) {
			return style
		}
	}
	return ""
}

func (l Look) printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
		r = unicode.ReplacementChar
	}
	if l.Symbols || r < 0x80 {
		return r
	}
	if a, ok := ascii[r]; ok {
		return a
	}
	return '?'
}

// Width returns how many columns of a terminal s takes.
func Width(s string) int {
	n := 0
	for s != "" {
		if style := stylePrefix(s); style != "" {
			s = s[len(style):]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		n += columns(r)
		s = s[size:]
	}
	return n
}

// columns follows Unicode's East Asian Width (UAX #11) as far as names of accounts need it.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0x3000 && r <= 0x303f, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}

// Pad fills s with blanks up to n columns.
func Pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-Width(s))) }

// Shorten cuts an unstyled s to n columns, and shows that it did.
func Shorten(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if n -= columns(r); n < 1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// Wrap breaks unstyled text into lines of n columns, between words.
func Wrap(text string, n int) []string { return Fill(strings.Fields(text), " ", n) }

// Fill joins parts with gaps into lines of n columns.
func Fill(parts []string, gap string, n int) []string {
	var lines []string
	for _, part := range parts {
		last := len(lines) - 1
		if last < 0 || Width(lines[last])+Width(gap)+Width(part) > n {
			lines = append(lines, part)
		} else {
			lines[last] += gap + part
		}
	}
	return lines
}

// Table lays rows out in columns two blanks apart; the last column is not padded.
func Table(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		for i, cell := range row {
			lines[n] += Pad(cell, widths[i]) + "  "
		}
		lines[n] = strings.TrimRight(lines[n], " ")
	}
	return lines
}
