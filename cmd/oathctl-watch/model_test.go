package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// stage drives a model as bubbletea does, with time that passes when nothing else happens. Use it inside
// synctest.Test.
type stage struct {
	*model
	t    *testing.T
	msgs chan tea.Msg
	quit bool
	mu   sync.Mutex
	// asked are the accounts whose codes were asked for, copied what went to the clipboard.
	asked, copied []string
	// answer is what a request gets; nil waits until the request is given up.
	answer func(account string) (api.Code, error)
}

func newStage(t *testing.T, w watch) *stage {
	s := &stage{t: t, msgs: make(chan tea.Msg)}
	t.Cleanup(func() { <-time.After(time.Minute) }) // a tick that is on its way cannot be called back
	w.look = ink.Look{Symbols: true}
	s.model = newModel(t.Context(), w)
	s.answer = func(account string) (api.Code, error) {
		now := time.Now().Truncate(30 * time.Second)
		return api.Code{Account: account, Label: "label of " + account, Code: "755224", ValidFrom: now, ValidUntil: now.Add(30 * time.Second)}, nil
	}
	s.ask = func(ctx context.Context, r api.CodeRequest) (api.Code, error) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Account)
		s.mu.Unlock()
		if s.answer == nil {
			<-ctx.Done()
			return api.Code{}, &api.Error{Code: api.CodeCanceled, Message: "given up"}
		}
		return s.answer(r.Account)
	}
	s.copy = func(_ context.Context, text string, until time.Time) (kin.Copied, error) {
		s.copied = append(s.copied, fmt.Sprintf("%s for %v", text, until.Sub(time.Now())))
		return kin.Copied{Tool: "xclip", Clears: true}, nil
	}
	return s
}

// send delivers messages and waits until what they bring about has come about.
func (s *stage) send(msgs ...tea.Msg) {
	for _, msg := range msgs {
		s.deliver(msg)
		s.settle()
	}
}

func (s *stage) deliver(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.QuitMsg:
		s.quit = true
	case tea.BatchMsg:
		for _, cmd := range msg {
			s.start(cmd)
		}
	default:
		_, cmd := s.Update(msg)
		s.start(cmd)
	}
}

func (s *stage) start(cmd tea.Cmd) {
	if cmd != nil {
		go func() {
			select {
			case s.msgs <- cmd():
			case <-s.t.Context().Done():
			}
		}()
	}
}

func (s *stage) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-s.msgs:
			s.deliver(msg)
		default:
			return
		}
	}
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	for over := time.After(d); ; {
		select {
		case msg := <-s.msgs:
			s.deliver(msg)
		case <-over:
			s.settle()
			return
		}
	}
}

// press presses keys: names as bubbletea has them, or text to type.
func (s *stage) press(keys ...string) {
	special := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "pgdown": {Code: tea.KeyPgDown},
		"pgup": {Code: tea.KeyPgUp}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd}, "backspace": {Code: tea.KeyBackspace},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	for _, key := range keys {
		if k, ok := special[key]; ok {
			s.send(tea.KeyPressMsg(k))
			continue
		}
		for _, r := range key {
			s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

// screen is what is shown, without the blanks at the ends of lines.
func (s *stage) screen() []string {
	lines := strings.Split(s.View().Content, "\n")
	if len(lines) != s.height {
		s.t.Errorf("the screen has %d lines, drawn are %d", s.height, len(lines))
	}
	for i, line := range lines {
		if lines[i] = strings.TrimRight(line, " "); ink.Width(line) > s.width {
			s.t.Errorf("wider than the screen: %q", line)
		}
	}
	return lines
}

// shows wants lines on the screen that begin with the texts, however many blanks are between their words.
func (s *stage) shows(texts ...string) {
	s.t.Helper()
	screen := s.screen()
	for _, text := range texts {
		if !slices.ContainsFunc(screen, func(line string) bool { return strings.HasPrefix(strings.Join(strings.Fields(line), " ")+"  ", text) }) {
			s.t.Errorf("no line %q on the screen\n%s", text, strings.Join(screen, "\n"))
		}
	}
}

func (s *stage) hides(text string) {
	s.t.Helper()
	if screen := strings.Join(s.screen(), "\n"); strings.Contains(screen, text) {
		s.t.Errorf("%q is on the screen\n%s", text, screen)
	}
}

func (s *stage) wantAsked(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.asked, want) {
		s.t.Errorf("asked were %q, want %q", s.asked, want)
	}
}

// account is one that is at hand, proved, on the key daily.
func account(id, label string, change ...func(*api.Account)) api.Account {
	issuer, name, _ := strings.Cut(label, ":")
	a := api.Account{ID: id, Issuer: issuer, Name: name, Type: "totp", Digits: 6, Period: 30, Available: true, Proved: 1,
		Copies: []api.Copy{{Key: "k1", KeyLabel: "daily", State: api.CopyProved, Present: true}}}
	for _, f := range change {
		f(&a)
	}
	return a
}

func touch(a *api.Account)    { a.Touch = true }
func counted(a *api.Account)  { a.Type, a.Period = "hotp", 0 }
func unproved(a *api.Account) { a.Proved = 0 }
func away(a *api.Account)     { a.Available, a.Copies[0].Present = false, false }

var household = listed{
	keys: []api.Key{{ID: "k1", Label: "daily", Present: true}, {ID: "k2", Label: "spare"}},
	accounts: []api.Account{
		account("a", "GitHub:alice"), account("b", "GitLab:bob"), account("c", "Bank:carol", touch), account("d", "Old:dave", counted),
		account("e", "Mail:eve", away), account("f", "New:frank", unproved),
	},
}

func TestNothingIsAskedUntilSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{})
		s.send(household)
		s.pass(time.Hour)
		s.wantAsked()
		s.shows("oathd keys: daily", "GitHub:alice", "Bank:carol by touch", "Old:dave counted", "Mail:eve -")

		// Who moves through the list asks for nothing on the way.
		s.press("down", "down", "up")
		s.wantAsked()
		s.pass(time.Second)
		s.wantAsked("a")
		s.shows("> GitHub:alice 755 224 29 s ━━━━━━━━━━ daily")
		s.hides("GitLab:bob 755")
	})
}

func TestCountdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{filter: "alice"})
		s.send(household)
		s.pass(300 * time.Millisecond)
		s.shows("> GitHub:alice 755 224 30 s")
		s.pass(14 * time.Second)
		s.shows("> GitHub:alice 755 224 16 s ━━━━━━────")
		s.pass(15500 * time.Millisecond)
		s.shows("> GitHub:alice 755 224 1 s ━─────────")
		s.wantAsked("a")
		s.pass(time.Second)
		s.wantAsked("a", "a") // the next one, as somebody still looks
		s.shows("> GitHub:alice 755 224 30 s")
	})
}

// A window that was left open asks for nothing: no card is touched for nobody.
func TestNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{all: true})
		s.send(household)
		s.pass(attention + time.Minute)
		n := len(s.asked)
		s.hides("755")
		s.shows("nobody has pressed a key for a while")
		s.pass(time.Hour)
		if len(s.asked) != n {
			t.Errorf("asked %d times more", len(s.asked)-n)
		}
		s.press("down")
		if len(s.asked) == n {
			t.Error("somebody has pressed a key, and nothing is asked")
		}
		// The terminal tells that nobody looks.
		s.send(tea.BlurMsg{})
		n = len(s.asked)
		s.pass(time.Minute)
		if len(s.asked) != n {
			t.Error("asked although nobody looks")
		}
		s.send(tea.FocusMsg{})
		if len(s.asked) == n {
			t.Error("not asked although somebody looks again")
		}
	})
}

// With --all, what is on the screen is asked for, without touches and without using up codes.
func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{all: true})
		many := household
		for i := range 50 {
			many.accounts = append(many.accounts, account(fmt.Sprintf("m%d", i), fmt.Sprintf("Many:%d", i)))
		}
		s.send(many)
		slices.Sort(s.asked)
		if len(s.asked) != s.rows()-4 || s.asked[0] != "a" || s.asked[1] != "b" {
			t.Errorf("asked %d times: %q", len(s.asked), s.asked)
		}
		s.press("end")
		s.shows("> Many:49 755 224")
	})
}

func TestTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{})
		s.send(household)
		s.press("bank")
		s.pass(time.Minute)
		s.wantAsked() // looking is no reason to make a key blink
		answer := s.answer
		s.answer = nil
		s.press("enter")
		s.wantAsked("c")
		s.shows("> Bank:carol …")
		s.send(happened{At: time.Now(), Kind: api.EventTouchWanted, Key: "k1", KeyLabel: "daily", Account: "c", Label: "Bank:carol", Waiting: []string{"oathctl-watch"}})
		s.shows("> Bank:carol touch it", "touch daily: it blinks for Bank:carol, asked by oathctl-watch")
		s.pass(3 * time.Second)
		s.send(happened{At: time.Now(), Kind: api.EventTouchWanted, Key: "k1", KeyLabel: "daily", Account: "c", Label: "Bank:carol", Waiting: []string{"oathctl-watch", "ssh"}})
		s.shows("touch daily: it blinks since 3 s for Bank:carol, asked by oathctl-watch, ssh")

		// Esc gives up; the filter stays.
		s.press("esc")
		s.send(happened{Kind: api.EventTouchDone, Key: "k1"})
		s.shows("Filter: bank", "> Bank:carol by touch")
		s.hides("blinks")
		s.answer = answer
		s.press("enter")
		s.shows("> Bank:carol 755 224", "label of c copied with xclip, out of the clipboard when the code ends")
		s.wantAsked("c", "c")
		s.press("enter") // what is there is not asked for again
		s.wantAsked("c", "c")
		if len(s.copied) != 2 {
			t.Errorf("copied: %q", s.copied)
		}
		s.press("esc")
		s.shows("Filter: ")
	})
}

func TestCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{filter: "git"})
		s.send(household)
		s.pass(10 * time.Second)
		s.press("enter")
		if !slices.Equal(s.copied, []string{"755224 for 20s"}) {
			t.Errorf("copied: %q", s.copied)
		}
		s.wantAsked("a")
		s.pass(11 * time.Second)
		s.hides("copied")

		// Each key press takes the next of the codes that are counted.
		s.answer = func(string) (api.Code, error) {
			return api.Code{Label: "Old:dave", Code: fmt.Sprint(len(s.asked))}, nil
		}
		s.press("ctrl+u", "old")
		s.pass(time.Minute)
		s.wantAsked("a")
		s.press("enter")
		s.shows("> Old:dave 2 daily")
		s.press("enter")
		if !slices.Equal(s.copied[1:], []string{"2 for 30s", "3 for 30s"}) {
			t.Errorf("copied: %q", s.copied)
		}

		s.copy = func(context.Context, string, time.Time) (kin.Copied, error) {
			return kin.Copied{}, errors.New("cannot copy: no desktop")
		}
		s.press("enter")
		s.shows("cannot copy: no desktop")
		s.copy = func(context.Context, string, time.Time) (kin.Copied, error) { return kin.Copied{Tool: "terminal"}, nil }
		s.press("enter")
		s.shows("Old:dave handed to the terminal to copy")
	})
}

func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{filter: "git"})
		good := s.answer
		s.answer = func(string) (api.Code, error) {
			return api.Code{}, &api.Error{Code: api.CodeKeyHeld, Message: "cannot use daily: gpg holds it", Hint: "stop it"}
		}
		s.send(household)
		s.pass(time.Second)
		s.shows("> GitHub:alice none", "cannot use daily: gpg holds it (stop it)")
		s.pass(5 * time.Second)
		s.wantAsked("a") // not again and again
		s.answer = good
		s.send(happened{Kind: api.EventKeyChanged, Key: "k1"}, household)
		s.shows("> GitHub:alice 755 224")

		s.answer = func(string) (api.Code, error) { return api.Code{}, errors.New("it is on spare (site: the safe)") }
		s.press("ctrl+u", "mail", "enter")
		s.shows("it is on spare (site: the safe)")
		s.send(happened{Kind: api.EventHoldToReader})
		s.shows("hold the key to the reader")
	})
}

func TestDaemonGoesAndComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{filter: "git"})
		s.send(gone{errors.New("cannot reach oathd: nothing listens")})
		s.shows("cannot reach oathd: nothing listens", "waiting for it")
		s.send(household)
		s.pass(time.Second)
		s.shows("> GitHub:alice 755 224")
		s.send(gone{errors.New("the daemon went away")})
		s.hides("755")
		s.hides("keys:")
		s.send(household)
		s.shows("> GitHub:alice")
		s.send(listed{})
		s.shows("oathd no key is plugged in", "no accounts yet; oathctl add writes one")
	})
}

func TestFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{})
		s.send(household)
		s.press("GIT bo")
		s.shows("Filter: GIT bo", "> GitLab:bob")
		s.hides("alice")
		s.press("backspace", "backspace", "backspace", "ub")
		s.shows("Filter: GITub", "no account's name contains this")
		s.press("enter", "down", "up") // nothing to choose
		s.wantAsked()
		s.press("ctrl+u")
		s.send(tea.PasteMsg{Content: "ali\nce\x1b"})
		s.shows("Filter: alice", "> GitHub:alice")
		s.press("esc", "backspace")
		s.shows("Filter: ")
		if s.quit {
			t.Error("it ended")
		}
		s.press("ctrl+c")
		if !s.quit {
			t.Error("ctrl-c does not end it")
		}
	})
}

func TestScroll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{})
		var many listed
		for i := range 100 {
			many.accounts = append(many.accounts, account(fmt.Sprintf("m%02d", i), fmt.Sprintf("Many:%02d", i)))
		}
		s.send(many)
		s.press("down")
		for range 30 {
			s.press("down")
		}
		s.shows("> Many:30", "Many:14")
		s.press("pgup")
		s.shows("> Many:13", "Many:29")
		s.press("end", "pgdown")
		s.shows("> Many:99", "Many:83")
		s.press("home", "pgdown")
		s.shows("> Many:17")
		s.send(tea.WindowSizeMsg{Width: 80, Height: 10})
		s.shows("> Many:17")
		s.send(tea.WindowSizeMsg{Width: 80, Height: 5}) // there is room for one, at least
		if screen := strings.Join(strings.Split(s.View().Content, "\n"), "\n"); !strings.Contains(screen, "> Many:17") {
			t.Error(screen)
		}
	})
}

// Every line fits, whatever is shown on however narrow a screen.
func TestWidths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, watch{all: true})
		wide := household
		wide.accounts = append(slices.Clone(wide.accounts), account("w", "日本語の長い発行者名前:太郎さんのとても長い名前 and still more of it"))
		wide.keys = append(slices.Clone(wide.keys), api.Key{ID: "k3", Label: strings.Repeat("long ", 20), Present: true, Locked: true, Trouble: "x"})
		for width := 40; width <= 132; width++ {
			s.send(tea.WindowSizeMsg{Width: width, Height: 16}, wide)
			s.send(happened{At: time.Now(), Kind: api.EventTouchWanted, Key: "k1", KeyLabel: "daily", Label: strings.Repeat("x", 90), Waiting: []string{"a"}})
			s.send(happened{At: time.Now(), Kind: api.EventTouchWanted, Key: "k3", KeyLabel: "long", Waiting: []string{strings.Repeat("b", 200)}})
			s.setFilter(strings.Repeat("f", 200))
			s.screen()
			s.setFilter("")
			s.press("home")
			s.shows("> GitHub:alice 755 224", "日本", "touch daily", "touch long")
		}
	})
}
