package desktop

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// savers are the screen savers that say when they are on, by service: freedesktop's, which KDE has, and GNOME's. The interface
// has the service's name.
var savers = map[string]dbus.ObjectPath{
	"org.freedesktop.ScreenSaver": "/org/freedesktop/ScreenSaver",
	"org.gnome.ScreenSaver":       "/org/gnome/ScreenSaver",
}

// openSession connects to the session bus.
func (d *Desktop) openSession(ctx context.Context, socket string) (func() error, error) {
	services := []string{notifyName}
	for saver := range savers {
		services = append(services, saver)
	}
	l, err := dial(ctx, socket, services...)
	if err != nil {
		return nil, err
	}
	return func() error { return d.serveSession(l) }, nil
}

func (d *Desktop) serveSession(l *link) error {
	for saver := range savers {
		if err := l.listen(saver, dbus.WithMatchInterface(saver), dbus.WithMatchMember("ActiveChanged")); err != nil {
			return fmt.Errorf("cannot listen to %s: %w", saver, err)
		}
	}
	if d.board != nil {
		if err := l.listen(notifyName, dbus.WithMatchInterface(notifyName)); err != nil {
			return fmt.Errorf("cannot listen to %s: %w", notifyName, err)
		}
		l.running.Go(func() { d.board.serve(l) })
	}
	d.askSavers(l)
	return l.each(func(h heard) { d.hear(l, h) })
}

// hear takes over what a service of the session says.
func (d *Desktop) hear(l *link, h heard) {
	switch {
	case h.name == overheard:
		d.left()
		d.askSavers(l)
	case h.service == notifyName && d.board != nil:
		d.board.hear(h)
	case h.name == cameOrWent:
		d.askSaver(l, h.service)
	case h.name == h.service+".ActiveChanged" && savers[h.service] != "":
		var on bool
		if dbus.Store(h.body, &on) == nil && d.presence.save(h.service, on) {
			d.left()
		}
	}
}

func (d *Desktop) askSavers(l *link) {
	for saver := range savers {
		d.askSaver(l, saver)
	}
}

// askSaver asks a screen saver whether it is on. One that is not there is not.
func (d *Desktop) askSaver(l *link, saver string) {
	path, on := savers[saver], false
	if path != "" && l.there(saver) {
		if err := l.call(l.conn.Context(), saver, path, saver+".GetActive").Store(&on); err != nil {
			d.log.Debug("cannot ask a screen saver", "service", saver, "error", err)
		}
	}
	if path != "" && d.presence.save(saver, on) {
		d.left()
	}
}
