package bus

import (
	"strings"

	"github.com/godbus/dbus/v5"
)

// runnerFamily is KDE's interface (krunner, src/data/org.kde.krunner1.xml, and dbusrunner.cpp for SetActivationToken).
func runnerFamily() *family {
	return &family{
		name: "org.kde.krunner1",
		methods: []method{
			{"Teardown", nil, nil, nothing},
			{"Config", nil, args("config:a{sv}"), (*session).runnerConfig},
			{"Actions", nil, args("matches:a(sss)"), runnerActions},
			{"Run", args("matchId:s actionId:s"), nil, (*session).runMatch},
			{"Match", args("query:s"), args("matches:a(sssida{sv})"), (*session).match},
			{"SetActivationToken", args("token:s"), nil, nothing},
		},
	}
}

// The categories of matches (KRunner::QueryMatch::CategoryRelevance in KDE Frameworks 6; Plasma::QueryMatch::Type in 5 has the same
// numbers).
const (
	moderateMatch = 50
	highestMatch  = 100
)

// runnerMatch is a match as it travels.
type runnerMatch struct {
	ID, Text, Icon string
	Category       int32
	Relevance      float64
	Properties     map[string]dbus.Variant
}

func (s *session) match(c call) ([]any, error) {
	matches := []runnerMatch{}
	for _, f := range s.lookUp(c, strings.Fields(c.body[0].(string))) {
		m := runnerMatch{f.result, text(f.account.Label()), icon, moderateMatch, f.relevance, map[string]dbus.Variant{
			"subtext": dbus.MakeVariant(text(s.about(f.account))),
			"actions": dbus.MakeVariant([]string{}),
		}}
		if f.relevance == 1 {
			m.Category = highestMatch
		}
		matches = append(matches, m)
	}
	return []any{matches}, nil
}

func (s *session) runMatch(c call) ([]any, error) { return nil, s.activate(c, c.body[0].(string)) }

// runnerActions answers that there is one thing to do with a match.
func runnerActions(*session, call) ([]any, error) {
	return []any{[]struct{ ID, Text, Icon string }{}}, nil
}

// runnerConfig tells when to ask at all.
func (s *session) runnerConfig(call) ([]any, error) {
	config := map[string]dbus.Variant{"MinLetterCount": dbus.MakeVariant(int32(3))}
	if s.finder.Keyword != "" {
		config = map[string]dbus.Variant{"TriggerWords": dbus.MakeVariant([]string{s.finder.Keyword})}
	}
	return []any{config}, nil
}
