package desktop

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// saver plays a screen saver.
type saver struct {
	t    testing.TB
	conn *dbus.Conn
	name string

	mu sync.Mutex
	on bool
}

func fakeSaver(t testing.TB, b *testBus, name string) *saver {
	s := &saver{t: t, conn: b.dial(), name: name}
	if err := s.conn.Export(s, savers[name], name); err != nil {
		t.Fatal(err)
	}
	own(t, s.conn, name)
	return s
}

// GetActive is the screen saver's.
func (s *saver) GetActive() (bool, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on, nil
}

func (s *saver) set(on bool) {
	s.mu.Lock()
	s.on = on
	s.mu.Unlock()
	emit(s.t, s.conn, savers[s.name], s.name+".ActiveChanged", on)
}

// TestScreenSaver locks and unlocks a thousand times, with each of them; a signal of anybody else counts for nothing.
func TestScreenSaver(t *testing.T) {
	for name := range savers {
		t.Run(name, func(t *testing.T) {
			b, c := startBus(t), newCore()
			d := run(t, Options{Session: b.address}, c)
			s := fakeSaver(t, b, name)
			for range 1000 {
				s.set(true)
				c.await(t, "forget")
				if !d.Locked() {
					t.Fatal("it is not locked")
				}
				s.set(false)
				until(t, "it is unlocked", func() bool { return !d.Locked() })
			}
			c.quiet(t)
			emit(t, b.dial(), savers[name], name+".ActiveChanged", true)
			s.set(true)
			c.await(t, "forget")
			drop(t, s.conn, name)
			until(t, "the saver is gone", func() bool { return !d.Locked() })
			own(t, s.conn, name) // it is on as it comes back
			c.await(t, "forget")
			if !d.Locked() {
				t.Error("it is not locked")
			}
		})
	}
}

// manager plays login1, with sessions by path, and timedate1.
type manager struct {
	t    testing.TB
	conn *dbus.Conn
	// inhibited gets the pipe of each inhibitor. Its reading end ends when the inhibitor is let go, and the test's own.
	inhibited chan pipe

	mu       sync.Mutex
	sessions map[dbus.ObjectPath]map[string]dbus.Variant
	synced   bool
	asked    int
}

type pipe struct{ r, w *os.File }

const session1, session2, foreign, ssh = loginSessions + "/_31", loginSessions + "/_32", loginSessions + "/_33", loginSessions + "/_34"

type who struct {
	UID  uint32
	Path dbus.ObjectPath
}

func sessionOf(uid int, kind string) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"User": dbus.MakeVariant(who{uint32(uid), "/org/freedesktop/login1/user/_1"}), "Type": dbus.MakeVariant(kind), "Class": dbus.MakeVariant("user"),
		"Active": dbus.MakeVariant(true), "LockedHint": dbus.MakeVariant(false),
	}
}

func startManager(b *testBus) *manager {
	m := &manager{t: b.t, conn: b.dial(), inhibited: make(chan pipe, 100), synced: true, sessions: map[dbus.ObjectPath]map[string]dbus.Variant{
		session1: sessionOf(os.Getuid(), "wayland"), foreign: sessionOf(os.Getuid()+1, "wayland"), ssh: sessionOf(os.Getuid(), "tty"),
	}}
	for path := range m.sessions {
		m.export(path)
	}
	for _, name := range []string{loginManager, "org.freedesktop.DBus.Properties"} {
		if err := m.conn.Export(properties{m, ""}, timePath, name); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := m.conn.Export(m, loginPath, loginManager); err != nil {
		b.t.Fatal(err)
	}
	own(b.t, m.conn, loginName)
	own(b.t, m.conn, timeName)
	return m
}

func (m *manager) export(path dbus.ObjectPath) {
	m.t.Helper()
	if err := m.conn.Export(properties{m, path}, path, "org.freedesktop.DBus.Properties"); err != nil {
		m.t.Fatal(err)
	}
}

// properties are those of a session, or of timedate1.
type properties struct {
	m    *manager
	path dbus.ObjectPath
}

// GetAll and Get are the standard ones.
func (p properties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	all := map[string]dbus.Variant{}
	for name, value := range p.m.sessions[p.path] {
		all[name] = value
	}
	return all, nil
}

func (p properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if name != "NTPSynchronized" {
		return dbus.Variant{}, dbus.MakeFailedError(os.ErrNotExist)
	}
	p.m.asked++
	return dbus.MakeVariant(p.m.synced), nil
}

// ListSessions and Inhibit are login1's.
func (m *manager) ListSessions() ([]struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	for path, s := range m.sessions {
		list = append(list, struct {
			ID   string
			UID  uint32
			User string
			Seat string
			Path dbus.ObjectPath
		}{"1", s["User"].Value().(who).UID, "me", "seat0", path})
	}
	return list, nil
}

func (m *manager) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "sleep" || who != "oathd" || why == "" || mode != "delay" {
		m.t.Errorf("inhibits %q %q %q %q", what, who, why, mode)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	fd := dbus.UnixFD(w.Fd()) // before the test's end can close it
	m.t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	m.inhibited <- pipe{r, w}
	return fd, nil
}

// change changes a property of a session and tells of it.
func (m *manager) change(path dbus.ObjectPath, name string, value bool) {
	m.mu.Lock()
	m.sessions[path][name] = dbus.MakeVariant(value)
	m.mu.Unlock()
	emit(m.t, m.conn, path, propertiesChanged, loginSession, map[string]dbus.Variant{name: dbus.MakeVariant(value), "IdleHint": dbus.MakeVariant(value)}, []string{})
}

// delays wants the daemon to hold off the next sleep.
func (m *manager) delays() pipe {
	m.t.Helper()
	select {
	case p := <-m.inhibited:
		return p
	case <-time.After(patience):
		m.t.Fatal("it does not ask for a moment before a sleep")
		panic("unreachable")
	}
}

// onSystem starts a desktop on a bus with a session manager that it knows of.
func onSystem(t *testing.T) (*manager, *Desktop, *core, *testBus) {
	b, c := startBus(t), newCore()
	m := startManager(b)
	d := run(t, Options{System: b.address}, c)
	m.delays()
	until(t, "the sessions are known", func() bool { _, ours := d.presence.seat(session1); return ours })
	return m, d, c, b
}

// TestSessionLocks locks and unlocks a session a thousand times, and has the user switched.
func TestSessionLocks(t *testing.T) {
	m, d, c, b := onSystem(t)
	if d.Locked() {
		t.Fatal("it is locked from the beginning")
	}
	for what, locked := range map[string]bool{"LockedHint": true, "Active": false} {
		for range 500 {
			m.change(session1, what, locked)
			c.await(t, "forget")
			if !d.Locked() {
				t.Fatal(what, "is not noticed")
			}
			m.change(session1, what, !locked)
			until(t, what+" is over", func() bool { return !d.Locked() })
		}
	}
	c.quiet(t)
	// Others' sessions, and other programs, count for nothing; a wish to lock does.
	m.change(foreign, "LockedHint", true)
	m.change(ssh, "LockedHint", true)
	emit(t, m.conn, foreign, loginSession+".Lock")
	emit(t, b.dial(), session1, loginSession+".Lock")
	emit(t, m.conn, session1, loginSession+".Lock")
	c.await(t, "forget")
	c.quiet(t)
	if d.Locked() {
		t.Error("a wish locks it, or another's lock")
	}
}

// TestSessionsComeAndGo: who logs out has left; with two sessions, one that is open is enough.
func TestSessionsComeAndGo(t *testing.T) {
	m, d, c, _ := onSystem(t)
	m.mu.Lock()
	m.sessions[session2] = sessionOf(os.Getuid(), "x11")
	m.mu.Unlock()
	m.export(session2)
	emit(t, m.conn, loginPath, loginManager+".SessionNew", "2", dbus.ObjectPath(session2))
	until(t, "the new session is known", func() bool { _, ours := d.presence.seat(session2); return ours })
	m.change(session1, "LockedHint", true)
	c.await(t, "forget")
	if d.Locked() {
		t.Error("the other session is open")
	}
	emit(t, m.conn, loginPath, loginManager+".SessionRemoved", "2", dbus.ObjectPath(session2))
	c.await(t, "forget")
	if !d.Locked() {
		t.Error("the session that is left is locked")
	}
	emit(t, m.conn, loginPath, loginManager+".SessionRemoved", "1", dbus.ObjectPath(session1))
	until(t, "nobody knows of any session", func() bool { return !d.Locked() })
}

// TestSleep: the machine waits until the codes are forgotten, and not longer; as it wakes up, keys and clock are looked at.
func TestSleep(t *testing.T) {
	b, c := startBus(t), newCore()
	m := startManager(b)
	d := run(t, Options{System: b.address}, c)
	inhibitor := m.delays()
	for range 10 {
		emit(t, m.conn, loginPath, loginManager+".PrepareForSleep", true)
		c.await(t, "forget")
		m.released(inhibitor)
		m.mu.Lock()
		m.synced = !m.synced
		synced := m.synced
		m.mu.Unlock()
		emit(t, m.conn, loginPath, loginManager+".PrepareForSleep", false)
		inhibitor = m.delays()
		c.await(t, "awake")
		until(t, "the clock is looked at", func() bool { return (d.ClockWarning() == "") == synced })
	}
	// The session manager begins anew.
	drop(t, m.conn, loginName)
	c.await(t, "forget")
	own(t, m.conn, loginName)
	c.await(t, "forget")
	m.delays()
}

// released wants an inhibitor to be let go.
func (m *manager) released(inhibitor pipe) {
	m.t.Helper()
	_ = inhibitor.w.Close()
	_ = inhibitor.r.SetReadDeadline(time.Now().Add(patience))
	if n, err := inhibitor.r.Read(make([]byte, 1)); n > 0 || os.IsTimeout(err) {
		m.t.Errorf("the sleep is still held off: %v", err)
	}
}

// TestClock: the clock is asked for at the beginning, and then only for somebody who wants to know.
func TestClock(t *testing.T) {
	m, d, _, _ := onSystem(t)
	asked := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.asked
	}
	until(t, "it has asked", func() bool { return asked() == 1 })
	m.mu.Lock()
	m.synced = false
	m.mu.Unlock()
	for range 100 {
		if d.ClockWarning() != "" || asked() > 1 {
			t.Fatal("it asks again at once")
		}
	}
	d.clock.mu.Lock()
	d.clock.asked = time.Now().Add(-clockLife - time.Second)
	d.clock.mu.Unlock()
	until(t, "it warns", func() bool { return d.ClockWarning() != "" })
	if asked() != 2 {
		t.Errorf("asked %d times", asked())
	}
}

// TestBusesRestart: each bus may end under the daemon.
func TestBusesRestart(t *testing.T) {
	b, c := startBus(t), newCore()
	d := run(t, Options{System: b.address, Session: b.address}, c)
	for range 2 {
		m, s := startManager(b), fakeSaver(t, b, "org.gnome.ScreenSaver")
		m.delays()
		s.set(true)
		until(t, "it is locked", d.Locked)
		s.set(false)
		until(t, "it is not", func() bool { return !d.Locked() })
		b.stop()
		b.start()
	}
}
