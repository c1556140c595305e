package bus

import (
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/api"
)

// families are the interfaces that are served. Their members are explained in docs/dbus/org.oathd.Oathd1.xml.
type families struct {
	manager, key, account                          *family
	shell, runner                                  *family
	objectManager, properties, introspection, peer *family
}

func newFamilies() families {
	return families{
		manager: managerFamily(), key: keyFamily(), account: accountFamily(), shell: shellFamily(), runner: runnerFamily(),
		objectManager: objectManagerFamily(), properties: propertiesFamily(), introspection: introspectionFamily(), peer: peerFamily(),
	}
}

func managerFamily() *family {
	return &family{
		name: api.BusManager,
		methods: []method{
			{"Find", args("name:s"), args("account:o"), (*session).find},
			{"Refresh", nil, nil, (*session).refreshKeys},
		},
		properties: []property{
			tells("Version", "s", func(s api.Status) any { return s.Version }),
			tells("Api", "u", func(s api.Status) any { return uint32(s.API) }),
			tells("Bay", "s", func(s api.Status) any { return s.Bay }),
			tells("Readers", "u", func(s api.Status) any { return uint32(s.Readers) }),
			tells("Keys", "u", func(s api.Status) any { return uint32(s.Keys) }),
			tells("OpenIntents", "u", func(s api.Status) any { return uint32(s.OpenIntents) }),
			tells("Trouble", "s", func(s api.Status) any { return s.Trouble }),
			tells("Hint", "s", func(s api.Status) any { return s.Hint }),
		},
		signals: managerSignals(),
	}
}

func keyFamily() *family {
	return &family{
		name:    api.BusKey,
		methods: []method{{"Unlock", args("password:h"), nil, (*session).unlock}},
		properties: []property{
			tells("Id", "s", func(k api.Key) any { return k.ID }),
			tells("State", "s", func(k api.Key) any { return string(k.State) }),
			tells("Label", "s", func(k api.Key) any { return k.Label }),
			tells("Site", "s", func(k api.Key) any { return k.Site }),
			tells("Holder", "s", func(k api.Key) any { return k.Holder }),
			tells("Vendor", "s", func(k api.Key) any { return k.Vendor }),
			tells("Serial", "u", func(k api.Key) any { return k.Serial }),
			tells("Firmware", "s", func(k api.Key) any { return k.Firmware }),
			tells("FormFactor", "s", func(k api.Key) any { return k.FormFactor }),
			tells("DeviceId", "s", func(k api.Key) any { return k.DeviceID }),
			tells("Soft", "b", func(k api.Key) any { return k.Soft }),
			tells("Present", "b", func(k api.Key) any { return k.Present }),
			tells("Reader", "s", func(k api.Key) any { return k.Reader }),
			tells("Contactless", "b", func(k api.Key) any { return k.Contactless }),
			tells("PasswordSet", "b", func(k api.Key) any { return k.PasswordSet }),
			tells("Locked", "b", func(k api.Key) any { return k.Locked }),
			tells("Trouble", "s", func(k api.Key) any { return k.Trouble }),
			tells("Hint", "s", func(k api.Key) any { return k.Hint }),
			tells("Accounts", "u", func(k api.Key) any { return uint32(k.Accounts) }),
			tells("Capacity", "u", func(k api.Key) any { return uint32(k.Capacity) }),
			tells("FirstSeen", "t", func(k api.Key) any { return seconds(k.FirstSeen) }),
			tells("LastSeen", "t", func(k api.Key) any { return seconds(k.LastSeen) }),
		},
	}
}

func accountFamily() *family {
	return &family{
		name:    api.BusAccount,
		methods: []method{{"GetCode", args("options:a{sv}"), args("code:s details:a{sv}"), (*session).getCode}},
		properties: []property{
			tells("Id", "s", func(a api.Account) any { return a.ID }),
			tells("Label", "s", func(a api.Account) any { return a.Label() }),
			tells("Issuer", "s", func(a api.Account) any { return a.Issuer }),
			tells("Name", "s", func(a api.Account) any { return a.Name }),
			tells("Alias", "s", func(a api.Account) any { return a.Alias }),
			tells("Type", "s", func(a api.Account) any { return a.Type }),
			tells("Algorithm", "s", func(a api.Account) any { return a.Algorithm }),
			tells("Digits", "u", func(a api.Account) any { return uint32(a.Digits) }),
			tells("Period", "u", func(a api.Account) any { return uint32(a.Period) }),
			tells("Steam", "b", func(a api.Account) any { return a.Steam }),
			tells("Touch", "b", func(a api.Account) any { return a.Touch }),
			tells("Available", "b", func(a api.Account) any { return a.Available }),
			tells("Proved", "u", func(a api.Account) any { return uint32(a.Proved) }),
			tells("Wanted", "u", func(a api.Account) any { return uint32(a.Wanted) }),
			tells("Superseded", "b", func(a api.Account) any { return a.Superseded }),
			tells("Conflict", "b", func(a api.Account) any { return a.Conflict }),
			tells("Copies", "aa{sv}", copies),
		},
	}
}

// copies tells on which keys an account is.
func copies(a api.Account) any {
	list := make([]map[string]dbus.Variant, len(a.Copies))
	for i, c := range a.Copies {
		list[i] = map[string]dbus.Variant{
			"key":       dbus.MakeVariant(keyPath(c.Key)),
			"key_label": dbus.MakeVariant(text(c.KeyLabel)),
			"state":     dbus.MakeVariant(string(c.State)),
			"touch":     dbus.MakeVariant(c.Touch),
			"present":   dbus.MakeVariant(c.Present),
			"locked":    dbus.MakeVariant(c.Locked),
			"soft":      dbus.MakeVariant(c.Soft),
			"proved_at": dbus.MakeVariant(seconds(c.ProvedAt)),
		}
	}
	return list
}

// seconds is a time in seconds since the epoch, 0 for one that is not known.
func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix())
}

// nowhere is the path that stands for no object.
const nowhere = dbus.ObjectPath("/")

func keyPath(id string) dbus.ObjectPath     { return pathOr(api.BusKeyPath(id)) }
func accountPath(id string) dbus.ObjectPath { return pathOr(api.BusAccountPath(id)) }

func pathOr(path string) dbus.ObjectPath {
	if path == "" {
		return nowhere
	}
	return dbus.ObjectPath(path)
}
