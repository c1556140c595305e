package main

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

const (
	// attention is for how long after a key press somebody is taken to look at the screen. After that no more codes are
	// asked for: nobody's card is to be touched because a window was left open.
	attention = 2 * time.Minute
	// rest is how long a choice must last before its code is asked for, so that who moves through the list asks for
	// none on the way.
	rest = 250 * time.Millisecond
	// countedLife is how long a code that is counted is shown and stays in the clipboard; it lives until it is used.
	countedLife = 30 * time.Second
)

// model is all that is shown, and what was asked for. It changes in Update only.
type model struct {
	ctx  context.Context
	ask  func(ctx context.Context, r api.CodeRequest) (api.Code, error)
	copy func(ctx context.Context, text string, until time.Time) (kin.Copied, error)
	look ink.Look
	all  bool

	width, height int
	// now is the time that the screen shows.
	now time.Time
	// pressed is when a key was pressed last; away says that the terminal has told that nobody looks.
	pressed time.Time
	away    bool
	// ticking says that a tick is on its way.
	ticking bool

	reached bool
	trouble error
	keys    []api.Key
	// accounts are all, shown those that fit the filter.
	accounts []api.Account
	shown    []api.Account
	filter   string
	// chosen is the id of the chosen account, "" for none; top is the first line of shown on the screen.
	chosen string
	top    int
	// moved is when another one was chosen.
	moved time.Time

	requests map[string]*request
	touches  []api.Event
	note     note
}

// request is what was asked for one account: its code, or that of it which is there.
type request struct {
	code api.Code
	err  error
	// until is when code or err have had their time.
	until time.Time
	// cancel gives up, while it is under way; copying says that the code is to be copied when it comes.
	cancel  context.CancelFunc
	copying bool
}

// note is the last thing there was to say.
type note struct {
	text  string
	style string
	until time.Time
}

// What comes of what was asked for, and the time.
type (
	coded struct {
		account string
		code    api.Code
		err     error
	}
	copied struct {
		label string
		until time.Time
		kin.Copied
		err error
	}
	tick time.Time
)

func newModel(ctx context.Context, w watch) *model {
	m := &model{
		ctx: ctx, ask: w.client.Code, copy: kin.Copy, look: w.look, all: w.all, filter: w.filter,
		width: 80, height: 24, now: time.Now(), requests: map[string]*request{},
	}
	if w.filter != "" || w.all {
		m.pressed = m.now // somebody has said what to look at
	}
	return m
}

// Init asks for nothing: the feed tells by itself.
func (m *model) Init() tea.Cmd { return nil }

// Update takes in what has happened, and asks for what is to be shown next.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.now = time.Now()
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		m.pressed, m.away = m.now, false
		cmd = m.press(msg)
	case tea.PasteMsg:
		m.pressed = m.now
		m.setFilter(m.filter + msg.Content)
	case tea.FocusMsg:
		m.away = false
	case tea.BlurMsg:
		m.away = true
	case listed:
		m.list(msg)
	case happened:
		m.happen(api.Event(msg))
	case gone:
		m.lose(msg.err)
	case coded:
		cmd = m.code(msg)
	case copied:
		m.sayCopied(msg)
	case tick:
		m.ticking = false
	}
	m.forget()
	m.scroll()
	return m, tea.Batch(cmd, m.askForMore(), m.tickOn())
}

func (m *model) list(l listed) {
	m.reached, m.trouble = true, nil
	m.keys, m.accounts = l.keys, l.accounts
	m.touches = slices.DeleteFunc(m.touches, func(t api.Event) bool { return !m.waits(t.Key) })
	for _, k := range m.keys {
		if len(k.Waiting) > 0 && !slices.ContainsFunc(m.touches, func(t api.Event) bool { return t.Key == k.ID }) {
			m.touches = append(m.touches, api.Event{At: m.now, Key: k.ID, KeyLabel: k.Label, Waiting: k.Waiting})
		}
	}
	m.fit()
}

// waits reports whether the key waits for a touch.
func (m *model) waits(key string) bool {
	return slices.ContainsFunc(m.keys, func(k api.Key) bool { return k.ID == key && len(k.Waiting) > 0 })
}

func (m *model) happen(e api.Event) {
	switch e.Kind {
	case api.EventTouchWanted:
		i := slices.IndexFunc(m.touches, func(t api.Event) bool { return t.Key == e.Key })
		if i < 0 {
			m.touches = append(m.touches, e)
			return
		}
		e.At = m.touches[i].At // it blinks since then
		m.touches[i] = e
	case api.EventTouchDone, api.EventKeyOut:
		m.touches = slices.DeleteFunc(m.touches, func(t api.Event) bool { return t.Key == e.Key })
		m.forgetErrors()
	case api.EventKeyIn, api.EventKeyChanged, api.EventAccounts:
		m.forgetErrors()
	case api.EventHoldToReader:
		m.say(ink.Bold, "hold the key to the reader")
	}
}

// lose empties the screen: nothing of what was shown can be relied on.
func (m *model) lose(err error) {
	m.reached, m.trouble = false, err
	m.keys, m.accounts, m.touches = nil, nil, nil
	for _, r := range m.requests {
		r.give()
	}
	clear(m.requests)
	m.fit()
}

// give gives a request up.
func (r *request) give() {
	if r.cancel != nil {
		r.cancel()
	}
}

// fit finds the accounts that the filter lets through, and keeps the chosen one if it is among them.
func (m *model) fit() {
	words := strings.Fields(strings.ToLower(m.filter))
	m.shown = slices.DeleteFunc(slices.Clone(m.accounts), func(a api.Account) bool {
		label := strings.ToLower(a.Label())
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(label, w) })
	})
	if m.index() < 0 {
		m.chosen = ""
		if m.filter != "" && len(m.shown) > 0 {
			m.choose(0)
		}
	}
}

func (m *model) setFilter(text string) {
	m.filter = strings.TrimLeft(strings.Map(printable, text), " ")
	m.chosen = ""
	m.fit()
}

// printable drops what no filter needs, as a paste may hold it.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// index is the line of the chosen account in shown, -1 for none.
func (m *model) index() int {
	return slices.IndexFunc(m.shown, func(a api.Account) bool { return a.ID == m.chosen && m.chosen != "" })
}

// choose chooses the line of shown that is nearest to i.
func (m *model) choose(i int) {
	if len(m.shown) == 0 {
		return
	}
	id := m.shown[max(0, min(i, len(m.shown)-1))].ID
	if id != m.chosen {
		m.chosen, m.moved = id, m.now
	}
}

// scroll brings the chosen line onto the screen.
func (m *model) scroll() {
	i, rows := max(0, m.index()), m.rows()
	m.top = max(0, min(m.top, i, len(m.shown)-rows), i-rows+1)
}

func (m *model) say(style, text string) {
	m.note = note{text, style, m.now.Add(10 * time.Second)}
}
