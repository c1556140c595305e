package place_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/oathd/oathd/agent/place"
)

// world is what the steps of a plan are carried out on: which copies are where, and whether they are proved. It knows the
// rules by itself, and nothing of how a plan comes about.
type world struct {
	p        place.Problem
	keys     map[string]place.Key
	accounts map[string]place.Account
	copies   map[string]map[string]bool // account → key → proved
	held     map[string]int             // key → copies
	anyReal  bool
	// rules are those that are in force, for each kind of place.
	rules [2]place.Rule
}

// kinds are the kinds of places.
var kinds = [2]func(place.Key) string{
	func(k place.Key) string { return k.Site },
	func(k place.Key) string { return k.Holder },
}

func newWorld(p place.Problem) *world {
	w := &world{p: p, keys: map[string]place.Key{}, accounts: map[string]place.Account{}, copies: map[string]map[string]bool{}, held: map[string]int{}}
	for _, k := range p.Keys {
		w.keys[k.ID] = k
		w.anyReal = w.anyReal || !k.Soft && !k.Lost
	}
	for _, a := range p.Accounts {
		w.accounts[a.ID], w.copies[a.ID] = a, map[string]bool{}
		for _, c := range a.Copies {
			w.set(a.ID, c.Key, c.Proved)
		}
	}
	w.rules = [...]place.Rule{inForce(p, p.Sites, kinds[0]), inForce(p, p.Holders, kinds[1])}
	return w
}

// inForce returns the rule for one kind of place: none unless two keys are given different ones.
func inForce(p place.Problem, r place.Rule, of func(place.Key) string) place.Rule {
	names := map[string]bool{}
	for _, k := range p.Keys {
		names[of(k)] = true
	}
	delete(names, "")
	if len(names) < 2 {
		return place.Ignore
	}
	return r
}

func (w *world) set(account, key string, proved bool) {
	if _, there := w.copies[account][key]; !there {
		w.held[key]++
	}
	w.copies[account][key] = proved
}

// counts says whether copies on the key count.
func (w *world) counts(k place.Key) bool { return !k.Lost && !(k.Soft && w.anyReal) }

func (w *world) proved(account string) []place.Key {
	var keys []place.Key
	for key, proved := range w.copies[account] {
		if k := w.keys[key]; proved && w.counts(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (w *world) room(k place.Key) int {
	if k.Capacity == 0 {
		return 1
	}
	return k.Capacity - k.Used - w.held[k.ID]
}

// do carries a step out, or says why it cannot be done.
func (w *world) do(s place.Step) error {
	a, k := w.accounts[s.Account], w.keys[s.Key]
	proved, there := w.copies[a.ID][k.ID]
	switch {
	case !w.counts(k):
		return fmt.Errorf("%v: the key is lost or soft", s)
	case s.Kind == place.Prove && (!there || proved):
		return fmt.Errorf("%v: nothing to prove", s)
	case s.Kind == place.Put && there:
		return fmt.Errorf("%v: it is there", s)
	case s.Kind == place.Put && (a.NoSeed || a.SHA512 && !k.SHA512 || a.Touch && !k.Touch || slices.Contains(a.Barred, k.ID)):
		return fmt.Errorf("%v: the key cannot take it", s)
	case s.Kind == place.Put && w.room(k) < 1:
		return fmt.Errorf("%v: the key is full", s)
	case s.Kind == place.Remove && !proved:
		return fmt.Errorf("%v: it is not proved that this is the account", s)
	}
	if s.Kind == place.Remove {
		delete(w.copies[a.ID], k.ID)
		w.held[k.ID]--
	} else {
		w.set(a.ID, k.ID, true)
	}
	return nil
}

// wanted is how many copies of an account are wished for.
func wanted(a place.Account) int {
	if a.HOTP {
		return min(a.Wanted, 1)
	}
	return max(a.Wanted, 0)
}

// limit is how many copies of an account the rule lets be in one place.
func limit(r place.Rule, a place.Account) int {
	switch r {
	case place.Apart:
		return 1
	case place.Spread:
		return max(1, wanted(a)-1)
	}
	return wanted(a)
}

// together returns how many of an account's copies that count may be counted on at once.
func (w *world) together(a place.Account, chosen, from []place.Key) int {
	if len(from) == 0 || len(chosen) == wanted(a) {
		return len(chosen)
	}
	best := 0
	if more := append(slices.Clip(chosen), from[0]); w.allowed(a, more) {
		best = w.together(a, more, from[1:])
	}
	if best == wanted(a) {
		return best
	}
	return max(best, w.together(a, chosen, from[1:]))
}

func (w *world) allowed(a place.Account, keys []place.Key) bool {
	for i, of := range kinds {
		for _, k := range keys {
			n := 0
			for _, other := range keys {
				if other.ID == k.ID || of(k) != "" && of(other) == of(k) {
					n++
				}
			}
			if n > limit(w.rules[i], a) {
				return false
			}
		}
	}
	return true
}

// verdict is what became of a plan that was carried out.
type verdict struct {
	puts, removes int
	errors        []string
}

// carryOut does all steps and holds them against what was promised.
func carryOut(p place.Problem, plan place.Plan) (*world, verdict) {
	w, v := newWorld(p), verdict{}
	complain := func(format string, args ...any) { v.errors = append(v.errors, fmt.Sprintf(format, args...)) }
	before, puts := map[string]int{}, map[string]int{}
	taken, idle := map[string]bool{}, map[string]int{} // keys that get copies later on, and removals that make no room for any
	for _, a := range p.Accounts {
		before[a.ID] = len(w.proved(a.ID))
	}
	for _, s := range slices.Backward(plan.Steps) {
		switch taken[s.Key] = taken[s.Key] || s.Kind == place.Put; {
		case s.Kind == place.Put:
			puts[s.Account]++
		case s.Kind == place.Remove && !taken[s.Key]:
			idle[s.Account]++
		}
	}
	for _, s := range plan.Steps {
		if err := w.do(s); err != nil {
			complain("%v", err)
			return w, v
		}
		switch s.Kind {
		case place.Put:
			v.puts++
		case place.Remove:
			v.removes++
		}
		if now := len(w.proved(s.Account)); now < min(before[s.Account], wanted(w.accounts[s.Account])) {
			complain("%v leaves %d proved copies", s, now)
		}
	}
	missing := map[string]int{}
	for _, u := range plan.Unmet {
		missing[u.Account] = u.Missing
	}
	for _, a := range p.Accounts {
		if idle[a.ID] > puts[a.ID] {
			complain("%s loses copies that nothing replaces, and nobody needs their room", a.ID)
		}
		if n := w.together(a, nil, w.proved(a.ID)); n != wanted(a)-missing[a.ID] {
			complain("%s has %d copies that may be together, %d were wished for, %d are said to be missing", a.ID, n, wanted(a), missing[a.ID])
		}
	}
	if n := w.keysInUse(); n != plan.Keys {
		complain("%d keys hold copies, the plan says %d", n, plan.Keys)
	}
	return w, v
}

func (w *world) keysInUse() int {
	n := 0
	for _, k := range w.p.Keys {
		if w.held[k.ID] > 0 && w.counts(k) {
			n++
		}
	}
	return n
}

// after returns the problem as it is once the steps are done.
func (w *world) after() place.Problem {
	p := w.p
	p.Accounts = slices.Clone(p.Accounts)
	for i, a := range p.Accounts {
		p.Accounts[i].Copies = nil
		for _, k := range p.Keys {
			if proved, there := w.copies[a.ID][k.ID]; there {
				p.Accounts[i].Copies = append(p.Accounts[i].Copies, place.Copy{Key: k.ID, Proved: proved})
			}
		}
	}
	return p
}

// random makes a problem without copies: up to 50 keys of the sizes that there are, at up to 6 sites, with up to 5 holders,
// some with old firmware, and up to 500 accounts.
func random(r *rand.Rand) place.Problem {
	var p place.Problem
	one := func(n ...int) int { return n[r.IntN(len(n))] }
	sites, holders, old, mixed := one(0, 0, 1, 2, 2, 3, 4, 6), one(0, 0, 0, 1, 2, 3, 5), one(0, 15, 30), one(0, 0, 1)
	name := func(kind string, of int) string {
		if of == 0 {
			return ""
		}
		return fmt.Sprint(kind, r.IntN(of))
	}
	for i := range 2 + r.IntN(49) {
		p.Keys = append(p.Keys, place.Key{
			ID: fmt.Sprint("key", i), Capacity: one(28, 32, 32, 64, 64, 100), Site: name("site", sites), Holder: name("holder", holders),
			SHA512: r.IntN(100) >= old, Touch: r.IntN(100) >= old, Present: r.IntN(4) == 0,
		})
	}
	for i := range 1 + r.IntN(500) {
		a := place.Account{ID: fmt.Sprint("account", i), Wanted: 2, SHA512: r.IntN(10) == 0, Touch: r.IntN(10) == 0, HOTP: r.IntN(30) == 0}
		if mixed == 1 {
			a.Wanted = one(1, 2, 2, 2, 3)
		}
		p.Accounts = append(p.Accounts, a)
	}
	return p
}
