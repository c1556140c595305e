package place_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent/place"
)

// keys makes keys of the usual kind, each "name", "name@site" or "name@site/holder".
func keys(names ...string) []place.Key {
	var list []place.Key
	for _, name := range names {
		name, where, _ := strings.Cut(name, "@")
		site, holder, _ := strings.Cut(where, "/")
		list = append(list, place.Key{ID: name, Capacity: 32, SHA512: true, Touch: true, Site: site, Holder: holder})
	}
	return list
}

// account makes one that wants two copies, and has proved ones on keys, or with "?" unproved ones.
func account(id string, on ...string) place.Account {
	a := place.Account{ID: id, Wanted: 2}
	for _, key := range on {
		name, unproved := strings.CutSuffix(key, "?")
		a.Copies = append(a.Copies, place.Copy{Key: name, Proved: !unproved})
	}
	return a
}

func with[T any](thing T, change func(*T)) T {
	change(&thing)
	return thing
}

// words writes a plan down: "put a on k1, remove a from k2; a lacks 1 (room)".
func words(p place.Plan) string {
	var steps, unmet []string
	for _, s := range p.Steps {
		steps = append(steps, fmt.Sprintf("%s %s %s", s.Kind, s.Account, s.Key))
	}
	for _, u := range p.Unmet {
		unmet = append(unmet, fmt.Sprintf("%s lacks %d (%s)", u.Account, u.Missing, u.Reason))
	}
	return strings.Join(append([]string{strings.Join(steps, ", ")}, unmet...), "; ")
}

func TestMake(t *testing.T) {
	full := func(k *place.Key) { k.Capacity, k.Used = 32, 32 }
	last := func(k *place.Key) { k.Capacity, k.Used = 32, 31 }
	for name, c := range map[string]struct {
		keys     []place.Key
		accounts []place.Account
		change   func(*place.Problem)
		want     string
	}{
		"nothing":               {want: ""},
		"two copies":            {keys: keys("k1", "k2", "k3"), accounts: []place.Account{account("a")}, want: "put a k1, put a k2"},
		"nothing to do":         {keys: keys("k1", "k2"), accounts: []place.Account{account("a", "k1", "k2")}, want: ""},
		"one more":              {keys: keys("k1", "k2"), accounts: []place.Account{account("a", "k2")}, want: "put a k1"},
		"a surplus copy stays":  {keys: keys("k1", "k2", "k3"), accounts: []place.Account{account("a", "k1", "k2", "k3")}, want: ""},
		"few keys":              {keys: keys("k1", "k2", "k3", "k4"), accounts: []place.Account{account("a", "k2", "k4"), account("b")}, want: "put b k2, put b k4"},
		"key by key":            {keys: keys("k1", "k2"), accounts: []place.Account{account("a"), account("b")}, want: "put a k1, put b k1, put a k2, put b k2"},
		"unproved":              {keys: keys("k1", "k2"), accounts: []place.Account{account("a", "k1?", "k2")}, want: "prove a k1"},
		"unknown keys":          {keys: keys("k1", "k2"), accounts: []place.Account{account("a", "elsewhere")}, want: "put a k1, put a k2"},
		"one wanted":            {keys: keys("k1", "k2"), accounts: []place.Account{with(account("a"), func(a *place.Account) { a.Wanted = 1 })}, want: "put a k1"},
		"none wanted":           {keys: keys("k1", "k2"), accounts: []place.Account{with(account("a", "k1"), func(a *place.Account) { a.Wanted = -1 })}, want: ""},
		"hotp":                  {keys: keys("k1", "k2"), accounts: []place.Account{with(account("a"), func(a *place.Account) { a.HOTP = true })}, want: "put a k1"},
		"no seed":               {keys: keys("k1", "k2"), accounts: []place.Account{with(account("a", "k1"), func(a *place.Account) { a.NoSeed = true })}, want: "; a lacks 1 (seed)"},
		"barred":                {keys: keys("k1", "k2", "k3"), accounts: []place.Account{with(account("a"), func(a *place.Account) { a.Barred = []string{"k1"} })}, want: "put a k2, put a k3"},
		"what is there, can be": {keys: []place.Key{{ID: "k1"}, {ID: "k2"}}, accounts: []place.Account{with(account("a", "k1", "k2"), func(a *place.Account) { a.SHA512 = true })}, want: ""},
		"too few keys":          {keys: keys("k1"), accounts: []place.Account{account("a")}, want: "put a k1; a lacks 1 (keys)"},
		"too old": {
			keys:     []place.Key{{ID: "k1", SHA512: true}, {ID: "k2", Touch: true}, {ID: "k3", Touch: true}},
			accounts: []place.Account{with(account("a"), func(a *place.Account) { a.Touch = true }), with(account("b"), func(a *place.Account) { a.SHA512 = true })},
			want:     "put b k1, put a k2, put a k3; b lacks 1 (keys)",
		},
		"plugged in": {
			keys:     []place.Key{{ID: "k1"}, {ID: "k2", Present: true}, {ID: "k3", Present: true}},
			accounts: []place.Account{account("a")},
			want:     "put a k2, put a k3",
		},
		"lost": {
			keys:     []place.Key{{ID: "k1", Lost: true}, {ID: "k2"}, {ID: "k3"}},
			accounts: []place.Account{account("a", "k1", "k2")},
			want:     "put a k3",
		},
		"soft beside real": {
			keys:     []place.Key{{ID: "k1", Soft: true}, {ID: "k2"}, {ID: "k3"}},
			accounts: []place.Account{account("a", "k1", "k2")},
			want:     "put a k3",
		},
		"soft beside a lost one": {
			keys:     []place.Key{{ID: "k1", Soft: true}, {ID: "k2", Soft: true}, {ID: "k3", Lost: true}},
			accounts: []place.Account{account("a")},
			want:     "put a k1, put a k2",
		},
		"capacity": {
			keys:     []place.Key{with(place.Key{ID: "k1"}, last), {ID: "k2"}, {ID: "k3"}},
			accounts: []place.Account{account("a", "k2"), account("b", "k2"), account("c", "k1", "k3")},
			want:     "put a k3, put b k3",
		},
		"full": {
			keys:     []place.Key{with(place.Key{ID: "k1"}, full), {ID: "k2"}},
			accounts: []place.Account{account("a")},
			want:     "put a k2; a lacks 1 (room)",
		},
		"a move makes room": { // only k1 can hold what b needs, and it is full
			keys:     []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{account("a", "k1", "k2"), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 })},
			want:     "put a k3, remove a k1, put b k1",
		},
		"no move of what is not proved yet": {
			keys:     []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{account("a", "k1?", "k2"), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 })},
			want:     "prove a k1, put a k3, remove a k1, put b k1",
		},
		"no move of a counter": {
			keys: []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{
				with(account("a", "k1"), func(a *place.Account) { a.HOTP = true }), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 }),
			},
			want: "; b lacks 1 (room)",
		},
		"a move broken off": { // a is on k3 instead of k1 already
			keys:     []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{account("a", "k1", "k2", "k3"), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 })},
			want:     "remove a k1, put b k1",
		},
		"a move broken off, of what is counted elsewhere": {
			keys:     []place.Key{{ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}, {ID: "k1", Capacity: 1, SHA512: true}},
			accounts: []place.Account{account("a", "k1", "k2", "k3"), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 })},
			want:     "remove a k1, put b k1",
		},
		"a move broken off, with no need of it": {
			keys:     []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{account("a", "k1", "k2", "k3"), with(account("b"), func(a *place.Account) { a.Wanted = 1 })},
			want:     "put b k2",
		},
		"a move broken off before it was proved": {
			keys:     []place.Key{{ID: "k1", Capacity: 1, SHA512: true}, {ID: "k2", Capacity: 2}, {ID: "k3", Capacity: 1}},
			accounts: []place.Account{account("a", "k1", "k2", "k3?"), with(account("b"), func(a *place.Account) { a.SHA512, a.Wanted = true, 1 })},
			want:     "; b lacks 1 (room)", // once k3 is proved there is room
		},
		"room made by what is removed last": { // a moves from k1 to k3 for the site's sake; then b can go to k1
			keys: []place.Key{{ID: "k1", Site: "x", Capacity: 1}, {ID: "k2", Site: "x", Capacity: 1}, {ID: "k3", Site: "y", Capacity: 2}},
			accounts: []place.Account{
				account("a", "k1", "k2"), account("b", "k3"),
			},
			want: "put a k3, remove a k2, put b k2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := place.Problem{Keys: c.keys, Accounts: c.accounts}
			if c.change != nil {
				c.change(&p)
			}
			check(t, p, c.want)
		})
	}
}

// check wants a plan in words, and that it can be carried out.
func check(t *testing.T, p place.Problem, want string) {
	t.Helper()
	plan := place.Make(p)
	if got := words(plan); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if _, v := carryOut(p, plan); len(v.errors) > 0 {
		t.Error(v.errors)
	}
}

func TestRules(t *testing.T) {
	three := func(a *place.Account) { a.Wanted = 3 }
	for name, c := range map[string]struct {
		keys           []place.Key
		sites, holders place.Rule
		account        place.Account
		want           string
	}{
		"another site":                 {keys: keys("k1@home", "k2@home", "k3@bank"), account: account("a"), want: "put a k1, put a k3"},
		"all at one site":              {keys: keys("k1@home", "k2@home"), account: account("a"), want: "put a k1, put a k2"},
		"the other site is lost":       {keys: append(keys("k1@home", "k2@home"), place.Key{ID: "k3", Site: "bank", Lost: true}), account: account("a"), want: "put a k1; a lacks 1 (places)"},
		"a key without a site":         {keys: keys("k1@home", "k2@home", "k3@bank", "k4"), account: with(account("a"), three), want: "put a k1, put a k3, put a k4"},
		"another holder":               {keys: keys("k1@x/ann", "k2@y/ann", "k3@x/bob", "k4@y/bob"), account: account("a"), want: "put a k1, put a k4"},
		"not both":                     {keys: keys("k1@x/ann", "k2@x/bob", "k3@y/ann"), account: account("a", "k1", "k2", "k3"), want: ""},
		"together now":                 {keys: keys("k1@home", "k2@home", "k3@bank"), account: account("a", "k1", "k2"), want: "put a k3, remove a k2"},
		"together, and nowhere else":   {keys: append(keys("k1@home", "k2@home"), with(keys("k3@bank")[0], func(k *place.Key) { k.Used = 32 })), account: account("a", "k1", "k2"), want: "; a lacks 1 (room)"},
		"together, more wanted":        {keys: keys("k1@home", "k2@home", "k3@bank"), account: with(account("a", "k1", "k2"), three), want: "put a k3; a lacks 1 (places)"},
		"spread":                       {keys: keys("k1@home", "k2@home", "k3@home", "k4@bank"), sites: place.Spread, account: with(account("a"), three), want: "put a k1, put a k2, put a k4"},
		"spread two":                   {keys: keys("k1@home", "k2@home", "k3@bank"), sites: place.Spread, account: account("a"), want: "put a k1, put a k3"},
		"prefer":                       {keys: keys("k1@home", "k2@home", "k3@bank"), sites: place.Prefer, account: account("a", "k1"), want: "put a k3"},
		"prefer, but not with a move":  {keys: keys("k1@home", "k2@home", "k3@bank"), sites: place.Prefer, account: account("a", "k1", "k2"), want: ""},
		"prefer, but there is no such": {keys: keys("k1@home", "k2@home", "k3@bank"), sites: place.Prefer, account: with(account("a"), three), want: "put a k1, put a k2, put a k3"},
		"ignore":                       {keys: keys("k1@home", "k2@home", "k3@bank"), sites: place.Ignore, account: account("a"), want: "put a k1, put a k2"},
		"ignore holders":               {keys: keys("k1@x/ann", "k2@y/ann", "k3@y/bob"), holders: place.Ignore, account: account("a"), want: "put a k1, put a k2"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, place.Problem{Keys: c.keys, Accounts: []place.Account{c.account}, Sites: c.sites, Holders: c.holders}, c.want)
		})
	}
}

// TestPreferTakesNoKey: a preference opens no key that need not be opened.
func TestPreferTakesNoKey(t *testing.T) {
	p := place.Problem{Keys: keys("k1@home", "k2@home", "k3@bank"), Sites: place.Prefer, Accounts: []place.Account{account("a", "k1", "k2"), account("b")}}
	check(t, p, "put b k1, put b k2")
}

func TestChanges(t *testing.T) {
	many := func(n int, change func(*place.Account)) []place.Account {
		list := make([]place.Account, n)
		for i := range list {
			list[i] = with(account(fmt.Sprint("a", i)), change)
		}
		return list
	}
	usual := func(*place.Account) {}
	three := func(a *place.Account) { a.Wanted = 3 }
	for name, c := range map[string]struct {
		p    place.Problem
		want []string
	}{
		"no key":       {place.Problem{Accounts: many(1, usual)}, []string{"2 more keys", "one account fewer"}},
		"one key":      {place.Problem{Keys: keys("k1"), Accounts: many(10, usual)}, []string{"one more key", "10 accounts fewer"}},
		"too many":     {place.Problem{Keys: keys("k1", "k2"), Accounts: many(35, usual)}, []string{"one more key", "3 accounts fewer"}},
		"full house":   {place.Problem{Keys: keys("k1@home", "k2@bank"), Accounts: many(33, usual)}, []string{"2 more keys: one at home, one at bank", "one account fewer"}},
		"another site": {place.Problem{Keys: keys("k1@home", "k2@home", "k3@bank"), Accounts: many(33, usual)}, []string{"one more key at bank", "one account fewer", "copies of one account at one site"}},
		"a third site": {
			place.Problem{Keys: keys("k1@home", "k2@bank", "k3@home"), Accounts: many(2, three)},
			[]string{"one more key at another site", "2 accounts fewer", "2 copies instead of more, of 2 accounts", "copies of one account at one site"},
		},
		"a second holder": {
			place.Problem{Keys: append(keys("k1@x/ann", "k2@y/ann"), place.Key{ID: "k3", Holder: "bob", Lost: true}), Accounts: many(1, usual)},
			[]string{"one more key at y with another holder", "one account fewer", "copies of one account with one holder"},
		},
		"two more sites": {
			place.Problem{Keys: append(keys("k1@x", "k2@x"), place.Key{ID: "k3", Site: "y", Lost: true}), Accounts: many(1, func(a *place.Account) { a.Wanted = 3 })},
			[]string{"2 more keys: one at another site, one at yet another site", "one account fewer"},
		},
		"too old": {
			place.Problem{Keys: []place.Key{{ID: "k1"}, {ID: "k2", SHA512: true}}, Accounts: many(1, func(a *place.Account) { a.SHA512 = true })},
			[]string{"one more key with SHA-512", "one account fewer"},
		},
		"much too old": {
			place.Problem{Keys: []place.Key{{ID: "k1"}}, Accounts: append(many(1, func(a *place.Account) { a.SHA512, a.Touch = true, true }), with(account("b"), func(a *place.Account) { a.Touch = true }))},
			[]string{"2 more keys with SHA-512 and touch", "2 accounts fewer"},
		},
		"soft ones": {place.Problem{Keys: []place.Key{{ID: "k1", Soft: true}}, Accounts: []place.Account{account("a", "k1")}}, []string{"one more key", "one account fewer"}},
		"no seed":   {place.Problem{Keys: keys("k1", "k2"), Accounts: many(1, func(a *place.Account) { a.NoSeed = true })}, nil},
		"nothing":   {place.Problem{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, change := range place.Changes(c.p, place.Make(c.p).Unmet) {
				got = append(got, change.String())
				if plan := place.Make(change.Apply(c.p)); !plan.Complete() {
					t.Errorf("%s does not help: %v", change, plan.Unmet)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}
