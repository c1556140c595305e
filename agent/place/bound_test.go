package place_test

import (
	"cmp"
	"slices"

	"github.com/oathd/oathd/agent/place"
)

// fewest returns a number of keys that no plan for a problem without copies can do with less, or false if there cannot be
// a plan at all, because an account could not be placed if it were alone, or because they are too many. It looks at one kind of place at a time, and at one group of accounts: in each place, the group can
// use as much as its keys hold, and as many copies as its accounts may have there. The keys that give the most are taken
// first; as a place gives less with each key, no other choice could give more.
func fewest(p place.Problem) (int, bool) {
	w, most := newWorld(p), 0
	if !w.eachAlone() {
		return 0, false
	}
	for _, group := range groups(p.Accounts) {
		for i, of := range kinds {
			gifts, need := w.gifts(group, w.rules[i], of)
			n := 0
			for ; need > 0; n++ {
				if n == len(gifts) {
					return 0, false
				}
				need -= gifts[n]
			}
			most = max(most, n)
		}
	}
	return most, true
}

// eachAlone says whether every kind of account could be placed if there were no other.
func (w *world) eachAlone() bool {
	for _, g := range groups(w.p.Accounts) {
		tried := 0
		for _, a := range g.accounts {
			if wanted(a) <= tried || a.SHA512 != g.sha512 || a.Touch != g.touch {
				continue
			}
			tried = wanted(a)
			able := slices.DeleteFunc(slices.Clone(w.p.Keys), func(k place.Key) bool { return g.sha512 && !k.SHA512 || g.touch && !k.Touch })
			if w.together(a, nil, able) < wanted(a) {
				return false
			}
		}
	}
	return true
}

// group is some accounts, and what all of them need.
type group struct {
	accounts      []place.Account
	sha512, touch bool
}

func groups(accounts []place.Account) []group {
	var list []group
	for _, g := range []group{{}, {sha512: true}, {touch: true}, {sha512: true, touch: true}} {
		for copies := 1; copies <= 3; copies++ {
			some := slices.DeleteFunc(slices.Clone(accounts), func(a place.Account) bool {
				return wanted(a) < copies || g.sha512 && !a.SHA512 || g.touch && !a.Touch
			})
			list = append(list, group{some, g.sha512, g.touch})
		}
	}
	return list
}

// gifts lists how many copies of the group each key adds to those that can be placed, the most first, and how many are wished for.
func (w *world) gifts(g group, rule place.Rule, of func(place.Key) string) (gifts []int, need int) {
	bound := 0
	for _, a := range g.accounts {
		need += wanted(a)
		bound += min(wanted(a), limit(rule, a))
	}
	byPlace := map[string][]int{}
	for _, k := range w.p.Keys {
		if (k.SHA512 || !g.sha512) && (k.Touch || !g.touch) {
			name := cmp.Or(of(k), "only "+k.ID)
			byPlace[name] = append(byPlace[name], min(k.Capacity-k.Used, len(g.accounts)))
		}
	}
	for _, rooms := range byPlace {
		left := bound
		slices.SortFunc(rooms, func(x, y int) int { return cmp.Compare(y, x) })
		for _, room := range rooms {
			gifts = append(gifts, min(room, left))
			left -= min(room, left)
		}
	}
	slices.SortFunc(gifts, func(x, y int) int { return cmp.Compare(y, x) })
	return gifts, need
}
