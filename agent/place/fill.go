package place

import (
	"cmp"
	"fmt"
	"slices"
)

// fill places what is missing, the accounts with the least choice first, and says whether nothing is missing now.
func (s *solver) fill() bool {
	complete := true
	for _, a := range s.hardestFirst() {
		for a.missing() > 0 {
			if !s.place(a) {
				complete = false
				break
			}
		}
	}
	return complete
}

func (s *solver) hardestFirst() []*account {
	var list []*account
	for i := range s.accounts {
		if a := &s.accounts[i]; a.missing() > 0 && !a.NoSeed {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(x, y *account) int {
		return cmp.Or(cmp.Compare(y.needs(), x.needs()), cmp.Compare(y.wanted, x.wanted))
	})
	return list
}

// needs counts what a key has to be able to do.
func (a *account) needs() int { return count(a.SHA512) + count(a.Touch) }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// place finds an open key for one more copy, and makes room on it if need be.
func (s *solver) place(a *account) bool {
	if s.placeBeside(a) {
		return true
	}
	signature := s.signature(a)
	if s.stuck[signature] {
		return false
	}
	if s.bothMatter() && s.placeAnew(a) {
		return true
	}
	s.stuck[signature] = true
	return false
}

// placeBeside leaves the account's other copies where they are.
func (s *solver) placeBeside(a *account) bool {
	if k := s.best(a); k != nowhere {
		s.put(a, k, planned)
		return true
	}
	signature := "x" + s.signature(a)
	if s.stuck[signature] {
		return false
	}
	chain := s.chain(a)
	if chain == nil {
		s.stuck[signature] = true
		return false
	}
	for _, link := range slices.Backward(chain) {
		s.relocate(link)
	}
	s.put(a, chain[0].from, planned)
	return true
}

func (s *solver) bothMatter() bool {
	return s.rules[site] <= Spread && s.rules[holder] <= Spread
}

// placeAnew
func (s *solver) placeAnew(a *account) bool {
	if s.moveKept { return false }
	want := len(a.spots) + 1
	begin := len(s.log)
	for _, sp := range slices.Clone(a.spots) {
		if sp.kind == planned {
			s.drop(a, sp.key)
		}
	}
	rest := len(s.log)
	if rest == begin { return false }
	for i := range s.keys {
		if !s.fits(a, i, nowhere) || !s.hasRoom(a, i) {
			continue
		}
		s.put(a, i, planned)
		for len(a.spots) < want && s.placeBeside(a) {
		}
		if len(a.spots) == want {
			return true
		}
		s.undo(rest)
	}
	s.undo(begin)
	return false
}

// best returns the key with room that serves best: where the fewest copies are in one place against a preference, plugged in,
// in the places with the most room left (so that room stays where it can be combined), in the user's order.
func (s *solver) best(a *account) int {
	best := nowhere
	for i := range s.keys {
		if s.fits(a, i, nowhere) && s.hasRoom(a, i) && (best == nowhere || s.better(a, i, best)) {
			best = i
		}
	}
	return best
}

func (s *solver) better(a *account, x, y int) bool {
	kx, ky := &s.keys[x], &s.keys[y]
	return cmp.Or(
		cmp.Compare(s.clashes(a, y), s.clashes(a, x)),
		cmp.Compare(count(kx.Present), count(ky.Present)),
		cmp.Compare(s.slack(kx), s.slack(ky)),
		cmp.Compare(kx.room, ky.room),
	) > 0
}

// clashes counts the copies that would be in one place with another although that is not preferred.
func (s *solver) clashes(a *account, k int) int {
	n := 0
	for d, rule := range s.rules {
		for _, sp := range a.spots {
			n += count(rule == Prefer && s.keys[sp.key].place[d] == s.keys[k].place[d])
		}
	}
	return n
}

// slack is the room left in a key's places that matter.
func (s *solver) slack(k *key) int {
	n := 0
	for d, place := range k.place {
		if s.rules[d] == Apart || s.rules[d] == Spread {
			n += s.room[d][place]
		}
	}
	return n
}

// chain finds the shortest row of moves that makes room for a copy: the first leaves the key that the copy goes to, each one goes
// where the next one leaves, the last goes to a key with room.
func (s *solver) chain(a *account) []move {
	search := newSearch(s, a)
	for i := range s.keys {
		if s.fits(a, i, nowhere) {
			search.reach(i, move{account: a, from: nowhere, to: i})
		}
	}
	for len(search.queue) > 0 {
		from := search.queue[0]
		search.queue = search.queue[1:]
		if end := search.leave(from); end != nowhere {
			return search.path(end)
		}
	}
	return nil
}

// search goes through the keys breadth first; by holds the move by which a key was reached.
type search struct {
	s     *solver
	by    []move
	queue []int
}

func newSearch(s *solver, a *account) *search { return &search{s: s, by: make([]move, len(s.keys))} }

func (r *search) reached(k int) bool { return r.by[k].account != nil }

func (r *search) reach(k int, by move) {
	r.by[k] = by
	r.queue = append(r.queue, k)
}

// leave looks at where the copies on a key could go instead, and returns a key with room if there is one.
func (r *search) leave(from int) int {
	for _, b := range r.s.keys[from].holds {
		if !r.s.mayLeave(b, from) || r.involves(from, b) {
			continue
		}
		for to := range r.s.keys {
			if r.reached(to) || !r.s.fits(b, to, from) || r.s.keeps(b, from) && slices.Contains(b.there, to) {
				continue
			}
			r.reach(to, move{b, from, to})
			if r.s.hasRoom(b, to) {
				return to
			}
		}
	}
	return nowhere
}

// involves says whether the way to a key moves a copy of the account already: its copies would be in each other's way.
func (r *search) involves(k int, a *account) bool {
	for ; k != nowhere; k = r.by[k].from {
		if r.by[k].account == a {
			return true
		}
	}
	return false
}

// path returns the moves that lead to a key, without the first, which is the new copy itself.
func (r *search) path(k int) []move {
	var moves []move
	for ; r.by[k].from != nowhere; k = r.by[k].from {
		moves = append(moves, r.by[k])
	}
	slices.Reverse(moves)
	return moves
}

// mayLeave says whether a copy may go elsewhere: one that is only planned may, one that is there if moves are allowed, once.
func (s *solver) mayLeave(a *account, k int) bool {
	i := slices.IndexFunc(a.spots, func(sp spot) bool { return sp.key == k })
	switch a.spots[i].kind {
	case planned:
		return true
	case kept:
		return s.moveKept && !a.HOTP && !a.NoSeed
	}
	return false
}

// keeps says whether the plan counts on a copy that is there now.
func (s *solver) keeps(a *account, k int) bool {
	return slices.Contains(a.spots, spot{k, kept})
}

// relocate carries a move out in the plan.
func (s *solver) relocate(m move) {
	kind := s.drop(m.account, m.from)
	if kind == kept {
		m.account.there = slices.DeleteFunc(m.account.there, func(k int) bool { return k == m.from })
		s.take(m.from, -1)
		s.moves = append(s.moves, m)
		kind = moved
	}
	s.put(m.account, m.to, kind)
}

// signature is the same for copies that may go to the same places.
func (s *solver) signature(a *account) string {
	apart := slices.Contains(s.rules[:], Apart)
	var numbers []int
	for _, sp := range a.spots {
		numbers = append(numbers, s.keys[sp.key].place[site]<<16|s.keys[sp.key].place[holder])
		if !apart {
			numbers = append(numbers, -sp.key)
		}
	}
	slices.Sort(numbers)
	return fmt.Sprint(a.limit, numbers, a.there, a.able)
}
