package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
)

// The screen from top to bottom: the keys, the filter, the heads of the columns; the accounts; a blank line, who wants
// to be touched, the last note, what the keys of the keyboard do. Nothing is said by colour alone.
const (
	above = 3
	below = 4
	// maxTouches is how many keys that blink have a line of their own.
	maxTouches = 2

	prompt = "Filter: "
	help   = "type to filter   up/down choose   enter copy   esc clear   ctrl-c quit"
)

// The widths of the columns beside the names of the accounts.
const (
	markWidth = 2
	codeWidth = 10
	timeWidth = 7
	barWidth  = 10
	keysWidth = 20

	// A screen that is narrower goes without the bar, then without the keys.
	widthWithBar, widthWithKeys = 76, 56
)

// rows is how many accounts fit onto the screen.
func (m *model) rows() int {
	return max(1, m.height-above-below-max(0, min(len(m.touches), maxTouches)-1))
}

// View draws the screen.
func (m *model) View() tea.View {
	lines := append(m.head(), m.body()...)
	for len(lines) < above+m.rows() {
		lines = append(lines, "")
	}
	lines = append(lines, m.foot()...)
	for i := range lines {
		lines[i] = m.look.Render(lines[i])
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.ReportFocus = true, true
	v.Cursor = tea.NewCursor(min(m.width-1, len(prompt)+ink.Width(m.filter)), 1)
	return v
}

func (m *model) head() []string {
	count := fmt.Sprintf("%d of %d", len(m.shown), len(m.accounts))
	filter := prompt + ink.Shorten(m.filter, max(1, m.width-len(prompt)-len(count)-2))
	return []string{
		m.keyLine(),
		ink.Pad(filter, m.width-len(count)) + ink.Paint(ink.Dim, count),
		ink.Paint(ink.Bold, m.row("", "ACCOUNT", "CODE", "LEFT", "", "ON")),
	}
}

// keyLine names the keys that are plugged in.
func (m *model) keyLine() string {
	var names []string
	for _, k := range m.keys {
		if !k.Present {
			continue
		}
		name := words.Key(k.Label, k.Soft)
		switch {
		case len(k.Waiting) > 0:
			name += " blinks"
		case k.Locked:
			name += ", locked"
		case k.Trouble != "":
			name += ", in trouble"
		}
		names = append(names, name)
	}
	text := "no key is plugged in"
	if len(names) > 0 {
		text = "keys: " + strings.Join(names, " · ")
	}
	if !m.reached {
		text = ""
	}
	return ink.Paint(ink.Bold, "oathd") + "  " + ink.Shorten(text, m.width-len("oathd")-2)
}

// body are the accounts, or why there are none.
func (m *model) body() []string {
	switch {
	case m.trouble != nil:
		return []string{"", ink.Paint(ink.Red, ink.Shorten(m.trouble.Error(), m.width)), "waiting for it"}
	case m.reached && len(m.accounts) == 0:
		return []string{"", ink.Shorten("no accounts yet; oathctl add writes one", m.width)}
	case m.reached && len(m.shown) == 0:
		return []string{"", ink.Shorten("no account's name contains this; esc shows all", m.width)}
	}
	var lines []string
	for _, account := range m.onScreen() {
		lines = append(lines, m.accountLine(account))
	}
	return lines
}

func (m *model) accountLine(account api.Account) string {
	mark, style := "", ""
	if account.ID == m.chosen {
		mark = ">"
	}
	if !account.Available {
		style = ink.Dim
	}
	code, left, bar := m.codeCells(account)
	if code == "" {
		code = m.offer(account)
	}
	line := m.row(mark, account.Label(), code, left, bar, keysOf(account))
	if style != "" {
		return ink.Paint(style, line)
	}
	return line
}

// codeCells are the code, how long it lives, and that as a bar; nothing where there is none.
func (m *model) codeCells(account api.Account) (code, left, bar string) {
	r := m.requests[account.ID]
	switch {
	case r == nil:
		return "", "", ""
	case r.cancel != nil && m.blinksFor(account):
		return ink.Paint(ink.Bold, "touch it"), "", ""
	case r.cancel != nil:
		return "…", "", ""
	case r.err != nil:
		return ink.Paint(ink.Red, "none"), "", ""
	}
	code = ink.Paint(ink.Bold, grouped(r.code.Code))
	if early := r.code.ValidFrom.Sub(m.now); early > 0 {
		return code, fmt.Sprintf("in %d s", words.Seconds(early)), ""
	}
	if r.code.ValidUntil.IsZero() {
		return code, "", ""
	}
	life := r.until.Sub(m.now)
	style := ink.Green
	if life <= 5*time.Second {
		style = ink.Yellow
	}
	whole := r.code.ValidUntil.Sub(r.code.ValidFrom)
	full := int((life*barWidth + whole - 1) / whole)
	bar = ink.Paint(style, strings.Repeat("━", full)) + ink.Paint(ink.Dim, strings.Repeat("─", max(0, barWidth-full)))
	return code, fmt.Sprintf("%d s", words.Seconds(life)), bar
}

// blinksFor reports whether a key waits for a touch for the account.
func (m *model) blinksFor(account api.Account) bool {
	return slices.ContainsFunc(m.touches, func(t api.Event) bool {
		return t.Account == account.ID || t.Account == "" && slices.ContainsFunc(account.Copies, func(c api.Copy) bool { return c.Key == t.Key })
	})
}

// offer says what a code takes that is not there.
func (m *model) offer(account api.Account) string {
	text := ""
	switch {
	case !account.Available:
		text = "-"
	case account.Type == "hotp":
		text = "counted"
	case account.Touch:
		text = "by touch"
	case account.ID == m.chosen:
		text = "enter"
	}
	return ink.Paint(ink.Dim, text)
}

// grouped sets a code of digits in two halves.
func grouped(code string) string {
	if len(code) < 6 || strings.Trim(code, "0123456789") != "" {
		return code
	}
	return code[:len(code)/2] + " " + code[len(code)/2:]
}

// keysOf names the keys from which a code can be had, else those that have it. Where all are soft, that is said once.
func keysOf(account api.Account) string {
	here := slices.DeleteFunc(slices.Clone(account.Copies), func(c api.Copy) bool { return c.State == api.CopyMissing })
	there := slices.Clone(here)
	here = slices.DeleteFunc(here, func(c api.Copy) bool { return !c.Present || c.Locked })
	if len(here) == 0 {
		here = there
	}
	allSoft := !slices.ContainsFunc(here, func(c api.Copy) bool { return !c.Soft })
	var names []string
	for _, c := range here {
		names = append(names, words.Key(c.KeyLabel, c.Soft && !allSoft))
	}
	return words.Key(strings.Join(names, ", "), allSoft && len(here) > 0)
}

// row sets a line of the table.
func (m *model) row(mark, label, code, left, bar, on string) string {
	cells := []struct {
		text  string
		width int
	}{{mark, markWidth}, {label, 0}, {code, codeWidth}, {left, timeWidth}, {bar, barWidth + 1}, {on, keysWidth}}
	room := m.width - markWidth - codeWidth - timeWidth - 1
	if m.width >= widthWithBar {
		room -= barWidth + 1
	} else {
		cells[4].width = 0
	}
	if m.width >= widthWithKeys {
		room -= keysWidth
	} else {
		cells[5].width = 0
	}
	cells[1].text, cells[1].width = ink.Shorten(label, max(1, room-1)), max(2, room)
	cells[5].text = ink.Shorten(on, keysWidth)
	var b strings.Builder
	for _, c := range cells {
		if c.width > 0 {
			b.WriteString(ink.Pad(c.text, c.width))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func (m *model) foot() []string {
	lines := append([]string{""}, m.touchLines()...)
	return append(lines, ink.Paint(m.note.style, ink.Shorten(m.note.text, m.width)), ink.Paint(ink.Dim, ink.Shorten(m.hint(), m.width)))
}

// hint says what to press.
func (m *model) hint() string {
	if m.reached && !m.watched() && (m.all || m.chosen != "") {
		return "nobody has pressed a key for a while, so no codes are asked for: press one"
	}
	return help
}

// touchLines say which keys blink, for what, for whom and since when; at least one line.
func (m *model) touchLines() []string {
	var lines []string
	for _, t := range m.touches[:min(len(m.touches), maxTouches)] {
		text := "touch " + t.KeyLabel + ": it blinks"
		if since := m.now.Sub(t.At); since >= time.Second {
			text += fmt.Sprintf(" since %d s", int(since/time.Second))
		}
		if t.Label != "" {
			text += " for " + t.Label
		}
		if len(t.Waiting) > 0 {
			text += ", asked by " + strings.Join(t.Waiting, ", ")
		}
		lines = append(lines, ink.Paint(ink.Bold, ink.Shorten(text, m.width)))
	}
	if lines == nil {
		return []string{""}
	}
	return lines
}
