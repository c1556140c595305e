package place

import (
	"math/rand/v2"
	"testing"
)

// pairsBound: max accounts (n=2) fractional
func pairsBound(s *solver, need func(*key) bool, cap func(k *key) int) int {
	n := len(s.keys)
	N := 2*n + 2
	c := make([][]int, N)
	for i := range c {
		c[i] = make([]int, N)
	}
	for i := range s.keys {
		ki := &s.keys[i]
		if !ki.usable || !need(ki) {
			continue
		}
		c[0][1+i] = cap(ki)
		c[1+n+i][N-1] = cap(ki)
		for j := range s.keys {
			kj := &s.keys[j]
			if i != j && kj.usable && need(kj) && (s.rules[0] == Ignore || ki.place[0] != kj.place[0]) && (s.rules[1] == Ignore || ki.place[1] != kj.place[1]) {
				c[1+i][1+n+j] = 1 << 20
			}
		}
	}
	flow := 0
	for {
		by := make([]int, N)
		for i := range by {
			by[i] = -1
		}
		by[0] = 0
		q := []int{0}
		for len(q) > 0 && by[N-1] < 0 {
			u := q[0]
			q = q[1:]
			for v := range N {
				if by[v] < 0 && c[u][v] > 0 {
					by[v] = u
					q = append(q, v)
				}
			}
		}
		if by[N-1] < 0 {
			return flow / 2
		}
		f := 1 << 30
		for v := N - 1; v != 0; v = by[v] {
			f = min(f, c[by[v]][v])
		}
		for v := N - 1; v != 0; v = by[v] {
			c[by[v]][v] -= f
			c[v][by[v]] += f
		}
		flow += f
	}
}

func TestExp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		p := randomProblem(r)
		switch i {
		case 87, 117, 166, 533, 543, 926:
			plan := Make(p)
			s := newSolver(p)
			n := 0
			for _, u := range plan.Unmet {
				n += u.Missing
			}
			two, sha, touch := 0, 0, 0
			for _, a := range s.accounts {
				two += count(a.wanted == 2)
				sha += count(a.wanted == 2 && a.SHA512)
				touch += count(a.wanted == 2 && a.Touch)
			}
			c := func(k *key) int { return k.room }
			t.Log(i, "missing", n, "accounts", len(plan.Unmet), "of", len(p.Accounts), "with 2:", two, "fits", pairsBound(s, func(*key) bool { return true }, c),
				"sha", sha, pairsBound(s, func(k *key) bool { return k.SHA512 }, c), "touch", touch, pairsBound(s, func(k *key) bool { return k.Touch }, c))
		}
	}
}

func TestExp2(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		p := randomProblem(r)
		switch i {
		case 87, 117, 166, 533, 543, 926:
			plan := Make(p)
			un := map[string]bool{}
			for _, u := range plan.Unmet {
				un[u.Account] = true
			}
			m := map[[3]int]int{}
			for _, a := range p.Accounts {
				if un[a.ID] {
					m[[3]int{a.Wanted, count(a.SHA512), count(a.Touch)}]++
				}
			}
			t.Log(i, m)
			if i == 533 || i == 166 {
				for _, k := range p.Keys {
					t.Log(k)
				}
			}
		}
	}
}
