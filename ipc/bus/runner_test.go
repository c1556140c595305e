package bus

import (
	"reflect"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestMatch types as somebody does into KRunner.
func TestMatch(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	d := newDesk(t, Search{}, key)
	hub := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	d.add(api.NewAccount{Issuer: "GitLab", Name: "you"})
	if matches := d.matches("gi"); len(matches) > 0 {
		t.Errorf("two letters match %v", matches)
	}
	if matches := d.matches("git"); len(matches) != 2 {
		t.Errorf("three letters match %v", matches)
	}
	matches := d.matches(" github ")
	want := runnerMatch{matches[0].ID, "GitHub:me", icon, highestMatch, 1, options{"subtext": of("on key1"), "actions": of([]string{})}}
	if len(matches) != 1 || !strings.HasPrefix(want.ID, hub.ID+"@") || !reflect.DeepEqual(matches[0], want) {
		t.Errorf("the name matches %v, want %v", matches, want)
	}
	d.bay.Remove(key)
	d.client.await("KeyOut", nil)
	away := d.matches("github")[0]
	if away.Category != moderateMatch || away.Relevance >= 0.4 || away.Properties["subtext"] != of("plug in or unlock key1") {
		t.Errorf("with its key away it matches as %v", away)
	}
}

// TestKeyword has nothing found unless a word comes first.
func TestKeyword(t *testing.T) {
	d := newDesk(t, Search{Keyword: "otp"}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	if results, matches := d.types("git"), d.matches("github"); len(results)+len(matches) > 0 {
		t.Errorf("without the word: %q, %v", results, matches)
	}
	d.one(account, "otp", "g")
	if matches := d.matches("otp"); len(matches) != 1 {
		t.Errorf("the word alone matches %v", matches)
	}
}

// TestRunnerHousekeeping calls what KRunner calls around its searches.
func TestRunnerHousekeeping(t *testing.T) {
	for keyword, want := range map[string]options{"": {"MinLetterCount": of(int32(3))}, "otp": {"TriggerWords": of([]string{"otp"})}} {
		d := newDesk(t, Search{Keyword: keyword})
		var config options
		if err := d.call(api.BusRunner, runnerName+".Config").Store(&config); err != nil || !reflect.DeepEqual(config, want) {
			t.Errorf("Config is %v, %v, want %v", config, err, want)
		}
		var actions []struct{ ID, Text, Icon string }
		if err := d.call(api.BusRunner, runnerName+".Actions").Store(&actions); err != nil || len(actions) > 0 {
			t.Errorf("Actions are %v, %v", actions, err)
		}
		for method, argument := range map[string][]any{"Teardown": nil, "SetActivationToken": {"kwin-1"}} {
			if err := d.call(api.BusRunner, runnerName+"."+method, argument...).Err; err != nil {
				t.Errorf("%s: %v", method, err)
			}
		}
		if err := d.call(api.BusSearch, shellName+".LaunchSearch", []string{"git"}, uint32(0)).Err; err != nil {
			t.Errorf("LaunchSearch: %v", err)
		}
	}
}
