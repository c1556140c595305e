package place

import (
	"math"
	"slices"
	"strconv"
)

// solver holds a plan while it is made: for each account the keys whose copies it counts on.
type solver struct {
	keys     []key
	accounts []account
	// rules are those in force, by dimension.
	rules [dimensions]Rule
	// room sums the room of the open keys in each place, by dimension.
	room [dimensions][]int
	// moveKept allows copies that are on keys now to be moved, moves are those that are, in the order in which they can be done.
	moveKept bool
	moves    []move
	// log lists what was put and dropped, so that it can be undone.
	log []entry
	// demands are what closing a key again must not leave unmet.
	demands []*demand
	// stuck remembers what kinds of copies found no room, until keys are opened or closed.
	stuck map[string]bool
}

// The dimensions of place.
const (
	site = iota
	holder
	dimensions
)

// boundless is the room of a key whose capacity is not known.
const boundless = math.MaxInt32

type key struct {
	Key
	index int
	// place is the index of its site and its holder.
	place [dimensions]int
	room  int
	// usable keys may hold copies, open ones may get new ones; inUse says that it holds some now.
	usable, open, inUse bool
	// holds lists the accounts that count on it.
	holds []*account
}

type account struct {
	Account
	index, wanted int
	// limit is how many copies may be in one place, by dimension.
	limit [dimensions]int
	// able says which keys can hold it at all; accounts of one class are able alike, and want as many copies.
	able  []bool
	class string
	// spots are the copies that the plan counts on, there the keys that hold one now, proved those where it is proved.
	spots         []spot
	there, proved []int
}

// spot is a copy that a plan counts on.
type spot struct {
	key  int
	kind spotKind
}

type spotKind int

const (
	// kept is there now, planned is to be written, moved is to be written for one that is there now elsewhere.
	kept spotKind = iota
	planned
	moved
)

// move brings a copy that is there now to another key, or away from one without need of another.
type move struct {
	account  *account
	from, to int
	// made says that the copy at the other end is there already, or that none is needed.
	made bool
}

func newSolver(p Problem) *solver {
	s := &solver{keys: make([]key, len(p.Keys)), accounts: make([]account, len(p.Accounts)), stuck: map[string]bool{}}
	s.addKeys(p)
	for i, a := range p.Accounts {
		s.accounts[i] = s.newAccount(i, a)
	}
	for i := range s.accounts {
		s.occupy(&s.accounts[i])
	}
	for i := range s.keys {
		if s.keys[i].inUse {
			s.setOpen(i, true)
		}
	}
	for i := range s.accounts {
		s.keep(&s.accounts[i])
	}
	return s
}

func (s *solver) addKeys(p Problem) {
	real := slices.ContainsFunc(p.Keys, func(k Key) bool { return !k.Soft && !k.Lost })
	sites, someSites := places(p.Keys, func(k Key) string { return k.Site })
	holders, someHolders := places(p.Keys, func(k Key) string { return k.Holder })
	s.rules = [...]Rule{site: inForce(p.Sites, someSites), holder: inForce(p.Holders, someHolders)}
	for i, k := range p.Keys {
		room := boundless
		if k.Capacity > 0 {
			room = k.Capacity - k.Used
		}
		s.keys[i] = key{Key: k, index: i, room: room, place: [...]int{site: sites[i], holder: holders[i]}, usable: !k.Lost && !(k.Soft && real)}
	}
	for d := range s.room {
		s.room[d] = make([]int, len(p.Keys))
	}
}

// places numbers the places of keys. A key without one gets a number of its own. differ says that there are
// two with different names.
func places(keys []Key, name func(Key) string) (numbers []int, differ bool) {
	for i, k := range keys {
		first := i
		if name(k) != "" {
			first = slices.IndexFunc(keys, func(other Key) bool { return name(other) == name(k) })
			differ = differ || slices.ContainsFunc(keys[:i], func(other Key) bool { return name(other) != "" && name(other) != name(k) })
		}
		numbers = append(numbers, first)
	}
	return numbers, differ
}

func inForce(r Rule, differ bool) Rule {
	if (r == Apart || r == Spread) && !differ {
		return Ignore
	}
	return r
}

func (s *solver) newAccount(index int, a Account) account {
	acc := account{Account: a, index: index, wanted: max(0, a.Wanted), able: make([]bool, len(s.keys))}
	if a.HOTP {
		acc.wanted = min(acc.wanted, 1)
	}
	for d, rule := range s.rules {
		switch rule {
		case Apart:
			acc.limit[d] = 1
		case Spread:
			acc.limit[d] = max(1, acc.wanted-1)
		default:
			acc.limit[d] = acc.wanted
		}
	}
	for i := range s.keys {
		k := &s.keys[i]
		acc.able[i] = k.usable && (k.SHA512 || !a.SHA512) && (k.Touch || !a.Touch) && !slices.Contains(a.Barred, k.ID)
	}
	acc.class = acc.classify()
	return acc
}

func (a *account) classify() string {
	class := strconv.AppendInt(nil, int64(a.wanted), 10)
	for _, able := range a.able {
		class = append(class, "-+"[count(able)])
	}
	return string(class)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// occupy counts the copies that are there against the keys' room.
func (s *solver) occupy(a *account) {
	for i := range s.keys {
		k := &s.keys[i]
		at := slices.IndexFunc(a.Copies, func(c Copy) bool { return c.Key == k.ID })
		if at < 0 || !k.usable {
			continue
		}
		// What is there can be there, whatever is known of the key.
		a.able[i] = true
		a.there = append(a.there, i)
		if a.Copies[at].Proved {
			a.proved = append(a.proved, i)
		}
		k.inUse = true
		k.room--
	}
}

// keep counts on as many copies that are there as are wished for and as the rules allow, on proved ones first.
func (s *solver) keep(a *account) {
	there := slices.Concat(a.proved, slices.DeleteFunc(slices.Clone(a.there), func(k int) bool { return slices.Contains(a.proved, k) }))
	for _, sp := range s.choose(*a, there[:min(len(there), chosenFrom)]) {
		s.put(a, sp.key, kept)
	}
}

// chosenFrom is of how many copies the best choice is looked for: each doubles the work, and nobody has as many.
const chosenFrom = 12

// choose returns the most copies that may be together, beside those that were chosen before: of the first ones, if possible.
func (s *solver) choose(a account, from []int) []spot {
	if len(from) == 0 || a.missing() == 0 {
		return a.spots
	}
	var with []spot
	if s.fits(&a, from[0], nowhere) {
		b := a
		b.spots = append(slices.Clip(a.spots), spot{from[0], kept})
		with = s.choose(b, from[1:])
	}
	if len(with) == min(a.wanted, len(a.spots)+len(from)) {
		return with
	}
	if without := s.choose(a, from[1:]); len(without) > len(with) {
		return without
	}
	return with
}

// nowhere is no key.
const nowhere = -1

// fits says whether a copy may go to an open key, beside the account's other copies but for the one that leaves another key.
func (s *solver) fits(a *account, to, leaving int) bool {
	return s.keys[to].open && s.suits(a, to, leaving)
}

// suits says the same of a key that may be closed.
func (s *solver) suits(a *account, to, leaving int) bool {
	if !a.able[to] {
		return false
	}
	k := &s.keys[to]
	var beside [dimensions]int
	for _, sp := range a.spots {
		switch {
		case sp.key == leaving:
			continue
		case sp.key == to:
			return false
		}
		for d, place := range s.keys[sp.key].place {
			if place == k.place[d] {
				beside[d]++
			}
		}
	}
	return beside[site] < a.limit[site] && beside[holder] < a.limit[holder]
}

// reaches says whether a copy may be on an open key, and at once.
func (s *solver) reaches(a *account, to int) bool { return s.fits(a, to, nowhere) && s.hasRoom(a, to) }

// hasRoom says whether a copy that fits can be there: one that is there already needs no room.
func (s *solver) hasRoom(a *account, k int) bool {
	return s.keys[k].room > 0 || slices.Contains(a.there, k)
}

func (a *account) missing() int { return a.wanted - len(a.spots) }

// kindOn returns the kind of the copy that the plan counts on, on a key that holds one.
func (a *account) kindOn(k int) spotKind {
	return a.spots[slices.IndexFunc(a.spots, func(sp spot) bool { return sp.key == k })].kind
}

// entry is a change of what the plan counts on.
type entry struct {
	account *account
	spot    spot
	dropped bool
}

// undo takes back what was done since the log was so long. No move may be among it.
func (s *solver) undo(length int) {
	for _, e := range slices.Backward(slices.Clone(s.log[length:])) {
		if e.dropped {
			s.put(e.account, e.spot.key, e.spot.kind)
		} else {
			s.drop(e.account, e.spot.key)
		}
	}
	s.log = s.log[:length]
}

// put counts on a new copy.
func (s *solver) put(a *account, k int, kind spotKind) {
	if slices.Contains(a.there, k) {
		kind = kept
	} else {
		s.take(k, 1)
	}
	a.spots = append(a.spots, spot{k, kind})
	s.keys[k].holds = append(s.keys[k].holds, a)
	s.log = append(s.log, entry{a, spot{k, kind}, false})
}

// drop no longer counts on a copy.
func (s *solver) drop(a *account, k int) spotKind {
	kind := a.kindOn(k)
	a.spots = slices.DeleteFunc(a.spots, func(sp spot) bool { return sp.key == k })
	s.keys[k].holds = slices.DeleteFunc(s.keys[k].holds, func(b *account) bool { return b == a })
	if kind != kept {
		s.take(k, -1)
	}
	s.log = append(s.log, entry{a, spot{k, kind}, true})
	return kind
}

// take uses n of a key's room, or gives it back.
func (s *solver) take(k, n int) {
	s.keys[k].room -= n
	for d, place := range s.keys[k].place {
		if s.keys[k].open {
			s.room[d][place] -= n
		}
	}
}

// setOpen opens a key to new copies, or closes it.
func (s *solver) setOpen(k int, open bool) {
	room := s.keys[k].room
	if !open {
		room = -room
	}
	s.keys[k].open = open
	for d, place := range s.keys[k].place {
		s.room[d][place] += room
	}
	clear(s.stuck)
}
