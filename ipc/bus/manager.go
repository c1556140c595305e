package bus

import (
	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/api"
)

// find answers Manager.Find.
func (s *session) find(c call) ([]any, error) {
	account, err := s.agent.Account(c.body[0].(string))
	if err != nil {
		return nil, err
	}
	return []any{accountPath(account.ID)}, nil
}

// refreshKeys answers Manager.Refresh: it looks again at every key that is plugged in.
func (s *session) refreshKeys(c call) ([]any, error) {
	s.agent.Refresh(c.ctx)
	if c.ctx.Err() != nil {
		return nil, &api.Error{Code: api.CodeCanceled, Message: "cannot look at the keys: the caller has left"}
	}
	return nil, nil
}

// managedObjects answers ObjectManager.GetManagedObjects: all objects but the manager itself.
func (s *session) managedObjects(call) ([]any, error) {
	now := s.world.Load()
	all := make(map[dbus.ObjectPath]map[string]map[string]dbus.Variant, len(now.keys)+len(now.accounts))
	for path, o := range now.accounts {
		all[path] = o.interfaces()
	}
	for path, o := range now.keys {
		if path != api.BusPath {
			all[path] = o.interfaces()
		}
	}
	return []any{all}, nil
}
