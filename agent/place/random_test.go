package place

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func randomProblem(r *rand.Rand) Problem {
	var p Problem
	pick := func(n ...int) int { return n[r.IntN(len(n))] }
	sites, holders := pick(0, 0, 1, 2, 2, 3, 4, 6), pick(0, 0, 0, 1, 2, 3, 5)
	old := r.IntN(3) * 15
	nk := 2 + r.IntN(49)
	for i := range nk {
		k := Key{ID: fmt.Sprint("k", i), Capacity: pick(32, 32, 64, 64, 28, 100), SHA512: r.IntN(100) >= old, Touch: r.IntN(100) >= old, Present: r.IntN(4) == 0}
		if sites > 0 {
			k.Site = fmt.Sprint("s", r.IntN(sites))
		}
		if holders > 0 {
			k.Holder = fmt.Sprint("h", r.IntN(holders))
		}
		p.Keys = append(p.Keys, k)
	}
	na := 1 + r.IntN(500)
	mixed := r.IntN(3) == 0
	for i := range na {
		a := Account{ID: fmt.Sprint("a", i), Wanted: 2, SHA512: r.IntN(10) == 0, Touch: r.IntN(10) == 0, HOTP: r.IntN(30) == 0}
		if mixed {
			a.Wanted = pick(1, 2, 2, 2, 3)
		}
		p.Accounts = append(p.Accounts, a)
	}
	return p
}

func lower(p Problem) int {
	lb := 0
	s := newSolver(p)
	for _, g := range s.shortfalls() {
		for d := range dimensions {
			n := 0
			open := map[int]bool{}
			for g.short[d] > 0 {
				best, most := -1, 0
				for i := range s.keys {
					if !open[i] && s.keys[i].usable && g.more(&s.keys[i], d) > most {
						best, most = i, g.more(&s.keys[i], d)
					}
				}
				if best < 0 {
					break
				}
				open[best] = true
				n++
				m := g.more(&s.keys[best], d)
				g.short[d] -= m
				g.given[d][s.keys[best].place[d]] += m
			}
			lb = max(lb, n)
		}
	}
	return lb
}

func TestTry(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var keys, lbs, infeasible, off, necessary int
	var slow, total time.Duration
	for i := range 1000 {
		p := randomProblem(r)
		t0 := time.Now()
		plan := Make(p)
		d := time.Since(t0)
		slow = max(slow, d)
		total += d
		if !plan.Complete() {
			infeasible++
			// is it really?
			s := newSolver(p)
			for i := range s.keys {
				if s.keys[i].usable {
					s.setOpen(i, true)
				}
			}
			short := false
			for _, g := range s.shortfalls() {
				short = short || g.short[0] > 0 || g.short[1] > 0
			}
			if !short {
				n := 0
				for _, u := range plan.Unmet {
					n += u.Missing
				}
				necessary++
				t.Log(i, "not obviously infeasible", len(p.Accounts), len(p.Keys), n, s.rules)
			}
			continue
		}
		lb := lower(p)
		keys += plan.Keys
		lbs += lb
		if plan.Keys > lb {
			off++
			if off < 40 {
				s := newSolver(p)
				t.Log(i, plan.Keys, lb, len(p.Accounts), len(p.Keys), s.rules)
			}
		}
	}
	t.Log("keys", keys, "bound", lbs, "infeasible", infeasible, "unexplained", necessary, "off", off, "slowest", slow, "mean", total/1000)
}
