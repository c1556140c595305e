package bus

import (
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

// family is an interface with all its members: what is dispatched, and what introspection shows.
type family struct {
	name       string
	methods    []method
	properties []property
	signals    []signal
}

// method is a method. call gets arguments of exactly the types of in, and returns those of out.
type method struct {
	name    string
	in, out []introspect.Arg
	call    func(*session, call) ([]any, error)
}

// method finds one of the family's methods.
func (f *family) method(name string) (m method, ok bool) {
	i := slices.IndexFunc(f.methods, func(m method) bool { return m.name == name })
	if i < 0 {
		return method{}, false
	}
	return f.methods[i], true
}

// property is what an object tells of itself; of computes it from the object's value.
type property struct {
	name      string
	signature dbus.Signature
	of        func(value any) any
}

// tells makes a property of objects whose value is a T.
func tells[T any](name, signature string, of func(T) any) property {
	return property{name, dbus.ParseSignatureMust(signature), func(value any) any { return of(value.(T)) }}
}

// signal is a signal of the manager, made of an event. What properties tell has none.
type signal struct {
	name string
	args []introspect.Arg
}

// args reads "name:signature name:signature …".
func args(list string) []introspect.Arg {
	var args []introspect.Arg
	for field := range strings.FieldsSeq(list) {
		name, signature, _ := strings.Cut(field, ":")
		args = append(args, introspect.Arg{Name: name, Type: signature})
	}
	return args
}

// signatureOf joins the types of arguments.
func signatureOf(args []introspect.Arg) string {
	var s strings.Builder
	for _, a := range args {
		s.WriteString(a.Type)
	}
	return s.String()
}

// values returns the properties of an object.
func (f *family) values(value any) map[string]dbus.Variant {
	all := make(map[string]dbus.Variant, len(f.properties))
	for _, p := range f.properties {
		all[p.name] = p.variant(value)
	}
	return all
}

func (p property) variant(value any) dbus.Variant {
	return dbus.MakeVariantWithSignature(displayed(p.of(value)), p.signature)
}

// displayed makes strings fit to travel: D-Bus takes UTF-8 without NUL only, and the names on a foreign
// key may be anything. Apart from that they stay what they are.
func displayed(v any) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []string:
		list := make([]string, len(v))
		for i, s := range v {
			list[i] = text(s)
		}
		return list
	}
	return v
}

// text replaces what D-Bus does not carry.
func text(s string) string {
	const replacement = "\ufffd"
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

// describe returns the family as introspection shows it.
func (f *family) describe() introspect.Interface {
	d := introspect.Interface{Name: f.name}
	for _, m := range f.methods {
		d.Methods = append(d.Methods, introspect.Method{Name: m.name, Args: append(directed(m.in, "in"), directed(m.out, "out")...)})
	}
	for _, s := range f.signals {
		d.Signals = append(d.Signals, introspect.Signal{Name: s.name, Args: s.args})
	}
	for _, p := range f.properties {
		d.Properties = append(d.Properties, introspect.Property{Name: p.name, Type: p.signature.String(), Access: "read"})
	}
	return d
}

func directed(args []introspect.Arg, direction string) []introspect.Arg {
	list := make([]introspect.Arg, len(args))
	for i, a := range args {
		list[i] = introspect.Arg{Name: a.Name, Type: a.Type, Direction: direction}
	}
	return list
}
