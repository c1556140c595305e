// Package roff owns the form of manual pages (man(7)): the packages' pages are made with it from what the programs
// themselves say, in tests that also hold the pages against the programs.
package roff

import (
	"fmt"
	"strings"
)

// Page is a manual page in the making.
type Page struct{ text strings.Builder }

// New begins a page of section 1, as NAME - SHORT.
func New(name, short string) *Page {
	p := &Page{}
	fmt.Fprintf(&p.text, ".TH %s 1 \"\" oathd \"User Commands\"\n", strings.ToUpper(name))
	p.Section("NAME")
	fmt.Fprintf(&p.text, "%s \\- %s\n", escape(name), escape(short))
	return p
}

// Section begins a chapter, Subsection a part of one.
func (p *Page) Section(title string) { fmt.Fprintf(&p.text, ".SH %s\n", quote(title)) }

// Subsection begins a part of a chapter.
func (p *Page) Subsection(title string) { fmt.Fprintf(&p.text, ".SS %s\n", quote(title)) }

// Bold is a line of its own in bold, as in a synopsis.
func (p *Page) Bold(line string) { fmt.Fprintf(&p.text, ".B %s\n", quote(line)) }

// Paragraphs writes text as terminals show it: blank lines part paragraphs, and indented lines stay as they are.
func (p *Page) Paragraphs(text string) {
	verbatim := false
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		switch {
		case indented && !verbatim:
			p.text.WriteString(".RS 4\n.nf\n")
		case !indented && verbatim:
			p.text.WriteString(".fi\n.RE\n")
		}
		verbatim = indented
		if line == "" {
			p.text.WriteString(".PP\n")
			continue
		}
		p.text.WriteString(escape(strings.TrimPrefix(line, "  ")) + "\n")
	}
	if verbatim {
		p.text.WriteString(".fi\n.RE\n")
	}
}

// Item writes a term with its meaning, such as a flag.
func (p *Page) Item(term, meaning string) {
	fmt.Fprintf(&p.text, ".TP\n.B %s\n%s\n", quote(term), escape(meaning))
}

// Text returns the page.
func (p *Page) Text() string { return p.text.String() }

// plain are the characters that roff would take for something else. A hyphen is a minus, so that commands can be copied.
var plain = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "'", `\(aq`, "~", `\(ti`, "^", `\(ha`)

// escape has a line of text stand for itself.
func escape(line string) string {
	line = plain.Replace(line)
	if strings.HasPrefix(line, ".") {
		line = `\&` + line
	}
	return line
}

// quote makes one argument of a line.
func quote(line string) string { return `"` + strings.ReplaceAll(escape(line), `"`, `\(dq`) + `"` }
