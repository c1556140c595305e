package place

func (s *solver) keysInUse() int {
	n := 0
	for i := range s.keys {
		if len(s.keys[i].holds) > 0 || s.keys[i].inUse {
			n++
		}
	}
	return n
}
func (s *solver) steps() []Step { return nil }
func (s *solver) unmet() []Unmet {
	var u []Unmet
	for i := range s.accounts {
		if m := s.accounts[i].missing(); m > 0 {
			u = append(u, Unmet{Account: s.accounts[i].ID, Missing: m})
		}
	}
	return u
}

type Change struct{}

func changes(p Problem, u []Unmet) []Change { return nil }
