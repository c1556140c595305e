package desktop

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// The names of the Desktop Notifications Specification, version 1.2.
const (
	notifyName = "org.freedesktop.Notifications"
	notifyPath = "/org/freedesktop/Notifications"
)

// kind is what a notice is about. Of each kind there is one at a time, at most.
type kind int

const (
	touchWanted kind = iota
	newKey
	mismatch
	news
	kinds
)

// notice is something to be shown to a person. It never changes, and never has a code in it.
type notice struct {
	title, body string
	// lasting notices are about something that goes on: they come back with a server that has begun anew, and go when it is over.
	lasting bool
	// urgent ones stay until they are seen.
	urgent bool
	// action is the label of a button, do what it does; do never blocks.
	action string
	do     func()

	since time.Time
}

const (
	// touchTime is how long a notice is shown that lasts, in milliseconds: as long as a YubiKey waits for a touch.
	touchTime = 15000
	// staleAfter is after how long nobody needs to be told any more.
	staleAfter = time.Minute
	// stopAction is the name of a notice's only action.
	stopAction = "stop"
)

// The urgencies of the specification.
const (
	normal   byte = 1
	critical byte = 2
)

// board has what is to be shown, and brings it about as a server allows: what counts is how things are, not what has happened, so a
// server that hangs costs one call that waits, and one that comes back is told what is still true.
type board struct {
	log  *slog.Logger
	news chan struct{}

	mu    sync.Mutex
	want  [kinds]*notice
	shown [kinds]shown
	// able is what the server can do; nil where it has not said so.
	able *abilities
}

// abilities are those of a server that change what it is asked for.
type abilities struct {
	// markup: it takes a body for markup. buttons: it shows them; one that does not may show a window in a notice's stead if asked for
	// some (notify-osd, a "Warning" with "OK" and "Cancel").
	markup, buttons bool
}

// shown is what was last shown of a kind; id is the server's, 0 where it shows it no longer.
type shown struct {
	*notice
	id uint32
}

func newBoard(log *slog.Logger) *board { return &board{log: log, news: make(chan struct{}, 1)} }

// put has a notice shown in the place of the one before; nil takes it away.
func (b *board) put(k kind, n *notice) {
	if n != nil {
		n.since = time.Now()
	}
	b.mu.Lock()
	b.want[k] = n
	b.mu.Unlock()
	poke(b.news)
}

// serve brings about what is wanted, as long as the link lasts.
func (b *board) serve(l *link) {
	b.restarted()
	for {
		for k := range kinds {
			b.bring(l, k)
		}
		select {
		case <-b.news:
		case <-l.conn.Context().Done():
			return
		}
	}
}

// restarted notes that another server has begun, which shows nothing yet. What was said once is not said again.
func (b *board) restarted() {
	b.mu.Lock()
	for k := range b.shown {
		b.shown[k].id = 0
		if n := b.shown[k].notice; n != nil && n.lasting {
			b.shown[k].notice = nil
		}
	}
	b.able = nil
	b.mu.Unlock()
	poke(b.news)
}

// bring shows what is wanted of a kind, or takes away what no longer is.
func (b *board) bring(l *link, k kind) {
	b.mu.Lock()
	want, now := b.want[k], b.shown[k]
	b.shown[k].notice = want
	b.mu.Unlock()
	switch {
	case want == now.notice:
	case want == nil && now.id != 0:
		b.note(k, want, 0)
		b.complain(l.call(l.conn.Context(), notifyName, notifyPath, notifyName+".CloseNotification", now.id).Err)
	case want != nil && (want.lasting || time.Since(want.since) < staleAfter):
		b.note(k, want, b.show(l, want, now.id))
	}
}

// note keeps the id of what was shown, unless the server has ended meanwhile.
func (b *board) note(k kind, n *notice, id uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown[k].notice == n {
		b.shown[k].id = id
	}
}

// escape is for servers that take a body for markup. GNOME's knows no more entities than XML does, and shows others as they are.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// show shows a notice in the place of another; the id is 0 where it cannot.
func (b *board) show(l *link, n *notice, replaces uint32) (id uint32) {
	body, able := n.body, b.abilities(l)
	if able.markup {
		body = escape.Replace(body)
	}
	actions, expire, urgency := []string{}, int32(-1), normal
	if n.do != nil && able.buttons {
		actions = []string{stopAction, n.action}
	}
	if n.lasting {
		expire = touchTime
	}
	if n.urgent {
		urgency = critical
	}
	hints := map[string]dbus.Variant{
		"urgency": dbus.MakeVariant(urgency), "transient": dbus.MakeVariant(!n.urgent), "desktop-entry": dbus.MakeVariant("org.oathd.Oathd1"),
	}
	b.complain(l.activate(l.conn.Context(), notifyName, notifyPath, notifyName+".Notify",
		"oathd", replaces, "dialog-password", n.title, body, actions, hints, expire).Store(&id))
	return id
}

// abilities asks a server what it can do, until it has said so once; one that hangs is not asked again, for it holds up every notice. One that
// does not say is taken for one that takes markup, so that none of a stranger's gets through.
func (b *board) abilities(l *link) abilities {
	b.mu.Lock()
	known := b.able
	b.mu.Unlock()
	if known != nil {
		return *known
	}
	var list []string
	able := abilities{markup: true}
	err := l.activate(l.conn.Context(), notifyName, notifyPath, notifyName+".GetCapabilities").Store(&list)
	if err == nil {
		able = abilities{markup: slices.Contains(list, "body-markup"), buttons: slices.Contains(list, "actions")}
	}
	b.complain(err)
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.able = &able
	}
	return able
}

// complain notes that a server does not do as asked. Most often there is none.
func (b *board) complain(err error) {
	if err != nil {
		b.log.Debug("cannot show a notification", "error", err)
	}
}

// hear takes over what the server says.
func (b *board) hear(h heard) {
	var id, reason uint32
	var action string
	switch h.name {
	case cameOrWent:
		b.restarted()
	case notifyName + ".NotificationClosed":
		if dbus.Store(h.body, &id, &reason) == nil {
			b.closed(id)
		}
	case notifyName + ".ActionInvoked":
		if dbus.Store(h.body, &id, &action) == nil && action == stopAction {
			if n := b.withID(id); n != nil && n.do != nil {
				n.do()
			}
		}
	}
}

// closed notes that a notice is not shown any more: it was seen, or its time is over.
func (b *board) closed(id uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.shown {
		if b.shown[k].id == id {
			b.shown[k].id = 0
		}
	}
}

// withID finds the notice that the server knows by an id.
func (b *board) withID(id uint32) *notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.shown {
		if id != 0 && s.id == id {
			return s.notice
		}
	}
	return nil
}

// watch has people told of what happens to the keys, until ctx ends.
func (b *board) watch(ctx context.Context, keys Keys) {
	r := reporter{board: b, keys: keys, told: map[string]bool{}}
	for e := range keys.Events(ctx) {
		r.report(e)
	}
}
