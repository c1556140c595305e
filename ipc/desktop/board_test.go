package desktop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

func wants(key, account string, who ...string) agent.Touch {
	return agent.Touch{Key: key, KeyLabel: key, Account: account, Label: account, Waiting: who}
}

// TestTouch: one notice names all who wait, is replaced as they come, and is closed when nobody does.
func TestTouch(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b, "body", "actions")
	run(t, Options{Session: b.address}, c)
	stopped := make(chan string, 2)
	one := wants("main", "GitHub:me", "aws ← zsh ← kitty (uid 1000, pid 7)")
	one.Stop = func() { stopped <- "main" }
	c.touch(one)
	first := s.next(t)
	wantNotice(t, first, "Touch main", "GitHub:me, for aws ← zsh ← kitty")
	if strings.Contains(first.Body, "uid") || first.Expire != touchTime || first.Hints["transient"].Value() != true || first.Hints["urgency"].Value() != byte(1) {
		t.Errorf("%+v", first)
	}
	if !slices.Equal(first.Actions, []string{"stop", "Stop waiting"}) {
		t.Errorf("actions %q", first.Actions)
	}
	one.Waiting = append(one.Waiting, "git (uid 1000, pid 8)")
	c.touch(one, wants("blue", "", "oathctl (uid 1000, pid 9)"))
	second := s.next(t)
	wantNotice(t, second, "Touch main and blue", "GitHub:me, for aws ← zsh ← kitty, git", "for oathctl")
	if second.Replaces != first.ID || s.count() != 1 {
		t.Errorf("%d are shown: %+v", s.count(), second)
	}
	emit(t, s.conn, notifyPath, notifyName+".ActionInvoked", second.ID, "stop")
	emit(t, s.conn, notifyPath, notifyName+".ActionInvoked", second.ID+1, "stop")
	emit(t, s.conn, notifyPath, notifyName+".ActionInvoked", second.ID, "default")
	if got := <-stopped; got != "main" {
		t.Errorf("stopped %s", got)
	}
	c.touch()
	if n := s.next(t); !n.Closed || n.ID != first.ID || s.count() != 0 {
		t.Errorf("got %+v, %d are shown", n, s.count())
	}
	if len(stopped) > 0 {
		t.Error("stopped again")
	}
}

// TestNoButton: there is none for what cannot be stopped, and none for a server that has no buttons.
func TestNoButton(t *testing.T) {
	fixed, stoppable := wants("main", "", "oathctl"), wants("main", "", "oathctl")
	stoppable.Stop = func() {}
	for _, test := range []struct {
		touch     agent.Touch
		abilities []string
	}{{fixed, []string{"body", "actions"}}, {stoppable, []string{"body"}}} {
		b, c := startBus(t), newCore()
		s := startServer(b, test.abilities...)
		run(t, Options{Session: b.address}, c)
		c.touch(test.touch)
		if n := s.next(t); len(n.Actions) > 0 {
			t.Errorf("%v: %+v", test.abilities, n)
		}
	}
}

// TestNewKey tells of a key that is not adopted, once, and no longer when it is, or is gone.
func TestNewKey(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b)
	run(t, Options{Session: b.address}, c)
	k := api.Key{ID: "aaaaaaaaaa", Label: "yubikey-5-7", State: api.KeySeen, Present: true}
	c.setKey(api.Key{ID: "adopted", Label: "x", State: api.KeyAdopted, Present: true}, api.EventKeyIn)
	c.setKey(api.Key{ID: "broken", Label: "y", State: api.KeySeen, Present: true, Trouble: "cannot use the key"}, api.EventKeyIn)
	c.setKey(k, api.EventKeyIn)
	wantNotice(t, s.next(t), "New security key: yubikey-5-7", "oathctl key adopt yubikey-5-7")
	k.State = api.KeyAdopted
	c.setKey(k, api.EventKeyChanged)
	if n := s.next(t); !n.Closed {
		t.Errorf("%+v", n)
	}
	k.State = api.KeySeen
	c.setKey(k, api.EventKeyIn) // known by now
	c.setKey(api.Key{ID: "other", Label: "other", State: api.KeySeen, Present: true}, api.EventKeyIn)
	wantNotice(t, s.next(t), "New security key: other")
	c.setKey(api.Key{ID: "other", Label: "other", State: api.KeySeen}, api.EventKeyOut)
	if n := s.next(t); !n.Closed {
		t.Errorf("%+v", n)
	}
}

// TestMismatch stays until it is seen.
func TestMismatch(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b)
	run(t, Options{Session: b.address}, c)
	c.events <- api.Event{Kind: api.EventMismatch, KeyLabel: "blue", Label: "GitHub:me"}
	n := s.next(t)
	wantNotice(t, n, "A copy no longer matches", "GitHub:me on blue answers with another seed")
	if n.Hints["urgency"].Value() != byte(2) || n.Hints["transient"].Value() != false {
		t.Errorf("%+v", n)
	}
}

// TestTell has what others say shown, each in the place of the one before.
func TestTell(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b)
	d := run(t, Options{Session: b.address}, c)
	d.Tell("Copied: GitHub:me", "Valid for 20 s.")
	first := s.next(t)
	wantNotice(t, first, "Copied: GitHub:me", "Valid for 20 s.")
	d.Tell("No code", "cannot")
	if second := s.next(t); second.ID != first.ID || second.Title != "No code" {
		t.Errorf("%+v", second)
	}
	// One that was closed is not replaced.
	until(t, "the closing is noticed", func() bool {
		emit(t, s.conn, notifyPath, notifyName+".NotificationClosed", first.ID, uint32(2))
		return d.board.withID(first.ID) == nil
	})
	d.Tell("Copied again", "")
	if third := s.next(t); third.Replaces != 0 {
		t.Errorf("%+v", third)
	}
}

// TestNamesOfStrangers: neither markup nor lines nor lengths of names get into a notification.
func TestNamesOfStrangers(t *testing.T) {
	for _, markup := range []bool{true, false} {
		t.Run(fmt.Sprint("markup ", markup), func(t *testing.T) {
			b, c := startBus(t), newCore()
			var s *server
			if markup {
				s = startServer(b, "body", "body-markup", "actions")
			} else {
				s = startServer(b, "body")
			}
			run(t, Options{Session: b.address}, c)
			c.touch(wants("a\nb", `<img src="http://x"/>&amp;`+"\x1b[31m\u202e"+strings.Repeat("é", 1000), "p\xff"))
			n := s.next(t)
			want := `<img src="http://x"/>&amp;`
			if markup {
				want = `&lt;img src="http://x"/&gt;&amp;amp;`
			}
			if !strings.HasPrefix(n.Body, want) || strings.ContainsAny(n.Title+n.Body, "\n\x1b\u202e") || !utf8.ValidString(n.Body) || len(n.Body) > 400 {
				t.Errorf("%q: %q", n.Title, n.Body)
			}
			var many []agent.Touch
			for i := range 100 {
				many = append(many, wants(label(i), "a", label(i)))
			}
			c.touch(many...)
			if n := s.next(t); !strings.HasSuffix(n.Title, " and 95 more") || strings.Count(n.Body, "\n") != maxLines {
				t.Errorf("%q: %q", n.Title, n.Body)
			}
		})
	}
}

// TestServerComesAndGoes: without a server nothing is shown; one that comes is told of what lasts, and not of what is over.
func TestServerComesAndGoes(t *testing.T) {
	b, c := startBus(t), newCore()
	d := run(t, Options{Session: b.address}, c)
	d.Tell("nobody hears it", "")
	c.touch(wants("main", "GitHub:me", "ssh"))
	until(t, "it was tried", func() bool {
		d.board.mu.Lock()
		defer d.board.mu.Unlock()
		return d.board.shown[touchWanted].notice != nil && d.board.shown[news].notice != nil
	})
	for range 3 {
		s := startServer(b)
		wantNotice(t, s.next(t), "Touch main")
		_ = s.conn.Close()
		if len(s.asked) > 0 {
			t.Errorf("it was told more: %+v", <-s.asked)
		}
	}
}

// TestServerHangs: while a server hangs, nothing piles up, and nobody waits. When it goes on it is told how things are by then.
func TestServerHangs(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b)
	d := run(t, Options{Session: b.address}, c)
	goOn := s.hang()
	c.touch(wants("main", "0", "ssh"))
	wantNotice(t, s.next(t), "Touch main", "0, for ssh")
	for i := range 1000 {
		c.touch(wants("main", fmt.Sprint(i+1), "ssh"))
		d.Tell(fmt.Sprint(i), "")
	}
	if n := len(s.asked); n > 0 {
		t.Errorf("%d more calls were made", n)
	}
	goOn()
	first, second := s.next(t), s.next(t) // in either order
	if got := first.Title + first.Body + second.Title + second.Body; len(got) != len("Touch main1000, for ssh999") || !strings.Contains(got, "1000, for ssh") || len(s.asked) > 0 {
		t.Errorf("got %q", got)
	}
}

// TestServerLearnsLate: a server that does not say yet what it can do is shown no stranger's markup, and is asked again.
func TestServerLearnsLate(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b, "body", "body-markup", "actions")
	s.mute.Store(true)
	run(t, Options{Session: b.address}, c)
	touch := wants("main", "<b>", "ssh")
	touch.Stop = func() {}
	c.touch(touch)
	if n := s.next(t); n.Body != "&lt;b&gt;, for ssh" || len(n.Actions) > 0 {
		t.Errorf("%+v", n)
	}
	s.mute.Store(false)
	c.touch(touch)
	if n := s.next(t); n.Body != "&lt;b&gt;, for ssh" || len(n.Actions) == 0 {
		t.Errorf("%+v", n)
	}
}

// TestQuiet tells nobody anything.
func TestQuiet(t *testing.T) {
	b, c := startBus(t), newCore()
	s := startServer(b)
	d := run(t, Options{Session: b.address, Quiet: true}, c)
	d.Tell("a", "b")
	fakeSaver(t, b, "org.gnome.ScreenSaver").set(true)
	c.await(t, "forget")
	if len(s.asked) > 0 {
		t.Errorf("asked %+v", <-s.asked)
	}
}

// TestNoBus: a daemon without a desktop.
func TestNoBus(t *testing.T) {
	c := newCore()
	d := run(t, Options{}, c)
	d.Tell("a", "b")
	c.touch(wants("main", "GitHub:me", "ssh"))
	if d.Locked() || d.ClockWarning() != "" {
		t.Error("it knows something")
	}
	strange := run(t, Options{Session: "tcp:host=localhost", System: "on"}, newCore())
	strange.Tell("a", "b")
}
