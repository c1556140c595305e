package place

import "slices"

// solve finds, in this order: a place for as many copies as possible, without moving any that is there now if that
// is enough, on as few more keys as possible.
func solve(p Problem) *solver {
	s := newSolver(p)
	s.groups = s.shortfalls()
	s.lack = map[*group][2]int{}
	s.openFor(s.groups)
	for _, g := range s.groups {
		s.lack[g] = g.short
	}
	s.fill()
	s.openMore()
	s.closeSome()
	s.moveKept = true
	clear(s.stuck)
	s.fill()
	return s
}

// group is a demand that only some keys can meet: the copies missing of accounts that need at least so much, and that
// miss at least so many copies. Of the keys in one place they can use only so much.
type group struct {
	missing int
	// room is what a key can give to the group, bound what the keys in one place can, by dimension.
	room  []int
	bound [dimensions][]int
	// given is what the open keys in one place give.
	given [dimensions][]int
	// short is what is lacking, by dimension: with two kinds of places each has to do.
	short [dimensions]int
}

// shortfalls lists the demands that the open keys may not meet. All of them being met is necessary for
// a plan, and with one kind of place sufficient.
func (s *solver) shortfalls() []*group {
	var groups []*group
	accounts := s.hardestFirst()
	for _, needs := range []Account{{}, {SHA512: true}, {Touch: true}, {SHA512: true, Touch: true}} {
		for n, fewer := 1, 0; ; n++ {
			some := slices.DeleteFunc(slices.Clone(accounts), func(a *account) bool {
				return a.missing() < n || needs.SHA512 && !a.SHA512 || needs.Touch && !a.Touch
			})
			if len(some) == 0 {
				break
			}
			if len(some) != fewer {
				groups = append(groups, s.newGroup(some))
			}
			fewer = len(some)
		}
	}
	return groups
}

func (s *solver) newGroup(accounts []*account) *group {
	g := &group{room: make([]int, len(s.keys))}
	for d := range g.bound {
		g.bound[d], g.given[d] = make([]int, len(s.keys)), make([]int, len(s.keys))
	}
	for _, a := range accounts {
		g.missing += a.missing()
		s.count(g, a)
	}
	for i := range s.keys {
		g.room[i] = max(0, min(g.room[i], s.keys[i].room))
	}
	g.short = [...]int{g.missing, g.missing}
	for i := range s.keys {
		if s.keys[i].open {
			g.open(&s.keys[i])
		}
	}
	return g
}

// count adds what an account could use of each key and each place.
func (s *solver) count(g *group, a *account) {
	var beside [dimensions][]int
	for d := range beside {
		beside[d] = make([]int, len(s.keys))
	}
	for _, sp := range a.spots {
		for d, place := range s.keys[sp.key].place {
			beside[d][place]++
		}
	}
	for i := range s.keys {
		if a.able[i] && !slices.ContainsFunc(a.spots, func(sp spot) bool { return sp.key == i }) {
			g.room[i]++
		}
	}
	for d := range beside {
		for place, n := range beside[d] {
			g.bound[d][place] += min(a.missing(), max(0, a.limit[d]-n))
		}
	}
}

// gain is by how much less would be lacking with one more key open.
func (g *group) gain(k *key) int {
	n := 0
	for d := range g.short {
		n += g.more(k, d)
	}
	return n
}

// more is by how much less would be lacking in one dimension.
func (g *group) more(k *key, d int) int {
	place := k.place[d]
	return min(g.short[d], g.bound[d][place]-g.given[d][place], g.room[k.index])
}

func (g *group) open(k *key) {
	for d := range g.short {
		n := g.more(k, d)
		g.short[d] -= n
		g.given[d][k.place[d]] += n
	}
}

// openFor opens keys until no demand is short that another key could meet, those first that meet the most.
func (s *solver) openFor(groups []*group) {
	for {
		best, most := nowhere, 0
		for i := range s.keys {
			k := &s.keys[i]
			if !k.usable || k.open {
				continue
			}
			gain := 0
			for _, g := range groups {
				gain += g.gain(k)
			}
			if gain > most || gain == most && gain > 0 && k.Present && !s.keys[best].Present {
				best, most = i, gain
			}
		}
		if best == nowhere {
			return
		}
		s.setOpen(best, true)
		for _, g := range groups {
			g.open(&s.keys[best])
		}
	}
}

// openMore opens one key after the other, each for a copy that found no room without it.
func (s *solver) openMore() {
	hopeless := map[string]bool{}
	for _, a := range s.hardestFirst() {
		for a.missing() > 0 && !hopeless[s.signature(a)] {
			hopeless[s.signature(a)] = !s.openOne(a)
		}
	}
}

func (s *solver) openOne(a *account) bool {
	if s.place(a) {
		return true
	}
	for i := range s.keys {
		if !s.keys[i].usable || s.keys[i].open || s.keys[i].room < 1 {
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

// closeSome closes each key again that the others can do without.
func (s *solver) closeSome() {
	for i := range s.keys {
		if s.keys[i].open && !s.keys[i].inUse {
			s.try([]int{i}, nowhere)
		}
	}
	for s.swapOne() {
	}
}

func (s *solver) swapOne() bool {
	for i := range s.keys {
		for j := range i {
			if !s.keys[i].open || s.keys[i].inUse || !s.keys[j].open || s.keys[j].inUse || len(s.keys[i].holds) == 0 || len(s.keys[j].holds)==0 {
				continue
			}
			for k := range s.keys {
				if s.keys[k].usable && !s.keys[k].open && s.try([]int{i, j}, k) {
					return true
				}
			}
		}
	}
	return false
}

// try closes keys and opens another; if the copies on them find no other place, all is as before.
func (s *solver) try(shut []int, open int) bool {
	for _, k := range shut {
		s.setOpen(k, false)
	}
	if open != nowhere {
		s.setOpen(open, true)
	}
	s.groups2(func() { })
	if s.enough() && s.evacuate(shut) {
		return true
	}
	for _, k := range shut {
		s.setOpen(k, true)
	}
	if open != nowhere {
		s.setOpen(open, false)
	}
	return false
}

func (s *solver) groups2(func()) {}

func (s *solver) enough() bool {
	for _, g := range s.groups {
		short := [2]int{g.missing, g.missing}
		for d := range short {
			clear(g.given[d])
			g.short[d] = g.missing
		}
		for i := range s.keys {
			if s.keys[i].open {
				g.open(&s.keys[i])
			}
		}
		if g.short[0] > s.lack[g][0] || g.short[1] > s.lack[g][1] {
			return false
		}
	}
	return true
}

func (s *solver) evacuate(keys []int) bool {
	n := len(s.log)
	for _, k := range keys {
		for len(s.keys[k].holds) > 0 {
			a := s.keys[k].holds[0]
			s.drop(a, k)
			if !s.place(a) {
				s.undo(n)
				return false
			}
		}
	}
	return true
}
