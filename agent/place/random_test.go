package place_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/oathd/oathd/agent/place"
)

// each tries n random problems: those that can be solved as far as can be told, or those that can't.
func each(n int, possible bool, try func(seed uint64, r *rand.Rand, p place.Problem)) {
	for seed := uint64(0); n > 0; seed++ {
		r := rand.New(rand.NewPCG(2026, seed))
		p := random(r)
		if _, ok := fewest(p); ok == possible {
			try(seed, r, p)
			n--
		}
	}
}

// TestFewKeys: where nothing is fixed, no wish that can be fulfilled is refused, and all plans together take at most 1 %
// more keys than can be proved to be needed.
func TestFewKeys(t *testing.T) {
	const instances = 1000
	keys, bound, exact := 0, 0, 0
	each(instances, true, func(seed uint64, _ *rand.Rand, p place.Problem) {
		plan := place.Make(p)
		if _, v := carryOut(p, plan); len(v.errors) > 0 || v.removes > 0 || !plan.Complete() {
			t.Errorf("instance %d: %d removed, unmet %v, %q", seed, v.removes, plan.Unmet, v.errors)
		}
		least, _ := fewest(p)
		keys, bound = keys+plan.Keys, bound+least
		if plan.Keys > least+2 {
			t.Errorf("instance %d: %d keys where %d might do", seed, plan.Keys, least)
		}
		if plan.Keys == least {
			exact++
		}
	})
	t.Logf("%d keys, at least %d are needed; the fewest in %d of %d instances", keys, bound, exact, instances)
	if keys*100 > bound*101 {
		t.Errorf("%d keys where %d might do: more than 1 %%", keys, bound)
	}
}

// TestImpossible wants each change that is proposed to help, and no key of it to be needless.
func TestImpossible(t *testing.T) {
	kinds := map[place.ChangeKind]int{}
	each(8, false, func(seed uint64, _ *rand.Rand, p place.Problem) {
		plan := place.Make(p)
		changes := place.Changes(p, plan.Unmet)
		if _, v := carryOut(p, plan); len(v.errors) > 0 || plan.Complete() || len(changes) < 2 {
			t.Errorf("instance %d: proposed %v, unmet %v, %q", seed, changes, plan.Unmet, v.errors)
		}
		for _, c := range changes {
			kinds[c.Kind]++
			if after := place.Make(c.Apply(p)); !after.Complete() {
				t.Errorf("instance %d: %s does not help: %v", seed, c, after.Unmet)
			}
			if c.Kind == place.MoreKeys {
				c.Keys = c.Keys[1:]
				if place.Make(c.Apply(p)).Complete() {
					t.Errorf("instance %d: %s is more than enough", seed, c)
				}
			}
		}
	})
	t.Logf("proposed: %v", kinds)
	for _, kind := range []place.ChangeKind{place.MoreKeys, place.FewerAccounts, place.FewerCopies, place.AnySite, place.AnyHolder} {
		if kinds[kind] == 0 {
			t.Errorf("%s was never proposed", kind)
		}
	}
}

// TestComeAndGo: a key that is lost costs as many new copies as it held, and hardly a move; a new key in its place, or beside
// all others, costs none.
func TestComeAndGo(t *testing.T) {
	lost, moved, most := 0, 0, 0
	each(100, true, func(seed uint64, r *rand.Rand, p place.Problem) {
		plan := place.Make(p)
		w, _ := carryOut(p, plan)
		settled := w.after()
		if again := place.Make(settled); len(again.Steps) > 0 {
			t.Fatalf("instance %d: a plan that was carried out wants %d steps more", seed, len(again.Steps))
		}
		gone := r.IntN(len(p.Keys))
		held := loses(&settled, gone)

		spare := settled.Keys[gone]
		spare.ID, spare.Lost = "spare", false
		replaced := settled
		replaced.Keys = append(slices.Clone(settled.Keys), spare)
		plan = place.Make(replaced)
		if _, v := carryOut(replaced, plan); len(v.errors) > 0 || !plan.Complete() || v.puts != held || v.removes != 0 {
			t.Errorf("instance %d: replacing a key with %d copies: %d put, %d removed, %d unmet, %q", seed, held, v.puts, v.removes, len(plan.Unmet), v.errors)
		}

		plan = place.Make(settled)
		_, v := carryOut(settled, plan)
		if len(v.errors) > 0 {
			t.Errorf("instance %d: losing a key with %d copies: %q", seed, held, v.errors)
		}
		if plan.Complete() && (v.puts != held+v.removes || v.removes > held) {
			t.Errorf("instance %d: losing a key with %d copies: %d put, %d removed", seed, held, v.puts, v.removes)
		}
		lost, moved, most = lost+held, moved+v.removes, max(most, v.removes)
	})
	t.Logf("%d copies lost, %d others moved for their sake, %d at most for one key", lost, moved, most)
	if moved*20 > lost {
		t.Errorf("%d copies were moved for %d that were lost: more than one in twenty", moved, lost)
	}
}

// loses marks a key as lost and returns how many copies it held.
func loses(p *place.Problem, k int) int {
	p.Keys = slices.Clone(p.Keys)
	p.Keys[k].Lost = true
	held := 0
	for _, a := range p.Accounts {
		if slices.ContainsFunc(a.Copies, func(c place.Copy) bool { return c.Key == p.Keys[k].ID }) {
			held++
		}
	}
	return held
}

// TestAnyState: whatever there is, every step can be done and nothing is lost on the way.
func TestAnyState(t *testing.T) {
	moves := 0
	each(150, true, func(seed uint64, r *rand.Rand, p place.Problem) {
		disorder(r, &p)
		plan := place.Make(p)
		w, v := carryOut(p, plan)
		if len(v.errors) > 0 {
			t.Fatalf("instance %d: %q", seed, v.errors)
		}
		moves += v.removes
		if again := place.Make(w.after()); len(again.Steps) > 0 {
			t.Errorf("instance %d: a plan that was carried out wants %d steps more, first %v", seed, len(again.Steps), again.Steps[0])
		}
		if !reflect.DeepEqual(plan, place.Make(p)) {
			t.Errorf("instance %d: the same problem gives another plan", seed)
		}
	})
	if moves == 0 {
		t.Error("nothing was ever moved: the test is too easy")
	}
}

// TestBrokenOff: a plan that was broken off anywhere is planned again, to the same end.
func TestBrokenOff(t *testing.T) {
	moves := 0
	each(100, true, func(seed uint64, r *rand.Rand, p place.Problem) {
		disorder(r, &p)
		whole := place.Make(p)
		if len(whole.Steps) == 0 {
			return
		}
		done := whole
		done.Steps = whole.Steps[:r.IntN(len(whole.Steps))]
		w, _ := carryOut(p, done)
		rest := place.Make(w.after())
		after, v := carryOut(w.after(), rest)
		if len(v.errors) > 0 || missing(rest) > missing(whole) || len(place.Make(after.after()).Steps) > 0 {
			t.Errorf("instance %d, broken off after %d of %d steps: %d copies are missing, not %d; %q", seed, len(done.Steps), len(whole.Steps), missing(rest), missing(whole), v.errors)
		}
		moves += v.removes
	})
	if moves == 0 {
		t.Error("nothing was ever moved: the test is too easy")
	}
}

// missing counts the copies that a plan does not place.
func missing(p place.Plan) (n int) {
	for _, u := range p.Unmet {
		n += u.Missing
	}
	return n
}

// disorder puts copies on keys at random, and spoils the keys.
func disorder(r *rand.Rand, p *place.Problem) {
	p.Sites, p.Holders = place.Rule(r.IntN(4)), place.Rule(r.IntN(4))
	for i := range p.Keys {
		k := &p.Keys[i]
		k.Used, k.Lost, k.Soft = r.IntN(10), r.IntN(8) == 0, r.IntN(12) == 0
		if r.IntN(20) == 0 {
			k.Capacity = 0
		}
	}
	w := newWorld(*p)
	for i := range p.Accounts {
		a := &p.Accounts[i]
		a.NoSeed = r.IntN(20) == 0
		for range r.IntN(4) {
			k := p.Keys[r.IntN(len(p.Keys))]
			if _, there := w.copies[a.ID][k.ID]; there || w.room(k) < 1 {
				continue
			}
			w.set(a.ID, k.ID, r.IntN(10) > 0)
			a.Copies = append(a.Copies, place.Copy{Key: k.ID, Proved: w.copies[a.ID][k.ID]})
		}
		if r.IntN(10) == 0 {
			a.Barred = append(a.Barred, p.Keys[r.IntN(len(p.Keys))].ID)
		}
	}
}

// big is 500 accounts and so many keys, at five sites and with three holders.
func big(keys int) place.Problem {
	var p place.Problem
	for i := range keys {
		p.Keys = append(p.Keys, place.Key{
			ID: fmt.Sprint("key", i), Capacity: 32 + 32*(i%2), SHA512: i%7 > 0, Touch: i%11 > 0,
			Site: fmt.Sprint("site", i%5), Holder: fmt.Sprint("holder", i/5%3),
		})
	}
	for i := range 500 {
		p.Accounts = append(p.Accounts, place.Account{ID: fmt.Sprint("account", i), Wanted: 2, SHA512: i%13 == 0, Touch: i%9 == 0, HOTP: i%50 == 0})
	}
	return p
}

func BenchmarkMake(b *testing.B) {
	p := big(50)
	for b.Loop() {
		if plan := place.Make(p); !plan.Complete() {
			b.Fatal(plan.Unmet)
		}
	}
}

func BenchmarkChanges(b *testing.B) {
	p := big(10)
	plan := place.Make(p)
	for b.Loop() {
		if len(place.Changes(p, plan.Unmet)) == 0 {
			b.Fatal("nothing helps")
		}
	}
}
