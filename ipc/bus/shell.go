package bus

import (
	"github.com/godbus/dbus/v5"
)

// shellFamily is GNOME's interface (gnome-shell, data/dbus-interfaces/org.gnome.ShellSearchProvider2.xml). The shell calls it at
// every keystroke of every search.
func shellFamily() *family {
	return &family{
		name: "org.gnome.Shell.SearchProvider2",
		methods: []method{
			{"GetInitialResultSet", args("terms:as"), args("results:as"), (*session).initialResults},
			{"GetSubsearchResultSet", args("previous_results:as terms:as"), args("results:as"), (*session).furtherResults},
			{"GetResultMetas", args("identifiers:as"), args("metas:aa{sv}"), (*session).resultMetas},
			{"ActivateResult", args("identifier:s terms:as timestamp:u"), nil, (*session).activateResult},
			{"LaunchSearch", args("terms:as timestamp:u"), nil, nothing},
		},
	}
}

func (s *session) initialResults(c call) ([]any, error) {
	return s.results(c, c.body[0].([]string)), nil
}

// furtherResults searches anew: it costs less than to look for what was found before.
func (s *session) furtherResults(c call) ([]any, error) {
	return s.results(c, c.body[1].([]string)), nil
}

func (s *session) results(c call, terms []string) []any {
	names := []string{}
	for _, f := range s.lookUp(c, terms) {
		names = append(names, f.result)
	}
	return []any{names}
}

// icon is a name of the Freedesktop Icon Naming Specification.
const icon = "dialog-password"

// resultMetas describes results. The shell drops all of them if one lacks (js/ui/search.js, _ensureResultActors), so one that is
// no longer there is described too.
func (s *session) resultMetas(c call) ([]any, error) {
	metas, results := []map[string]dbus.Variant{}, c.body[0].([]string)
	if len(results) > maxOffers {
		return nil, badRequest("it asks about %d results; there are never more than %d", len(results), maxOffers)
	}
	if s.finder.Desktop.Locked() {
		return []any{metas}, nil
	}
	for _, result := range results {
		metas = append(metas, s.meta(result))
	}
	return []any{metas}, nil
}

// meta describes one result. What is in clipboardText the shell copies by itself, and never clears.
func (s *session) meta(result string) map[string]dbus.Variant {
	meta := map[string]dbus.Variant{"id": dbus.MakeVariant(result), "name": dbus.MakeVariant("no longer there")}
	a, ok := s.accountOf(result)
	if !ok {
		return meta
	}
	meta["name"] = dbus.MakeVariant(text(a.Label()))
	meta["description"] = dbus.MakeVariant(text(s.about(a)))
	meta["gicon"] = dbus.MakeVariant(icon)
	if code := s.shown(a); code != nil {
		meta["clipboardText"] = dbus.MakeVariant(code.Code)
	}
	return meta
}

func (s *session) activateResult(c call) ([]any, error) {
	return nil, s.activate(c, c.body[0].(string))
}

// nothing answers what there is nothing to do for.
func nothing(*session, call) ([]any, error) { return nil, nil }
