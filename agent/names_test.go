package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

// called lists the names alone.
func called(list []api.Name) []string {
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	return names
}

// numbered is a seed like no other number's.
func numbered(i int) string { return fmt.Sprintf("%020d", i) }

func TestNamesOfAccounts(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		for i, a := range []api.NewAccount{
			totp("GitHub", "me"), totp("GitLab", "me"), totp("My Bank", "Ärger@x"), totp("Twice", "me"), totp("", "-q"), totp("Evil", "a\x1b[2J"),
		} {
			main.put(a, numbered(i), 0)
		}
		spare.put(totp("Twice", "me"), numbered(99), 0)
	})
	for _, test := range []struct {
		text string
		want []string
	}{
		{"git", []string{"GitHub:me", "GitLab:me"}},
		{"GITH", []string{"GitHub:me"}},
		{"my bank:ä", []string{"My Bank:Ärger@x"}},
		{"hub", []string{"GitHub:me"}}, // nothing begins with it
		{"nothing", nil},
	} {
		if got := called(r.AccountNames(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
	// What would be refused as ambiguous, or cannot be typed, is named by its id.
	for _, text := range []string{"twice", "-q", "evil"} {
		list := r.AccountNames(text)
		if len(list) == 0 {
			t.Errorf("%q: nothing", text)
		}
		for _, n := range list {
			if acc := r.account(n.Name); acc.ID != n.Name || !strings.HasPrefix(n.Note, acc.Label()) {
				t.Errorf("%q: got %+v", text, n)
			}
		}
	}
	if all := r.AccountNames(""); len(all) != 7 {
		t.Errorf("all: got %q", all)
	}
}

// Of very many, a hundred are offered, from whose ends one sees what all have in common.
func TestNamesOfManyAccounts(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		for i := range 60 {
			main.put(totp("Service", fmt.Sprintf("%03d", i)), numbered(i), 0)
			spare.put(totp("Service", fmt.Sprintf("%03d", 60+i)), numbered(60+i), 0)
		}
	})
	got := called(r.AccountNames("s"))
	if len(got) != 100 || got[0] != "Service:000" || got[98] != "Service:098" || got[99] != "Service:119" {
		t.Errorf("got %q", got)
	}
}

func TestNamesOfKeys(t *testing.T) {
	r, _, _ := twoKeys(t)
	for text, want := range map[string][]string{"": {"main", "spare"}, "M": {"main"}, "par": {"spare"}, "x": nil} {
		if got := called(r.KeyNames(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if note := r.KeyNames("spare")[0].Note; note != "plugged in, soft key" {
		t.Errorf("the note is %q", note)
	}
}
