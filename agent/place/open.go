package place

import (
	"cmp"
	"slices"
)

// solve finds a key for as many copies as possible; if that can be, without moving one that is there now; and on as
// few more keys as possible.
func solve(p Problem) *solver {
	s := newSolver(p)
	s.demands = s.newDemands()
	s.openEnough()
	s.placeMissing()
	s.closeNeedless()
	s.moveKept = true
	clear(s.stuck)
	s.placeMissing()
	return s
}

// waiting lists the accounts that miss copies, those with the least choice first.
func (s *solver) waiting() []*account {
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

// placeMissing places what is missing, and opens a key for each copy that finds no room without it.
func (s *solver) placeMissing() {
	hopeless := map[string]bool{}
	for _, a := range s.waiting() {
		for a.missing() > 0 && !hopeless[s.signature(a)] {
			if !s.place(a) && !s.openFor(a) {
				hopeless[s.signature(a)] = true
			}
		}
	}
}

func (s *solver) openFor(a *account) bool {
	for i := range s.keys {
		if !s.mayOpen(i) || s.keys[i].room < 1 {
			continue
		}
		s.setOpen(i, true)
		if s.place(a) {
			return true
		}
		s.setOpen(i, false)
	}
	return false
}

func (s *solver) mayOpen(k int) bool  { return s.keys[k].usable && !s.keys[k].open }
func (s *solver) mayClose(k int) bool { return s.keys[k].open && !s.keys[k].inUse }

// openEnough opens as few keys as it takes until no demand is short that another key could meet.
func (s *solver) openEnough() {
	best := s.enough(nowhere)
	for i := range s.keys {
		if s.mayOpen(i) {
			if keys := s.enough(i); len(keys) < len(best) {
				best = keys
			}
		}
	}
	for _, k := range best {
		s.setOpen(k, true)
	}
	for _, d := range s.demands {
		s.meet(d)
		d.accepted = d.short
	}
}

// enough lists closed keys that meet all demands that can be met: one that is given, then those that meet the most. With one
// kind of place and no needs no choice is better than the latter alone: each place gives with its largest key the most, and
// nothing beyond its bound, so that what is taken first is never regretted.
func (s *solver) enough(first int) []int {
	for _, d := range s.demands {
		s.meet(d)
	}
	var keys []int
	for next := first; ; {
		if next == nowhere {
			next = s.mostGiving(keys)
		}
		if next == nowhere {
			return keys
		}
		for _, d := range s.demands {
			d.meet(&s.keys[next])
		}
		keys = append(keys, next)
		next = nowhere
	}
}

// mostGiving returns the closed key that meets the most of the demands beside the keys that were chosen; of keys that give as
// much, one with the fewest keys in a place where a preference is for none; then one that is plugged in; then the first.
func (s *solver) mostGiving(chosen []int) int {
	best, most := nowhere, [3]int{}
	for i := range s.keys {
		if !s.mayOpen(i) || slices.Contains(chosen, i) {
			continue
		}
		gain := 0
		for _, d := range s.demands {
			gain += d.gain(&s.keys[i], site) + d.gain(&s.keys[i], holder)
		}
		merits := [...]int{gain, -s.neighbours(i, chosen), count(s.keys[i].Present)}
		if gain > 0 && (best == nowhere || slices.Compare(merits[:], most[:]) > 0) {
			best, most = i, merits
		}
	}
	return best
}

// neighbours counts the keys, open or chosen, in one place with a key where that is not preferred.
func (s *solver) neighbours(k int, chosen []int) int {
	n := 0
	for d, rule := range s.rules {
		for i := range s.keys {
			if rule == Prefer && s.keys[i].place[d] == s.keys[k].place[d] && (s.keys[i].open || slices.Contains(chosen, i)) {
				n++
			}
		}
	}
	return n
}

// closeNeedless closes keys again that the others can do without, and pairs of keys for which one other will do.
func (s *solver) closeNeedless() {
	for i := range s.keys {
		if s.mayClose(i) {
			s.exchange([]int{i}, nowhere)
		}
	}
	for s.mergeTwo() {
	}
}

func (s *solver) mergeTwo() bool {
	for i := range s.keys {
		for j := range i {
			for k := range s.keys {
				if s.mayClose(i) && s.mayClose(j) && s.mayOpen(k) && s.exchange([]int{i, j}, k) {
					return true
				}
			}
		}
	}
	return false
}

// exchange closes keys and opens another, if every copy on them finds a place elsewhere.
func (s *solver) exchange(shut []int, open int) bool {
	swap := func(before bool) {
		for _, k := range shut {
			s.setOpen(k, before)
		}
		if open != nowhere {
			s.setOpen(open, !before)
		}
	}
	swap(false)
	if s.meetsDemands() && s.evacuate(shut) {
		return true
	}
	swap(true)
	return false
}

// evacuate brings the copies on closed keys elsewhere, or leaves all as it was.
func (s *solver) evacuate(keys []int) bool {
	before := len(s.log)
	for _, k := range keys {
		for len(s.keys[k].holds) > 0 {
			a := s.keys[k].holds[0]
			s.drop(a, k)
			if !s.place(a) {
				s.undo(before)
				return false
			}
		}
	}
	return true
}
