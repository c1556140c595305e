package bus

import (
	"encoding/xml"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

type managed = map[dbus.ObjectPath]map[string]options

func (c *client) managed() managed {
	c.t.Helper()
	var all managed
	if err := c.call(api.BusPath, objectManagerName+".GetManagedObjects").Store(&all); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// TestObjects follows keys and accounts as they come, change and go; the objects are always what the signals told.
func TestObjects(t *testing.T) {
	r, _, c := onBus(t)
	key := newKey(t, softkey.Options{Serial: 1000001})
	r.bay.Insert(key)
	added := c.await("InterfacesAdded", nil)
	seen := added.Body[0].(dbus.ObjectPath)
	if props := added.Body[1].(map[string]options)[api.BusKey]; props["State"].Value() != "seen" || props["Serial"].Value() != uint32(1000001) || props["Soft"].Value() != true {
		t.Errorf("a key that was plugged in is %v", props)
	}
	if in := c.await("KeyIn", nil); in.Path != api.BusPath || in.Body[0] != seen {
		t.Errorf("KeyIn says %v", in)
	}
	r.adopt("1000001", "main")
	gone := c.await("InterfacesRemoved", nil)
	if gone.Body[0] != seen || !reflect.DeepEqual(gone.Body[1], []string{api.BusKey}) {
		t.Errorf("the key was removed as %v", gone.Body)
	}
	account := r.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	path := dbus.ObjectPath(api.BusAccountPath(account.ID))
	c.await("InterfacesAdded", func(s *dbus.Signal) bool { return s.Body[0] == path })

	all := c.managed()
	k, err := r.Key("main")
	if err != nil {
		t.Fatal(err)
	}
	keyPath := dbus.ObjectPath(api.BusKeyPath(k.ID))
	if len(all) != 2 || all[keyPath][api.BusKey]["State"].Value() != "adopted" || all[path][api.BusAccount]["Label"].Value() != "GitHub:me" {
		t.Errorf("the objects are %v", all)
	}
	copies := all[path][api.BusAccount]["Copies"].Value().([]options)
	if len(copies) != 1 || copies[0]["key"].Value() != keyPath || copies[0]["state"].Value() != "proved" || copies[0]["present"].Value() != true {
		t.Errorf("the copies are %v", copies)
	}
	if n := c.property(api.BusPath, api.BusManager+".Keys"); n != uint32(1) {
		t.Errorf("%v keys are plugged in", n)
	}

	r.bay.Remove(key)
	changed := func(path dbus.ObjectPath, name string) func(*dbus.Signal) bool {
		return func(s *dbus.Signal) bool {
			_, has := s.Body[1].(options)[name]
			return s.Path == path && has
		}
	}
	if now := c.await("PropertiesChanged", changed(keyPath, "Present")).Body[1].(options); now["Present"].Value() != false || now["Label"].Value() != nil {
		t.Errorf("a key that was pulled out changes %v", now)
	}
	if out := c.await("KeyOut", nil); out.Body[0] != keyPath {
		t.Errorf("KeyOut says %v", out)
	}
	if available := c.property(string(path), api.BusAccount+".Available"); available != false {
		t.Errorf("a code can be had: %v", available)
	}
	if n := c.property(api.BusPath, api.BusManager+".Keys"); n != uint32(0) {
		t.Errorf("%v keys are plugged in", n)
	}
}

// TestNewObjectsAnswerAtOnce calls an account that was added a moment ago, before anything was told of it.
func TestNewObjectsAnswerAtOnce(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		path := api.BusAccountPath(r.add(api.NewAccount{Issuer: "Shop", Name: name}).ID)
		if label := c.property(path, api.BusAccount+".Label"); label != "Shop:"+name {
			t.Errorf("%s is called %v", path, label)
		}
	}
}

// TestObjectsAreNeverBehind has a session that hears of no event.
func TestObjectsAreNeverBehind(t *testing.T) {
	b := startBus(t, ownUser)
	r := newAgent(t)
	s, err := New(Options{Agent: r.Agent, Address: b.address, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := s.open(t.Context(), socketOf(b))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.conn.Close()
	r.insert(newKey(t, softkey.Options{Serial: 1000001}))
	k := r.adopt("1000001", "key1")
	if o := deaf.object(keyPath(k.ID)); o.family != deaf.key || o.value.(api.Key).Label != "key1" {
		t.Errorf("the key is %+v", o)
	}
	a := r.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	if o := deaf.object(accountPath(a.ID)); o.family != deaf.account || o.value.(api.Account).Label() != "GitHub:me" {
		t.Errorf("the account is %+v", o)
	}
	for _, path := range []dbus.ObjectPath{accountPath(k.ID), keyPath(a.ID), accountPath("aaaaaaaaaa"), api.BusAccounts, "/", "", api.BusAccounts + "/me"} {
		if o := deaf.object(path); o.family != nil {
			t.Errorf("at %s is %+v", path, o)
		}
	}
}

// TestTrouble takes all keys out of sight and lets them be seen again.
func TestTrouble(t *testing.T) {
	r, _, c := onBus(t)
	r.bay.SetTrouble(hw.WithHint(errors.New("pcscd is gone"), "start pcscd"))
	if began := c.await("TroubleBegan", nil); began.Body[0] != "pcscd is gone" {
		t.Errorf("got %v", began.Body)
	}
	if trouble, hint := c.property(api.BusPath, api.BusManager+".Trouble"), c.property(api.BusPath, api.BusManager+".Hint"); trouble != "pcscd is gone" || hint != "start pcscd" {
		t.Errorf("got %v, %v", trouble, hint)
	}
	r.bay.SetTrouble(nil)
	c.await("TroubleOver", nil)
	if trouble := c.property(api.BusPath, api.BusManager+".Trouble"); trouble != "" {
		t.Errorf("afterwards: %v", trouble)
	}
}

// TestSignals holds what is sent against what introspection says, for events about anything.
func TestSignals(t *testing.T) {
	declared := map[string]string{}
	for _, s := range managerSignals() {
		declared[s.name] = signatureOf(s.args)
	}
	sent := map[string]bool{}
	for _, kind := range []api.EventKind{
		api.EventKeyIn, api.EventKeyOut, api.EventKeyChanged, api.EventTouchWanted, api.EventTouchDone, api.EventAccounts,
		api.EventMismatch, api.EventTrouble, api.EventTroubleOver, api.EventSkipped, api.EventHoldToReader, "unheard of",
	} {
		for _, e := range []api.Event{
			{Kind: kind},
			{Kind: kind, Key: "abcdefgh23", Account: "../..", Label: "\xff", KeyLabel: "\x00", Message: "m\xff", Waiting: []string{"\xff", "b"}},
		} {
			name, values := signalOf(e)
			if name == "" {
				continue
			}
			sent[name] = true
			if got := dbus.SignatureOf(values...).String(); got != declared[name] {
				t.Errorf("%s is sent as %s and declared as %s", name, got, declared[name])
			}
			m := &dbus.Message{Type: dbus.TypeSignal, Body: values, Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath("/")), dbus.FieldInterface: dbus.MakeVariant(api.BusManager),
				dbus.FieldMember: dbus.MakeVariant(name), dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(values...)),
			}}
			if err := m.IsValid(); err != nil {
				t.Errorf("%s of %+v: %v", name, e, err)
			}
		}
	}
	if len(sent) != len(declared) {
		t.Errorf("of %v only %v are ever sent", declared, sent)
	}
}

func TestFind(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	one, two := r.add(api.NewAccount{Issuer: "AWS", Name: "root"}), r.add(api.NewAccount{Issuer: "AWS", Name: "dev"})
	find := func(name string) (path dbus.ObjectPath, err error) {
		err = c.call(api.BusPath, api.BusManager+".Find", name).Store(&path)
		return path, err
	}
	for _, name := range []string{"AWS:root", "root", "ROO", one.ID} {
		if path, err := find(name); err != nil || path != dbus.ObjectPath(api.BusAccountPath(one.ID)) {
			t.Errorf("%s: got %s, %v", name, path, err)
		}
	}
	_, err := find("aws")
	wantError(t, err, api.BusError(api.CodeAmbiguous), `"aws"`, "\n  "+one.ID+"  AWS:root", "\n  "+two.ID+"  AWS:dev", "\nname one of them")
	_, err = find("\u202eevil")
	wantError(t, err, api.BusError(api.CodeNotFound))
}

// foreignName puts a credential onto a key as another program may: the name is any bytes.
func foreignName(t *testing.T, key *softkey.Key, name string) {
	t.Helper()
	for _, apdu := range [][]byte{
		append([]byte{0, 0xa4, 4, 0, 7}, 0xa0, 0, 0, 5, 0x27, 0x21, 1),
		putAPDU(name),
	} {
		if answer, err := key.Transmit(apdu); err != nil || answer[len(answer)-2] != 0x90 {
			t.Fatalf("%x: %x, %v", apdu, answer, err)
		}
	}
}

// putAPDU is a PUT (YKOATH protocol specification) of a TOTP account with six digits.
func putAPDU(name string) []byte {
	data := append([]byte{0x71, byte(len(name))}, name...)
	data = append(data, 0x73, 22, 0x21, 6)
	data = append(data, "12345678901234567890"...)
	return append([]byte{0, 1, 0, 0, byte(len(data))}, data...)
}

// TestNames has every trick in the names of a foreign key: none reaches a path, and each is readable.
func TestNames(t *testing.T) {
	tricks := map[string]string{
		"\u202egnp.exe":             "\u202egnp.exe",        // right to left
		"a\u0301\u200d\ufeff":       "a\u0301\u200d\ufeff",  // combining, joining, of no width
		"../../keys/x":              "../../keys/x",         // a path
		"/org/oathd":                "/org/oathd",           //
		"\xff\xfe\xc0\xaf":          "\ufffd",               // not UTF-8
		"nul\x00nul":                "nul\ufffdnul",         // NUL
		"\xed\xa0\x80":              "\ufffd",               // a surrogate
		"\U0010ffff\U0001f511":      "\U0010ffff\U0001f511", // the last code point
		"<node/>&amp;\n\x1b[31m'\"": "<node/>&amp;\n\x1b[31m'\"",
		strings.Repeat("é", 32):     strings.Repeat("é", 32), // as long as can be
	}
	key := newKey(t, softkey.Options{Serial: 1000001})
	for name := range tricks {
		foreignName(t, key, name)
	}
	r, _, c := onBus(t)
	r.insert(key)
	c.await("KeyIn", nil)
	names := []string{}
	for path, object := range c.managed() {
		account, ok := object[api.BusAccount]
		if !ok {
			continue
		}
		if id := strings.TrimPrefix(string(path), api.BusAccounts+"/"); !api.IsID(id) {
			t.Errorf("there is an account at %q", path)
		}
		names = append(names, account["Name"].Value().(string))
		if code, _, err := c.code(string(path), nil); err != nil || len(code) != 6 {
			t.Errorf("%q: %s, %v", account["Name"].Value(), code, err)
		}
	}
	var want []string
	for _, name := range tricks {
		want = append(want, name)
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got the names  %q\nwant           %q", names, want)
	}
	for name := range tricks {
		if path := dbus.ObjectPath(api.BusAccounts + "/" + name); path.IsValid() {
			wantError(t, c.call(string(path), "org.freedesktop.DBus.Introspectable.Introspect").Err, "org.freedesktop.DBus.Error.UnknownObject")
		}
	}
}

// TestProperties tries Properties as its specification has it.
func TestProperties(t *testing.T) {
	_, _, c := onBus(t)
	var all options
	if err := c.call(api.BusPath, propertiesName+".GetAll", api.BusManager).Store(&all); err != nil || all["Version"].Value() != "1.2.3" || all["Bay"].Value() != "soft" || len(all) != 8 {
		t.Errorf("got %v, %v", all, err)
	}
	if err := c.call(api.BusPath, propertiesName+".GetAll", propertiesName).Store(&all); err != nil {
		t.Errorf("of an interface without properties: %v", err)
	}
	var version dbus.Variant
	if err := c.call(api.BusPath, "Get", "", "Version").Store(&version); err != nil || version.Value() != "1.2.3" {
		t.Errorf("without interfaces: %v, %v", version, err)
	}
	const prefix = "org.freedesktop.DBus.Error."
	for _, test := range []struct {
		err   error
		error string
	}{
		{c.call(api.BusPath, propertiesName+".Get", api.BusManager, "Password").Err, "UnknownProperty"},
		{c.call(api.BusPath, propertiesName+".Get", api.BusKey, "Label").Err, "UnknownInterface"},
		{c.call(api.BusPath, propertiesName+".GetAll", "x.y").Err, "UnknownInterface"},
		{c.call(api.BusPath, propertiesName+".GetAll").Err, "InvalidArgs"},
		{c.call(api.BusPath, propertiesName+".Set", api.BusManager, "Version", dbus.MakeVariant("2")).Err, "PropertyReadOnly"},
		{c.call(api.BusPath, propertiesName+".Set", api.BusManager, "Seed", dbus.MakeVariant("2")).Err, "UnknownProperty"},
		{c.call(api.BusPath, api.BusManager+".Find", 5).Err, "InvalidArgs"},
		{c.call(api.BusPath, api.BusManager+".Find", "a", "b").Err, "InvalidArgs"},
		{c.call(api.BusPath, api.BusManager+".AddAccount", "a").Err, "UnknownMethod"},
		{c.call(api.BusPath, "x.y.Z").Err, "UnknownInterface"},
		{c.call(api.BusKeys, propertiesName+".GetAll", "").Err, "UnknownInterface"},
		{c.call(api.BusKeyPath("aaaaaaaaaa"), api.BusKey+".Unlock").Err, "UnknownObject"},
		{c.call("/org/oathd/Oathd1x", "org.freedesktop.DBus.Introspectable.Introspect").Err, "UnknownObject"},
		{c.call("/", "org.freedesktop.DBus.Peer.Pong").Err, "UnknownMethod"},
	} {
		wantError(t, test.err, prefix+test.error)
	}
}

func (c *client) introspect(path string) introspect.Node {
	c.t.Helper()
	var text string
	if err := c.call(path, "org.freedesktop.DBus.Introspectable.Introspect").Store(&text); err != nil {
		c.t.Fatal(err)
	}
	var node introspect.Node
	if err := xml.Unmarshal([]byte(text), &node); err != nil {
		c.t.Fatalf("%v:\n%s", err, text)
	}
	return node
}

// TestIntrospectionTree walks from the root to every object.
func TestIntrospectionTree(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	r.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	reached := map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		node := c.introspect(path)
		for _, i := range node.Interfaces {
			reached[i.Name] = true
		}
		for _, child := range node.Children {
			walk(strings.TrimSuffix(path, "/") + "/" + child.Name)
		}
	}
	walk("/")
	for _, name := range []string{
		api.BusManager, api.BusKey, api.BusAccount, objectManagerName, propertiesName,
		"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer",
	} {
		if !reached[name] {
			t.Errorf("introspection does not lead to %s: %v", name, reached)
		}
	}
}

// TestDocumentedInterfaces holds docs/dbus against what is served.
func TestDocumentedInterfaces(t *testing.T) {
	text, err := os.ReadFile("../../docs/dbus/org.oathd.Oathd1.xml")
	if err != nil {
		t.Fatal(err)
	}
	var documented introspect.Node
	if err := xml.Unmarshal(text, &documented); err != nil {
		t.Fatal(err)
	}
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	k, err := r.Key("key1")
	if err != nil {
		t.Fatal(err)
	}
	account := r.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	served := map[string]introspect.Interface{}
	for _, path := range []string{api.BusPath, api.BusKeyPath(k.ID), api.BusAccountPath(account.ID)} {
		i := c.introspect(path).Interfaces[0]
		served[i.Name] = i
	}
	if len(documented.Interfaces) != len(served) {
		t.Errorf("%d interfaces are documented, %d served", len(documented.Interfaces), len(served))
	}
	for _, i := range documented.Interfaces {
		if got, want := normal(served[i.Name]), normal(i); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is served as\n%+v\nand documented as\n%+v", i.Name, got, want)
		}
	}
}

// normal brings a description into one order.
func normal(i introspect.Interface) introspect.Interface {
	slices.SortFunc(i.Methods, func(a, b introspect.Method) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(i.Signals, func(a, b introspect.Signal) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(i.Properties, func(a, b introspect.Property) int { return strings.Compare(a.Name, b.Name) })
	return i
}
