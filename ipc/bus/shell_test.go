package bus

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestShellSearch types as somebody does into GNOME's overview.
func TestShellSearch(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	hub := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	lab := d.add(api.NewAccount{Issuer: "GitLab", Name: "me"})
	if results := d.types("gi"); len(results) > 0 {
		t.Errorf("two letters find %q", results)
	}
	var all []string
	eventually(t, "both to be found", func() bool { all = d.types("git"); return len(all) == 2 })
	if !strings.HasPrefix(all[0], hub.ID+"@") || !strings.HasPrefix(all[1], lab.ID+"@") {
		t.Fatalf("three letters find %q, want %s and %s", all, hub.ID, lab.ID)
	}
	var fewer []string
	if err := d.call(api.BusSearch, shellName+".GetSubsearchResultSet", all, []string{"gitl", "me"}).Store(&fewer); err != nil {
		t.Fatal(err)
	}
	if len(fewer) != 1 || !strings.HasPrefix(fewer[0], lab.ID+"@") {
		t.Errorf("more letters find %q", fewer)
	}
	metas := d.metas(all[1], "gone@1", all[0], "")
	for i, want := range []options{
		{"id": of(all[1]), "name": of("GitLab:me"), "description": of("on key1"), "gicon": of(icon)},
		{"id": of("gone@1"), "name": of("no longer there")},
		{"id": of(all[0]), "name": of("GitHub:me"), "description": of("on key1"), "gicon": of(icon)},
		{"id": of(""), "name": of("no longer there")},
	} {
		if !reflect.DeepEqual(metas[i], want) {
			t.Errorf("%d is described as %v, want %v", i, metas[i], want)
		}
	}
	if len(metas) != 4 {
		t.Errorf("%d of 4 are described", len(metas))
	}
	d.screen.quiet(t)
}

// TestShowCodes has results show the codes that are in memory, where that is asked for, and to nobody who has locked the screen.
func TestShowCodes(t *testing.T) {
	for name, show := range map[string]bool{"off": false, "on": true} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, Search{ShowCodes: show}, newKey(t, softkey.Options{Serial: 1000001}))
			// An hour, so that hardly ever somebody has to wait for the next one.
			account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 3600})
			eventually(t, "a step with some life left", func() bool { return time.Now().Unix()%3600 < 3600-2*minLife })
			result := d.one(account, "git")
			if meta := d.metas(result)[0]; len(meta) != 4 || meta["description"] != of("on key1") {
				t.Errorf("before a code was asked for: %v", meta)
			}
			code, _, err := d.code(api.BusAccountPath(account.ID), nil)
			if err != nil {
				t.Fatal(err)
			}
			meta, match := d.metas(result)[0], d.matches("git")[0]
			description, _ := meta["description"].Value().(string)
			clip, offered := meta["clipboardText"]
			subtext, _ := match.Properties["subtext"].Value().(string)
			if tells := strings.HasPrefix(description, code+", until "); tells != show || offered != show || show && clip != of(code) || subtext != description {
				t.Errorf("after %s: %v, %v", code, meta, match)
			}
		})
	}
}

// TestUnusableResults asks about what was never found.
func TestUnusableResults(t *testing.T) {
	d := newDesk(t, Search{})
	many := make([]string, maxOffers+1)
	err := d.call(api.BusSearch, shellName+".GetResultMetas", many).Err
	wantError(t, err, api.BusError(api.CodeBadRequest), "61 results", "never more than 60")
	if metas := d.metas(many[1:]...); len(metas) != maxOffers {
		t.Errorf("%d of %d are described", len(metas), maxOffers)
	}
	long := strings.Repeat("é/@", 10000)
	if metas := d.metas(long, "@", "../manager@1"); len(metas) != 3 || metas[0]["id"] != of(long) || metas[2]["name"] != of("no longer there") {
		t.Errorf("described as %v", metas)
	}
}
