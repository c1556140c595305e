package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The styles that words may be set in. They are written into strings wherever a string is made, and
// taken out again by render where nobody would see them as colours.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

var styles = []string{bold, dim, red, green, yellow, plain}

func paint(style, s string) string { return style + s + plain }

// ascii stands in for the symbols that oathctl uses, on terminals without UTF-8.
var ascii = map[rune]rune{'✓': '+', '✗': 'x', '≠': '!', '○': 'o', '·': '.', '…': '~', '–': '-'}

// look is what whoever reads a stream can see.
type look struct{ colour, symbols bool }

// render makes a line fit for a terminal or a file: styles stay only with colour, what is not ASCII only
// with symbols, and control characters, which names on foreign keys may hold, never: a name could otherwise
// rewrite the screen.
func (l look) render(s string) string {
	var b strings.Builder
	for s != "" {
		if style := stylePrefix(s); style != "" {
			if l.colour {
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

func (l look) printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
		r = unicode.ReplacementChar
	}
	if l.symbols || r < 0x80 {
		return r
	}
	if a, ok := ascii[r]; ok {
		return a
	}
	return '?'
}

// width returns how many columns of a terminal s takes.
func width(s string) int {
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

// pad fills s with blanks up to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// shorten cuts an unstyled s to n columns, and shows that it did.
func shorten(s string, n int) string {
	if width(s) <= n {
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

// wrap breaks unstyled text into lines of n columns, between words.
func wrap(text string, n int) []string { return fill(strings.Fields(text), " ", n) }

// fill joins parts with gaps into lines of n columns.
func fill(parts []string, gap string, n int) []string {
	var lines []string
	for _, part := range parts {
		last := len(lines) - 1
		if last < 0 || width(lines[last])+width(gap)+width(part) > n {
			lines = append(lines, part)
		} else {
			lines[last] += gap + part
		}
	}
	return lines
}

// table lays rows out in columns two blanks apart; the last column is not padded.
func table(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		for i, cell := range row {
			lines[n] += pad(cell, widths[i]) + "  "
		}
		lines[n] = strings.TrimRight(lines[n], " ")
	}
	return lines
}
