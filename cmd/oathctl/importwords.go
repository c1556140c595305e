package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oathd/oathd/internal/ink"
)

// fateWords say what would become of an account; the order is that of the summary.
var fateWords = []struct {
	of           fate
	words, style string
}{
	{fateNew, "new", ink.Green},
	{fateThere, "there already", ink.Green},
	{fateDuplicate, "here twice", ink.Dim},
	{fateConflict, "name taken", ink.Yellow},
	{fateImpossible, "impossible", ink.Red},
	{fateFull, "no room", ink.Red},
	{fateBlocked, "blocked", ink.Red},
	{fateLeftOut, "left out", ink.Dim},
	{fateUnknown, "unknown", ink.Yellow},
}

// words is the table of what would become of each account, and what there is to say about the whole.
func (p *pile) words(columns int) []string {
	lines := p.fileWords()
	var rows [][]string
	for _, f := range p.found {
		rows = append(rows, []string{"  " + f.account().Label(), f.fateWord(), f.about()})
	}
	lines = append(lines, ink.Table(rows)...)
	if p.o.showURI {
		for _, f := range p.found {
			if uri := f.uri(); uri != "" {
				lines = append(lines, uri)
			}
		}
	}
	for _, m := range p.missing() {
		lines = append(lines, ink.Paint(ink.Yellow, fmt.Sprintf("missing: %s of the %d of one export: import them too",
			partsWords(m.Parts), m.Of)))
	}
	lines = append(lines, helps(p.helps, columns)...)
	return append(append(lines, p.hints()...), p.summary())
}

// hints are the next steps for what is in the way, each once.
func (p *pile) hints() (lines []string) {
	for _, f := range p.found {
		line := ink.Paint(ink.Bold, "hint:") + " " + f.hint
		if (f.fate == fateBlocked || f.fate == fateFull || f.fate == fateUnknown) && f.hint != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// fileWords tell what the files are, and which cannot be read.
func (p *pile) fileWords() (lines []string) {
	for _, f := range p.files {
		if f.Error == nil {
			lines = append(lines, ink.Paint(ink.Bold, f.File)+": "+f.Program+", "+count(f.Accounts, "account", "accounts"))
			continue
		}
		lines = append(lines, ink.Paint(ink.Red, f.Error.Message))
		lines = append(lines, hintWords("  ", f.Error)...)
	}
	return lines
}

func partsWords(parts []int) string {
	names := make([]string, len(parts))
	for i, n := range parts {
		names[i] = fmt.Sprint(n)
	}
	if len(names) == 1 {
		return "picture " + names[0]
	}
	return "pictures " + strings.Join(names, ", ")
}

func (f *found) fateWord() string {
	for _, w := range fateWords {
		if w.of == f.fate {
			return ink.Paint(w.style, w.words)
		}
	}
	return string(f.fate)
}

// about says where an account goes or is, what it was called, and why not.
func (f *found) about() string {
	var parts []string
	if keys := f.keys(); keys != "" {
		parts = append(parts, keys)
	}
	if was := f.renamed(); was != "" {
		parts = append(parts, "in the file: "+was)
	}
	if f.fate == fateThere && f.report.Escrow {
		parts = append(parts, "its seed goes into the escrow")
	}
	if reason := f.because(); reason != "" {
		parts = append(parts, reason)
	}
	return strings.Join(parts, "; ")
}

// because is the reason for what would become of an account. What is impossible has to be looked for in its file, and may have no
// name to be found by.
func (f *found) because() string {
	if f.fate != fateImpossible {
		return f.reason
	}
	return fmt.Sprintf("entry %d of %s: %s", f.number, f.file, f.reason)
}

// keys names the keys that have an account or would get it.
func (f *found) keys() string {
	if f.fate != fateNew && f.fate != fateThere {
		return ""
	}
	var names []string
	for _, o := range f.report.Outcomes {
		name := keyName(o.KeyLabel, o.Soft)
		if o.Existed && f.fate == fateNew {
			name += " has it"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// summary counts.
func (p *pile) summary() string {
	var parts []string
	for _, w := range fateWords {
		n := len(slices.DeleteFunc(slices.Clone(p.found), func(f *found) bool { return f.fate != w.of }))
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w.words))
		}
	}
	text := count(len(p.found), "account", "accounts") + " in " + count(len(p.files), "file", "files")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return ink.Paint(ink.Bold, text)
}
