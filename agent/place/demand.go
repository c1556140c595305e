package place

import "slices"

// demand is what a group of accounts misses that needs at least so much of a key, and that misses at least so many copies
// each. That the open keys meet every demand is necessary for a plan; with one kind of place it is sufficient too (the
// groups are the worst cuts of the flow).
type demand struct {
	missing int
	// room is what a key can give to the group, bound what all keys in one place can, by dimension: with two kinds of place,
	// each has to be enough.
	room  []int
	bound [dimensions][]int
	// given is what the open keys in one place give, short what is lacking; accepted is what is lacking with all keys open.
	given           [dimensions][]int
	short, accepted [dimensions]int
}

// newDemands lists the demands that differ.
func (s *solver) newDemands() []*demand {
	var demands []*demand
	waiting := s.waiting()
	for _, needs := range []Account{{}, {SHA512: true}, {Touch: true}, {SHA512: true, Touch: true}} {
		for copies, last := 1, 0; ; copies++ {
			group := slices.DeleteFunc(slices.Clone(waiting), func(a *account) bool {
				return a.missing() < copies || needs.SHA512 && !a.SHA512 || needs.Touch && !a.Touch
			})
			if len(group) == 0 {
				break
			}
			if len(group) != last {
				demands = append(demands, s.newDemand(group))
			}
			last = len(group)
		}
	}
	return demands
}

func (s *solver) newDemand(group []*account) *demand {
	d := &demand{room: make([]int, len(s.keys))}
	for dim := range dimensions {
		d.bound[dim], d.given[dim] = make([]int, len(s.keys)), make([]int, len(s.keys))
	}
	for _, a := range group {
		d.missing += a.missing()
		s.count(d, a)
	}
	for i := range s.keys {
		d.room[i] = max(0, min(d.room[i], s.keys[i].room))
	}
	s.meet(d)
	return d
}

// count adds what an account could use of each key and each place.
func (s *solver) count(d *demand, a *account) {
	var beside [dimensions][]int
	for dim := range beside {
		beside[dim] = make([]int, len(s.keys))
	}
	for _, sp := range a.spots {
		for dim, place := range s.keys[sp.key].place {
			beside[dim][place]++
		}
	}
	for i := range s.keys {
		d.room[i] += count(a.able[i] && !slices.ContainsFunc(a.spots, func(sp spot) bool { return sp.key == i }))
	}
	for dim := range beside {
		for place, n := range beside[dim] {
			d.bound[dim][place] += min(a.missing(), max(0, a.limit[dim]-n))
		}
	}
}

// gain is by how much less would be lacking with one more key open.
func (d *demand) gain(k *key, dim int) int {
	place := k.place[dim]
	return min(d.short[dim], d.bound[dim][place]-d.given[dim][place], d.room[k.index])
}

// meet takes what a key gives that was opened.
func (d *demand) meet(k *key) {
	for dim := range dimensions {
		n := d.gain(k, dim)
		d.short[dim] -= n
		d.given[dim][k.place[dim]] += n
	}
}

// meet counts anew what the open keys give.
func (s *solver) meet(d *demand) {
	for dim := range dimensions {
		clear(d.given[dim])
		d.short[dim] = d.missing
	}
	for i := range s.keys {
		if s.keys[i].open {
			d.meet(&s.keys[i])
		}
	}
}

// meetsDemands says whether the open keys may do, without trying.
func (s *solver) meetsDemands() bool {
	return !slices.ContainsFunc(s.demands, func(d *demand) bool {
		s.meet(d)
		return d.short[site] > d.accepted[site] || d.short[holder] > d.accepted[holder]
	})
}
