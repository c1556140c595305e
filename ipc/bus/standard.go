package bus

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/oathd/oathd/ipc/api"
)

// The standard interfaces (D-Bus Specification, "Standard Interfaces").
const (
	objectManagerName = "org.freedesktop.DBus.ObjectManager"
	propertiesName    = "org.freedesktop.DBus.Properties"
)

func objectManagerFamily() *family {
	return &family{
		name:    objectManagerName,
		methods: []method{{"GetManagedObjects", nil, args("objects:a{oa{sa{sv}}}"), (*session).managedObjects}},
		signals: []signal{
			{"InterfacesAdded", args("object:o interfaces:a{sa{sv}}")},
			{"InterfacesRemoved", args("object:o interfaces:as")},
		},
	}
}

func propertiesFamily() *family {
	return &family{
		name: propertiesName,
		methods: []method{
			{"Get", args("interface:s name:s"), args("value:v"), (*session).getProperty},
			{"GetAll", args("interface:s"), args("values:a{sv}"), (*session).getProperties},
			{"Set", args("interface:s name:s value:v"), nil, (*session).setProperty},
		},
		signals: []signal{{"PropertiesChanged", args("interface:s changed:a{sv} invalidated:as")}},
	}
}

func introspectionFamily() *family {
	return &family{
		name:    "org.freedesktop.DBus.Introspectable",
		methods: []method{{"Introspect", nil, args("xml:s"), (*session).introspect}},
	}
}

func (s *session) getProperty(c call) ([]any, error) {
	p, err := s.property(c, c.body[1].(string))
	if err != nil {
		return nil, err
	}
	return []any{p.variant(c.object.value)}, nil
}

func (s *session) getProperties(c call) ([]any, error) {
	f, err := s.family(c)
	if err != nil {
		return nil, err
	}
	return []any{f.values(c.object.value)}, nil
}

// setProperty refuses: what changes anything is a method, so that its caller is told why it cannot be done.
func (s *session) setProperty(c call) ([]any, error) {
	p, err := s.property(c, c.body[1].(string))
	if err != nil {
		return nil, err
	}
	return nil, standardError("PropertyReadOnly", "the property %s cannot be set", p.name)
}

// family finds the interface that the first argument names; "" stands for the object's own.
func (s *session) family(c call) (*family, error) {
	name := c.body[0].(string)
	for _, f := range s.implemented(c.object) {
		if name == "" || f.name == name {
			return f, nil
		}
	}
	return nil, standardError("UnknownInterface", "this object has no interface %s", name)
}

func (s *session) property(c call, name string) (property, error) {
	f, err := s.family(c)
	if err != nil {
		return property{}, err
	}
	for _, p := range f.properties {
		if p.name == name {
			return p, nil
		}
	}
	return property{}, standardError("UnknownProperty", "%s has no property %s", f.name, name)
}

// introspect answers Introspectable.Introspect.
func (s *session) introspect(c call) ([]any, error) {
	node := introspect.Node{}
	for _, f := range s.implemented(c.object) {
		node.Interfaces = append(node.Interfaces, f.describe())
	}
	for _, name := range s.children(c.path) {
		node.Children = append(node.Children, introspect.Node{Name: name})
	}
	description, err := xml.MarshalIndent(node, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot describe %s: %w", c.path, err)
	}
	return []any{introspect.IntrospectDeclarationString + string(description) + "\n"}, nil
}

// nodes are the paths that are always there.
var nodes = []string{api.BusPath, api.BusKeys, api.BusAccounts}

// leadsOn reports whether a path leads to objects without being one.
func leadsOn(path dbus.ObjectPath) bool {
	return slices.ContainsFunc(nodes, func(n string) bool { return n == string(path) || strings.HasPrefix(n, below(path)) })
}

// children are the next elements of the paths below path, sorted.
func (s *session) children(path dbus.ObjectPath) []string {
	var names []string
	add := func(deeper string) {
		if rest, ok := strings.CutPrefix(deeper, below(path)); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	for _, n := range nodes {
		add(n)
	}
	if s.finder.Desktop != nil {
		add(api.BusSearch)
		add(api.BusRunner)
	}
	now := s.world.Load()
	for _, objects := range []objects{now.keys, now.accounts} {
		for object := range objects {
			add(string(object))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// below is what the paths below path begin with.
func below(path dbus.ObjectPath) string {
	return strings.TrimSuffix(string(path), "/") + "/"
}
