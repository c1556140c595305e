package place

import "slices"

// steps lists what is to be done: first the proofs, which cost nothing; then the moves, in the order in which they were
// found, since each uses the room that those before it made; then what is new, key by key; then the removal of copies that
// are in one place with another and were replaced. Nothing new uses the room of the latter.
func (s *solver) steps() []Step {
	var steps []Step
	s.eachSpot(func(a *account, sp spot) {
		if sp.kind == kept && !slices.Contains(a.proved, sp.key) {
			steps = append(steps, s.step(Prove, a, sp.key))
		}
	})
	for _, m := range s.moves {
		if !m.made {
			steps = append(steps, s.step(Put, m.account, m.to))
		}
		steps = append(steps, s.step(Remove, m.account, m.from))
	}
	s.eachSpot(func(a *account, sp spot) {
		if sp.kind == planned {
			steps = append(steps, s.step(Put, a, sp.key))
		}
	})
	for i := range s.accounts {
		for _, k := range s.replaced(&s.accounts[i]) {
			steps = append(steps, s.step(Remove, &s.accounts[i], k))
		}
	}
	return steps
}

func (s *solver) step(kind Kind, a *account, k int) Step {
	return Step{Kind: kind, Account: a.ID, Key: s.keys[k].ID}
}

// eachSpot visits the copies that the plan counts on: key by key, those first that are plugged in, so that each is needed once.
func (s *solver) eachSpot(visit func(*account, spot)) {
	for _, present := range [...]bool{true, false} {
		for i := range s.keys {
			if s.keys[i].Present != present {
				continue
			}
			for a := range s.accounts {
				for _, sp := range s.accounts[a].spots {
					if sp.key == i {
						visit(&s.accounts[a], sp)
					}
				}
			}
		}
	}
}

// replaced lists the proved copies that an account no longer needs because new ones take their place: as many as are
// new at most, and none unless all that are wished for are there.
func (s *solver) replaced(a *account) []int {
	var list []int
	for _, sp := range a.spots {
		if sp.kind != planned || a.missing() > 0 {
			continue
		}
		i := slices.IndexFunc(a.there, func(k int) bool {
			return slices.Contains(a.proved, k) && !slices.Contains(list, k) && !slices.Contains(a.spots, spot{k, kept})
		})
		if i >= 0 {
			list = append(list, a.there[i])
		}
	}
	return list
}

// keysInUse counts the keys that hold copies now.
func (s *solver) keysInUse() int {
	n := 0
	for i := range s.keys {
		n += count(s.keys[i].inUse)
	}
	return n
}

func (s *solver) unmet() []Unmet {
	var list []Unmet
	for i := range s.accounts {
		if a := &s.accounts[i]; a.missing() > 0 {
			list = append(list, Unmet{Account: a.ID, Missing: a.missing(), Reason: s.reason(a)})
		}
	}
	return list
}

// missing counts the copies that find no place although there is a seed to make them of.
func (s *solver) missing() int {
	n := 0
	for i := range s.accounts {
		if a := &s.accounts[i]; !a.NoSeed {
			n += a.missing()
		}
	}
	return n
}

// reason looks at what would be left to an account if no key were full.
func (s *solver) reason(a *account) Reason {
	able, placed := 0, account{Account: a.Account, limit: a.limit, able: a.able}
	for i := range s.keys {
		able += count(a.able[i])
		if s.suits(&placed, i, nowhere) {
			placed.spots = append(placed.spots, spot{key: i})
		}
	}
	switch {
	case a.NoSeed:
		return LacksSeed
	case able < a.wanted:
		return LacksKeys
	case len(placed.spots) < a.wanted:
		return LacksPlaces
	}
	return LacksRoom
}
