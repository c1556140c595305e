// Command screen draws a terminal's screen as SVG. It reads what "tmux capture-pane -e -p" prints, of the escape sequences only
// the styles (SGR): bold, dim, and the eight colours.
//
//	tmux capture-pane -e -p | go run ./internal/screen -title "oathctl watch" > docs/watch.svg
package main

import (
	"bufio"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/oathd/oathd/internal/ink"
)

// The measures of a character cell in a font of 14 pixels, and of the window around the screen.
const (
	cellWidth  = 8.4
	cellHeight = 18
	margin     = 16
	titleBar   = 34
	background = "#1d1f21"
	foreground = "#d8dad7"
)

// colours are those of SGR 30 to 37.
var colours = [8]string{"#555753", "#ef6b6b", "#8ad86a", "#e8c84c", "#7aa6da", "#c397d8", "#70c0ba", "#eeeeec"}

func main() {
	title := flag.String("title", "", "what stands in the window's bar")
	columns := flag.Int("columns", 80, "the width of the screen")
	flag.Parse()
	if err := draw(os.Stdout, os.Stdin, *title, *columns); err != nil {
		fmt.Fprintln(os.Stderr, "screen:", err)
		os.Exit(1)
	}
}

func draw(w io.Writer, r io.Reader, title string, columns int) error {
	var lines []string
	for scanner := bufio.NewScanner(r); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	width, height := float64(columns)*cellWidth+2*margin, len(lines)*cellHeight+titleBar+2*margin
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" role="img" aria-label="%s">`+"\n", width, height, html.EscapeString(title))
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" rx="10" fill="%s"/>`+"\n", background)
	for i, colour := range []string{colours[1], colours[3], colours[2]} {
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="6" fill="%s"/>`+"\n", margin+6+i*20, titleBar/2+3, colour)
	}
	fmt.Fprintf(b, `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="%s" xml:space="preserve">`+"\n", foreground)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#9a9c99">%s</text>`+"\n", width/2, titleBar/2+8, html.EscapeString(title))
	var s style
	for row, line := range lines {
		drawLine(b, &s, line, titleBar+margin+row*cellHeight+cellHeight-5)
	}
	fmt.Fprintln(b, "</g>\n</svg>")
	return b.Flush()
}

// style is how characters look.
type style struct {
	bold, dim bool
	colour    string
}

// drawLine draws one line, each stretch of one style at its own place, so that no font can shift it. Blanks are such as no
// viewer draws together.
func drawLine(w io.Writer, s *style, line string, y int) {
	column := 0
	for line != "" {
		text, rest, found := strings.Cut(line, "\x1b[")
		blanks := len(text) - len(strings.TrimLeft(text, " "))
		if words := strings.Trim(text, " "); words != "" {
			fmt.Fprintf(w, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
				margin+float64(column+blanks)*cellWidth, y, float64(ink.Width(words))*cellWidth, s.attributes(), html.EscapeString(strings.ReplaceAll(words, " ", "\u00a0")))
		}
		column += ink.Width(text)
		line = rest
		if found {
			var codes string
			codes, line, _ = strings.Cut(rest, "m")
			s.change(codes)
		}
	}
}

func (s *style) change(codes string) {
	for code := range strings.SplitSeq(codes, ";") {
		switch n, _ := strconv.Atoi(code); {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 22:
			s.bold, s.dim = false, false
		case n >= 30 && n <= 37:
			s.colour = colours[n-30]
		case n == 39:
			s.colour = ""
		}
	}
}

func (s *style) attributes() (text string) {
	if s.bold {
		text += ` font-weight="bold"`
	}
	if s.dim {
		text += ` opacity="0.55"`
	}
	if s.colour != "" {
		text += fmt.Sprintf(` fill="%s"`, s.colour)
	}
	return text
}
