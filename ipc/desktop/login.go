package desktop

import (
	"context"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

// The names of systemd's and elogind's session manager, org.freedesktop.login1(5).
const (
	loginName     = "org.freedesktop.login1"
	loginPath     = "/org/freedesktop/login1"
	loginManager  = loginName + ".Manager"
	loginSession  = loginName + ".Session"
	loginSessions = loginPath + "/session"

	propertiesChanged = "org.freedesktop.DBus.Properties.PropertiesChanged"
)

// login is what is kept of the session manager on one connection.
type login struct {
	*link
	d    *Desktop
	core Memory
	// awake keeps the machine from falling asleep before the codes are forgotten; nil where it may.
	awake *os.File
}

// openSystem connects to the system bus.
func (d *Desktop) openSystem(core Memory) func(context.Context, string) (func() error, error) {
	return func(ctx context.Context, socket string) (func() error, error) {
		l, err := dial(ctx, socket, loginName, timeName)
		if err != nil {
			return nil, err
		}
		in := &login{link: l, d: d, core: core}
		return in.serve, nil
	}
}

// serve listens until the connection ends. What is known of the sessions then holds until there is another.
func (in *login) serve() error {
	defer in.sleep()
	in.d.clock.use(in.link)
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface(loginManager), dbus.WithMatchMember("PrepareForSleep")},
		{dbus.WithMatchInterface(loginManager), dbus.WithMatchMember("SessionNew")},
		{dbus.WithMatchInterface(loginManager), dbus.WithMatchMember("SessionRemoved")},
		// Not below /session/self and /session/auto: no signal comes from there.
		{dbus.WithMatchInterface(loginSession), dbus.WithMatchMember("Lock"), dbus.WithMatchPathNamespace(loginSessions)},
		{dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace(loginSessions), dbus.WithMatchArg(0, loginSession)},
	} {
		if err := in.listen(loginName, rule...); err != nil {
			return fmt.Errorf("cannot listen to %s: %w", loginName, err)
		}
	}
	in.begin()
	return in.each(in.take)
}

// begin asks the session manager for all that is known, and for a moment before each sleep.
func (in *login) begin() {
	if !in.there(loginName) {
		return
	}
	in.wake()
	if seats, err := in.seats(); err != nil {
		in.d.log.Debug("cannot see the user's sessions", "error", err)
	} else if in.d.presence.reset(seats) {
		in.d.left()
	}
	in.d.clock.look()
}

func (in *login) take(h heard) {
	if h.service == timeName { // it says nothing, and a program may have both names
		return
	}
	switch h.name {
	case cameOrWent, overheard:
		in.sleep()
		in.d.left() // nobody knows what was missed
		in.begin()
	case loginManager + ".PrepareForSleep":
		in.prepare(h.body)
	case loginManager + ".SessionNew":
		var id string
		var path dbus.ObjectPath
		if dbus.Store(h.body, &id, &path) == nil {
			in.look(path)
		}
	case loginManager + ".SessionRemoved":
		var id string
		var path dbus.ObjectPath
		if dbus.Store(h.body, &id, &path) == nil && in.d.presence.drop(path) {
			in.d.left()
		}
	case loginSession + ".Lock":
		// It is a wish, and not every screen saver says that it has fulfilled it.
		if _, ours := in.d.presence.seat(h.path); ours {
			in.d.left()
		}
	case propertiesChanged:
		in.change(h.path, h.body)
	}
}

// prepare gets the codes out of memory before the machine sleeps, and sees what is left after it has slept.
func (in *login) prepare(body []any) {
	var asleep bool
	switch err := dbus.Store(body, &asleep); {
	case err != nil:
	case asleep:
		in.core.Forget()
		in.sleep()
	default:
		in.wake()
		in.d.clock.look()
		in.core.Awake(in.conn.Context())
	}
}

// wake has the session manager wait for us before the next sleep. Where it may not, codes are forgotten as the machine wakes up.
func (in *login) wake() {
	in.sleep()
	call := in.call(in.conn.Context(), loginName, loginPath, loginManager+".Inhibit", "sleep", "oathd", "forgets the codes that are in memory", "delay")
	if call.Err != nil || len(call.Body) == 0 {
		in.d.log.Debug("cannot delay a sleep", "error", call.Err)
		return
	}
	in.awake, _ = call.Body[0].(*os.File)
}

// sleep lets the machine sleep.
func (in *login) sleep() {
	if in.awake != nil {
		_ = in.awake.Close()
		in.awake = nil
	}
}

// seats lists the user's graphical sessions.
func (in *login) seats() (map[dbus.ObjectPath]seat, error) {
	var sessions []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	if err := in.call(in.conn.Context(), loginName, loginPath, loginManager+".ListSessions").Store(&sessions); err != nil {
		return nil, err
	}
	found := map[dbus.ObjectPath]seat{}
	for _, s := range sessions {
		if s.UID != uint32(os.Getuid()) {
			continue
		}
		if now, graphical := in.ask(s.Path); graphical {
			found[s.Path] = now
		}
	}
	return found, nil
}

// look takes a new session over, if it is the user's.
func (in *login) look(path dbus.ObjectPath) {
	if now, graphical := in.ask(path); graphical && in.d.presence.set(path, now) {
		in.d.left()
	}
}

// ask asks how a session is. Somebody who is logged in over ssh or at a console is shown nothing by a desktop; such sessions do not
// count.
func (in *login) ask(path dbus.ObjectPath) (now seat, graphical bool) {
	all, err := in.properties(in.conn.Context(), loginName, path, loginSession)
	if err != nil {
		in.d.log.Debug("cannot see a session", "path", path, "error", err)
		return seat{}, false
	}
	user, _ := all["User"].Value().([]any)
	if len(user) == 0 || user[0] != uint32(os.Getuid()) || all["Class"].Value() != "user" {
		return seat{}, false
	}
	kind := all["Type"].Value()
	now.update(all)
	return now, kind == "x11" || kind == "wayland" || kind == "mir"
}

// update takes over what was told of a session.
func (s *seat) update(told map[string]dbus.Variant) {
	if active, ok := told["Active"].Value().(bool); ok {
		s.active = active
	}
	if locked, ok := told["LockedHint"].Value().(bool); ok {
		s.locked = locked
	}
}

// change takes a change over of a session that is the user's.
func (in *login) change(path dbus.ObjectPath, body []any) {
	var of string
	var told map[string]dbus.Variant
	var void []string
	now, ours := in.d.presence.seat(path)
	if !ours || dbus.Store(body, &of, &told, &void) != nil || of != loginSession {
		return
	}
	now.update(told)
	if in.d.presence.set(path, now) {
		in.d.left()
	}
}
