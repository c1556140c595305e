package place

import (
	"cmp"
	"slices"
	"strconv"
)

// place finds an open key for one more copy of an account.
func (s *solver) place(a *account) bool {
	signature := s.signature(a)
	switch {
	case s.stuck[signature]:
		return false
	case s.placeOne(a), s.placeAll(a):
		return true
	}
	s.stuck[signature] = true
	return false
}

// placeOne leaves the account's other copies where they are, and makes room for the new one if need be.
func (s *solver) placeOne(a *account) bool {
	if k := s.best(a); k != nowhere {
		s.put(a, k, planned)
		return true
	}
	chain := s.chain(a)
	if chain == nil {
		return false
	}
	for _, m := range slices.Backward(chain) {
		s.relocate(m)
	}
	s.put(a, chain[0].from, planned)
	return true
}

// placeAll finds other keys for the account's planned copies too. Only where both kinds of place matter can that help: a
// copy may then be where no key is left that differs from it in both.
func (s *solver) placeAll(a *account) bool {
	if s.moveKept || s.rules[site] > Spread || s.rules[holder] > Spread {
		return false
	}
	goal, before := len(a.spots)+1, len(s.log)
	for _, sp := range slices.Clone(a.spots) {
		if sp.kind == planned {
			s.drop(a, sp.key)
		}
	}
	bare := len(s.log)
	for i := range s.keys {
		if bare == before || !s.reaches(a, i) {
			continue
		}
		s.put(a, i, planned)
		for len(a.spots) < goal && s.placeOne(a) {
		}
		if len(a.spots) == goal {
			return true
		}
		s.undo(bare)
	}
	s.undo(before)
	return false
}

// best returns the key with room that serves best: where the fewest copies are in one place against a preference, plugged in,
// in the places with the most room left (so that room stays where it can be combined), in the user's order.
func (s *solver) best(a *account) int {
	best := nowhere
	for i := range s.keys {
		if s.reaches(a, i) && (best == nowhere || s.better(a, i, best)) {
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
		if s.rules[d] <= Spread {
			n += s.room[d][place]
		}
	}
	return n
}

// signature is the same for copies that may go to the same keys.
func (s *solver) signature(a *account) string {
	apart := slices.Contains(s.rules[:], Apart)
	var beside [8]int
	numbers := beside[:0]
	for _, sp := range a.spots {
		n := sp.key
		if apart {
			// The key does not matter beside its places: no other key there can be had.
			n = s.keys[sp.key].place[site]<<16 | s.keys[sp.key].place[holder]
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	text := []byte(a.class)
	for _, n := range append(numbers, a.there...) {
		text = strconv.AppendInt(append(text, ' '), int64(n), 10)
	}
	return string(text)
}

// chain finds the shortest row of moves that makes room for a copy: the first leaves the key that the copy goes to, each one goes
// where the next one leaves, the last goes to a key with room. If there is none, the last may go to where its account has a copy
// already, beyond those that are wished for.
func (s *solver) chain(a *account) []move {
	r := &search{s: s, by: make([]move, len(s.keys))}
	for i := range s.keys {
		if s.fits(a, i, nowhere) {
			r.reach(move{account: a, from: nowhere, to: i})
		}
	}
	for next := 0; next < len(r.reached); next++ {
		if end := r.leave(r.reached[next]); end != nowhere {
			return r.path(end)
		}
	}
	for _, k := range r.reached {
		if m, ok := r.dispense(k); ok {
			return append(r.path(k), m)
		}
	}
	return nil
}

// search goes through the keys breadth first: reached lists them, by holds the move by which a key was reached.
type search struct {
	s       *solver
	by      []move
	reached []int
}

func (r *search) reach(by move) {
	r.by[by.to] = by
	r.reached = append(r.reached, by.to)
}

// leave looks at where the copies on a key could go instead, and returns a key with room if there is one.
func (r *search) leave(from int) int {
	for _, b := range r.s.keys[from].holds {
		if !r.s.mayLeave(b, from) || r.involves(from, b) {
			continue
		}
		for to := range r.s.keys {
			m := move{account: b, from: from, to: to}
			if r.by[to].account != nil || !r.s.mayMove(m) {
				continue
			}
			r.reach(m)
			if r.s.hasRoom(b, to) {
				return to
			}
		}
	}
	return nowhere
}

// dispense finds a copy on a key that its account can do without: as many others as are wished for are there, and proved. So it is
// where a move was broken off between its two ends.
func (r *search) dispense(k int) (move, bool) {
	for i := range r.s.accounts {
		a := &r.s.accounts[i]
		if !r.s.moveKept || a.HOTP || a.NoSeed || !a.holds(k) || !a.settled() || r.involves(k, a) {
			continue
		}
		if !slices.Contains(a.spots, spot{k, kept}) {
			return move{account: a, from: k, to: nowhere}, true
		}
		for _, to := range a.there {
			if to != k && a.holds(to) && r.s.fits(a, to, k) {
				return move{account: a, from: k, to: to}, true
			}
		}
	}
	return move{}, false
}

// holds says whether a proved copy is on a key.
func (a *account) holds(k int) bool {
	return slices.Contains(a.there, k) && slices.Contains(a.proved, k)
}

// settled says whether all that is wished for is there, and proved.
func (a *account) settled() bool {
	return a.missing() <= 0 && !slices.ContainsFunc(a.spots, func(sp spot) bool { return sp.kind != kept || !a.holds(sp.key) })
}

// involves says whether the way to a key moves a copy of the account already: its copies could get in each other's way.
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

// mayLeave says whether a copy may go elsewhere: one that is only planned may; one that is there if moves are allowed, if
// it is proved, and once.
func (s *solver) mayLeave(a *account, k int) bool {
	switch a.kindOn(k) {
	case planned:
		return true
	case kept:
		return s.moveKept && !a.HOTP && !a.NoSeed && slices.Contains(a.proved, k)
	}
	return false
}

// mayMove says whether a copy may go to a key. One that is there never goes where another one is that the plan does
// not count on.
func (s *solver) mayMove(m move) bool {
	return s.fits(m.account, m.to, m.from) && !(m.account.kindOn(m.from) == kept && slices.Contains(m.account.there, m.to))
}

// relocate carries a move out in the plan.
func (s *solver) relocate(m move) {
	kind := kept
	if slices.ContainsFunc(m.account.spots, func(sp spot) bool { return sp.key == m.from }) {
		kind = s.drop(m.account, m.from)
	}
	if kind == kept {
		m.account.there = slices.DeleteFunc(m.account.there, func(k int) bool { return k == m.from })
		s.take(m.from, -1)
		m.made = m.to == nowhere || slices.Contains(m.account.there, m.to)
		s.moves = append(s.moves, m)
		kind = moved
	}
	if m.to != nowhere {
		s.put(m.account, m.to, kind)
	}
}
