package bus

import (
	"os"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/agent"
)

// call is one method call on its way.
type call struct {
	*caller
	// path and object are where it goes; the object's family is nil for a node that only leads to others.
	path   dbus.ObjectPath
	object object
	body   []any
}

// who is the one that calls, as the core knows callers.
func (c call) who() agent.Caller { return c.caller.name() }

// session takes godbus's calls as they are: its own tables of exported objects look methods up and decode
// arguments by reflection, and know neither objects that come and go nor callers.

// LookupObject is dbus.Handler; what is not there is found out by DecodeArguments, which knows all.
func (s *session) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) { return s, true }

// LookupInterface is dbus.ServerObject.
func (s *session) LookupInterface(string) (dbus.Interface, bool) { return s, true }

// LookupMethod is dbus.Interface.
func (s *session) LookupMethod(string) (dbus.Method, bool) { return s, true }

// NumArguments and the next three are dbus.Method; godbus asks them only where there is no DecodeArguments.
func (s *session) NumArguments() int     { return 0 }
func (s *session) NumReturns() int       { return 0 }
func (s *session) ArgumentValue(int) any { return nil }
func (s *session) ReturnValue(int) any   { return nil }

// DecodeArguments is dbus.ArgumentDecoder. It leaves everything to Call.
func (s *session) DecodeArguments(_ *dbus.Conn, sender string, m *dbus.Message, _ []any) ([]any, error) {
	return []any{incoming{sender, m}}, nil
}

// incoming is a call as it came.
type incoming struct {
	sender  string
	message *dbus.Message
}

// Call is dbus.Method: it answers one call, in a goroutine of its own.
func (s *session) Call(args ...any) ([]any, error) {
	in := args[0].(incoming)
	defer closeFiles(in.message.Body)
	who, err := s.callers.enter(in.sender)
	if err != nil {
		return nil, s.refusal(err)
	}
	defer s.callers.leave(who)
	out, err := s.dispatch(who, in.message)
	if err != nil {
		return nil, s.refusal(err)
	}
	return out, nil
}

// closeFiles closes what was passed and not used.
func closeFiles(body []any) {
	for _, argument := range body {
		if f, ok := argument.(*os.File); ok {
			_ = f.Close()
		}
	}
}

// dispatch finds the method that a message calls, and calls it with what it takes.
func (s *session) dispatch(who *caller, m *dbus.Message) ([]any, error) {
	path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	family, _ := m.Headers[dbus.FieldInterface].Value().(string)
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	signature, _ := m.Headers[dbus.FieldSignature].Value().(dbus.Signature)
	c := call{caller: who, path: path, object: s.object(path), body: m.Body}
	if c.object.family == nil && !leadsOn(path) && !s.ofPeer(family, member) {
		return nil, standardError("UnknownObject", "there is no object %s", path)
	}
	method, err := s.method(c.object, family, member)
	if err != nil {
		return nil, err
	}
	if want := signatureOf(method.in); signature.String() != want {
		return nil, standardError("InvalidArgs", "%s takes arguments of the types %q, not %q", member, want, signature)
	}
	return method.call(s, c)
}

// method finds a member of one of the object's interfaces. A caller may leave the interface out ("Message Types").
func (s *session) method(o object, family, member string) (method, error) {
	known := false
	for _, f := range s.implemented(o) {
		if family != "" && f.name != family {
			continue
		}
		known = true
		if m, ok := f.method(member); ok {
			return m, nil
		}
	}
	if !known {
		return method{}, standardError("UnknownInterface", "this object has no interface %s", family)
	}
	return method{}, standardError("UnknownMethod", "this object has no method %s", member)
}

// implemented lists the interfaces of an object, its own first.
func (s *session) implemented(o object) []*family {
	switch o.family {
	case nil:
		return []*family{s.introspection, s.peer}
	case s.manager:
		return []*family{s.manager, s.objectManager, s.properties, s.introspection, s.peer}
	}
	return []*family{o.family, s.properties, s.introspection, s.peer}
}
