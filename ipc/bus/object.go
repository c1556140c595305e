package bus

import (
	"reflect"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/search"
)

// object is what is served at one path: an api.Status, an api.Key or an api.Account, as it was at some moment.
type object struct {
	*family
	value any
}

// objects are the objects at their paths, at one moment; they never change once they are published.
type objects map[dbus.ObjectPath]object

// world is all that is served. The accounts are apart, for they are many, and stay as they are when a key blinks.
type world struct {
	keys, accounts objects
	// index finds accounts by what is typed; it is made when it is first asked for.
	index func() *search.Index
}

func newWorld(keys, accounts objects) *world { return &world{keys, accounts, newIndex(accounts)} }

// at returns the object at path, without a family if there is none.
func (w *world) at(path dbus.ObjectPath) object {
	if o, ok := w.accounts[path]; ok {
		return o
	}
	return w.keys[path]
}

// object returns the object at path now. Who comes by one door from a change made through another may be
// faster than the event that tells of it.
func (s *session) object(path dbus.ObjectPath) object {
	if o := s.searched(path); o.family != nil {
		return o
	}
	o := s.world.Load().at(path)
	if o.family != nil || !s.isNew(path) {
		return o
	}
	s.refresh(true)
	return s.world.Load().at(path)
}

// searched returns the object that a desktop searches at path.
func (s *session) searched(path dbus.ObjectPath) (o object) {
	switch {
	case s.finder.Desktop == nil:
	case path == api.BusSearch:
		o.family = s.shell
	case path == api.BusRunner:
		o.family = s.runner
	}
	return o
}

// isNew reports whether the core has what would be at path.
func (s *session) isNew(path dbus.ObjectPath) bool {
	parent, id := split(path)
	switch parent {
	case api.BusKeys:
		k, err := s.agent.Key(id)
		return err == nil && k.ID == id
	case api.BusAccounts:
		a, err := s.agent.Account(id)
		return err == nil && a.ID == id
	}
	return false
}

// lookAtKeys asks the core for the keys, and for how the daemon is.
func (s *session) lookAtKeys() objects {
	now := objects{api.BusPath: {s.manager, s.agent.Status()}}
	for _, k := range s.agent.Keys() {
		now.add(api.BusKeyPath(k.ID), object{s.key, k})
	}
	return now
}

func (s *session) lookAtAccounts() objects {
	all := s.agent.Accounts("")
	now := make(objects, len(all))
	for _, a := range all {
		now.add(api.BusAccountPath(a.ID), object{s.account, a})
	}
	return now
}

// add leaves out what has no path: an id that is none, as in a ledger that somebody has tampered with.
func (o objects) add(path string, one object) {
	if path != "" {
		o[dbus.ObjectPath(path)] = one
	}
}

// interfaces describes the object as InterfacesAdded and GetManagedObjects do.
func (o object) interfaces() map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{o.name: o.values(o.value)}
}

// changes returns the properties in which o differs from what it was before.
func (o object) changes(before object) map[string]dbus.Variant {
	if reflect.DeepEqual(o.value, before.value) {
		return nil
	}
	changed := map[string]dbus.Variant{}
	for _, p := range o.properties {
		if was, is := p.variant(before.value), p.variant(o.value); !reflect.DeepEqual(was, is) {
			changed[p.name] = is
		}
	}
	return changed
}

// announce tells everybody on the bus in what the objects differ from those of before.
func (s *session) announce(before, now objects) {
	for path, was := range before {
		if _, still := now[path]; !still {
			s.emit(api.BusPath, objectManagerName+".InterfacesRemoved", path, []string{was.name})
		}
	}
	for path, is := range now {
		was, known := before[path]
		if !known {
			s.emit(api.BusPath, objectManagerName+".InterfacesAdded", path, is.interfaces())
		} else if changed := is.changes(was); len(changed) > 0 {
			s.emit(path, propertiesName+".PropertiesChanged", is.name, changed, []string{})
		}
	}
}

// split returns what a path ends with, and what is before that.
func split(path dbus.ObjectPath) (parent, last string) {
	i := strings.LastIndexByte(string(path), '/')
	return string(path[:max(i, 0)]), string(path[i+1:])
}
