package bus

import (
	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/api"
)

// managerSignals tell what properties cannot. No signal holds a code.
func managerSignals() []signal {
	return []signal{
		{"KeyIn", args("key:o details:a{sv}")},
		{"KeyOut", args("key:o details:a{sv}")},
		{"TouchWanted", args("key:o account:o waiting:as details:a{sv}")},
		{"TouchDone", args("key:o account:o details:a{sv}")},
		{"CopyMismatch", args("key:o account:o details:a{sv}")},
		{"TroubleBegan", args("message:s details:a{sv}")},
		{"TroubleOver", args("details:a{sv}")},
	}
}

// signalOf returns the signal that tells of an event, "" where changed properties say it all.
func signalOf(e api.Event) (name string, values []any) {
	key, account, details := keyPath(e.Key), accountPath(e.Account), eventDetails(e)
	switch e.Kind {
	case api.EventKeyIn:
		return "KeyIn", []any{key, details}
	case api.EventKeyOut:
		return "KeyOut", []any{key, details}
	case api.EventTouchWanted:
		return "TouchWanted", []any{key, account, displayed(e.Waiting), details}
	case api.EventTouchDone:
		return "TouchDone", []any{key, account, details}
	case api.EventMismatch:
		return "CopyMismatch", []any{key, account, details}
	case api.EventTrouble:
		return "TroubleBegan", []any{text(e.Message), details}
	case api.EventTroubleOver:
		return "TroubleOver", []any{details}
	}
	return "", nil
}

// eventDetails names what an event is about, for people.
func eventDetails(e api.Event) map[string]dbus.Variant {
	details := map[string]dbus.Variant{}
	for name, value := range map[string]string{"label": e.Label, "key_label": e.KeyLabel, "message": e.Message} {
		if value != "" {
			details[name] = dbus.MakeVariant(text(value))
		}
	}
	return details
}

// aboutKeys are the events that leave all accounts as they were.
func aboutKeys(kind api.EventKind) bool {
	switch kind {
	case api.EventTouchWanted, api.EventTouchDone, api.EventTrouble, api.EventTroubleOver, api.EventHoldToReader:
		return true
	}
	return false
}
