package desktop

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// savers are the screen savers that say when they are on: freedesktop's, which KDE has, and those of other desktops, whose interfaces are like
// it (gnome-shell, cinnamon-screensaver, mate-screensaver, xfce4-screensaver). The name of each is that of its interface, too.
var savers = map[string]dbus.ObjectPath{
	"org.freedesktop.ScreenSaver": "/org/freedesktop/ScreenSaver",
	"org.gnome.ScreenSaver":       "/org/gnome/ScreenSaver",
	"org.cinnamon.ScreenSaver":    "/org/cinnamon/ScreenSaver",
	"org.mate.ScreenSaver":        "/org/mate/ScreenSaver",
	"org.xfce.ScreenSaver":        "/org/xfce/ScreenSaver",
}

// session is what is kept of the session bus on one connection.
type session struct {
	*link
	d    *Desktop
	core Core
	// opened is poked when the keyring may have been opened.
	opened chan struct{}
}

// openSession connects to the session bus.
func (d *Desktop) openSession(core Core) func(context.Context, string) (func() error, error) {
	services := []string{notifyName, secretsName}
	for saver := range savers {
		services = append(services, saver)
	}
	return func(ctx context.Context, socket string) (func() error, error) {
		l, err := dial(ctx, socket, services...)
		if err != nil {
			return nil, err
		}
		s := &session{link: l, d: d, core: core, opened: make(chan struct{}, 1)}
		return s.serve, nil
	}
}

// serve listens until the connection ends.
func (s *session) serve() error {
	for service, rules := range sessionRules() {
		for _, rule := range rules {
			if err := s.listen(service, rule...); err != nil {
				return fmt.Errorf("cannot listen to %s: %w", service, err)
			}
		}
	}
	s.d.keyring.use(s.link)
	defer s.d.keyring.use(nil)
	s.running.Go(s.recall)
	poke(s.opened)
	if s.d.board != nil {
		s.running.Go(func() { s.d.board.serve(s.link) })
	}
	s.askSavers()
	return s.each(s.take)
}

// sessionRules are for what is to be heard of each service.
func sessionRules() map[string][][]dbus.MatchOption {
	rules := map[string][][]dbus.MatchOption{
		notifyName: {{dbus.WithMatchInterface(notifyName)}},
		secretsName: {
			{dbus.WithMatchInterface(secretPrompt), dbus.WithMatchMember("Completed")},
			{dbus.WithMatchInterface(secretService), dbus.WithMatchMember("CollectionChanged")},
		},
	}
	for saver := range savers {
		rules[saver] = [][]dbus.MatchOption{{dbus.WithMatchInterface(saver), dbus.WithMatchMember("ActiveChanged")}}
	}
	return rules
}

// recall has locked keys looked up in the keyring each time that it may have been opened.
func (s *session) recall() {
	for {
		select {
		case <-s.opened:
			s.core.Recall(s.conn.Context())
		case <-s.conn.Context().Done():
			return
		}
	}
}

// take takes over what a service of the session says.
func (s *session) take(h heard) {
	switch {
	case h.name == overheard:
		s.d.left() // nobody knows what was missed
		s.askSavers()
		poke(s.opened)
	case h.service == secretsName:
		s.d.keyring.hear(h)
		if h.name == cameOrWent || h.name == secretService+".CollectionChanged" {
			poke(s.opened)
		}
	case h.service == notifyName:
		if s.d.board != nil {
			s.d.board.hear(h)
		}
	case h.name == cameOrWent:
		s.askSaver(h.service)
	case h.name == h.service+".ActiveChanged":
		var on bool
		if dbus.Store(h.body, &on) == nil && s.d.presence.save(h.service, on) {
			s.d.left()
		}
	}
}

func (s *session) askSavers() {
	for saver := range savers {
		s.askSaver(saver)
	}
}

// askSaver asks a screen saver whether it is on. One that is not there is not.
func (s *session) askSaver(saver string) {
	on := false
	if s.there(saver) {
		if err := s.call(s.conn.Context(), saver, savers[saver], saver+".GetActive").Store(&on); err != nil {
			s.d.log.Debug("cannot ask a screen saver", "service", saver, "error", err)
		}
	}
	if s.d.presence.save(saver, on) {
		s.d.left()
	}
}
