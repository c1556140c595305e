package main

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// press does what a key is for. Whatever is a character goes into the filter.
func (m *model) press(k tea.KeyPressMsg) tea.Cmd {
	i := m.index()
	switch k.Keystroke() {
	case "ctrl+c", "ctrl+d":
		return tea.Quit
	case "up", "ctrl+p":
		m.choose(i - 1)
	case "down", "ctrl+n", "tab":
		m.choose(i + 1)
	case "pgup":
		m.choose(i - m.rows())
	case "pgdown":
		m.choose(i + m.rows())
	case "home":
		m.choose(0)
	case "end":
		m.choose(len(m.shown) - 1)
	case "backspace":
		runes := []rune(m.filter)
		m.setFilter(string(runes[:max(0, len(runes)-1)]))
	case "ctrl+u":
		m.setFilter("")
	case "esc":
		m.escape()
	case "enter":
		return m.take(i)
	default:
		if k.Text != "" {
			m.setFilter(m.filter + k.Text)
		}
	}
	return nil
}

// escape gives up what is waited for, else empties the filter.
func (m *model) escape() {
	waiting := false
	for id, r := range m.requests {
		if r.cancel != nil && r.copying {
			r.cancel()
			delete(m.requests, id)
			waiting = true
		}
	}
	if !waiting {
		m.setFilter("")
	}
}

// take copies the code of line i, which is asked for if it is not there. The key press is what may ask for a
// touch, and use up a code that is counted.
func (m *model) take(i int) tea.Cmd {
	if i < 0 {
		if len(m.shown) != 1 {
			return nil
		}
		i = 0
		m.choose(i)
	}
	account := m.shown[i]
	r := m.requests[account.ID]
	switch {
	case r != nil && r.cancel != nil:
		r.copying = true
		return nil
	case r != nil && r.err == nil && account.Type != "hotp":
		return m.copyCode(r)
	}
	return m.request(account, true)
}

// request asks for a code.
func (m *model) request(account api.Account, copying bool) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	m.requests[account.ID] = &request{cancel: cancel, copying: copying}
	return func() tea.Msg {
		defer cancel()
		code, err := m.ask(ctx, api.CodeRequest{Account: account.ID})
		return coded{account.ID, code, err}
	}
}

// code takes in what came of a request.
func (m *model) code(c coded) tea.Cmd {
	r := m.requests[c.account]
	if r == nil || r.cancel == nil {
		return nil // it was given up
	}
	copying := r.copying
	*r = request{code: c.code, err: c.err, until: c.code.ValidUntil}
	switch {
	case c.err != nil:
		r.until = m.now.Add(countedLife)
		m.say(ink.Red, problem(c.err))
		return nil
	case r.until.IsZero():
		r.until = m.now.Add(countedLife)
	}
	if copying {
		return m.copyCode(r)
	}
	return nil
}

func problem(err error) string {
	text := err.Error()
	if e, ok := err.(*api.Error); ok && e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func (m *model) copyCode(r *request) tea.Cmd {
	code, until := r.code, r.until
	return func() tea.Msg {
		c, err := m.copy(m.ctx, code.Code, until)
		return copied{code.Label, until, c, err}
	}
}

func (m *model) sayCopied(c copied) {
	switch {
	case c.err != nil:
		m.say(ink.Red, problem(c.err))
	case c.Tool == "terminal":
		m.say(ink.Green, c.label+" handed to the terminal to copy; not every terminal does")
	case c.Clears:
		m.say(ink.Green, c.label+" copied with "+c.Tool+", out of the clipboard when the code ends")
	default:
		m.say(ink.Green, c.label+" copied with "+c.Tool)
	}
}

// forget drops what has had its time.
func (m *model) forget() {
	for id, r := range m.requests {
		if r.cancel == nil && !m.now.Before(r.until) {
			delete(m.requests, id)
		}
	}
	if !m.now.Before(m.note.until) {
		m.note = note{}
	}
}

// forgetErrors drops what may be otherwise now that a key has come, gone or changed.
func (m *model) forgetErrors() {
	for id, r := range m.requests {
		if r.err != nil {
			delete(m.requests, id)
		}
	}
}

// askForMore asks for the codes that somebody looks at and that are not there: of the chosen account, or of all on
// the screen. What needs a touch, or would use up a code, waits for a key press; so does what no key has
// proved, because nobody knows whether it needs a touch.
func (m *model) askForMore() tea.Cmd {
	if !m.watched() {
		return nil
	}
	var cmds []tea.Cmd
	for _, account := range m.onScreen() {
		chosen := account.ID == m.chosen && m.now.Sub(m.moved) >= rest
		free := account.Available && !account.Touch && account.Type == "totp" && account.Proved > 0
		if (chosen || m.all) && free && m.requests[account.ID] == nil {
			cmds = append(cmds, m.request(account, false))
		}
	}
	return tea.Batch(cmds...)
}

// watched reports whether somebody looks.
func (m *model) watched() bool {
	return !m.away && !m.pressed.IsZero() && m.now.Sub(m.pressed) < attention
}

// onScreen are the accounts whose lines are on the screen.
func (m *model) onScreen() []api.Account {
	return m.shown[m.top:min(len(m.shown), m.top+m.rows())]
}

// tickOn has the screen drawn again when the next second begins, or a choice has lasted, if anything on it
// would be otherwise then. Where nothing changes by itself, no clock runs.
func (m *model) tickOn() tea.Cmd {
	wait := time.Duration(0)
	switch {
	case m.ticking:
		return nil
	case m.watched() && m.chosen != "" && m.now.Sub(m.moved) < rest:
		wait = rest - m.now.Sub(m.moved)
	case len(m.requests) > 0 || len(m.touches) > 0 || m.note.text != "":
		wait = m.now.Truncate(time.Second).Add(time.Second).Sub(m.now)
	default:
		return nil
	}
	m.ticking = true
	return tea.Tick(wait, func(t time.Time) tea.Msg { return tick(t) })
}
