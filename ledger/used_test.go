package ledger

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// use marks steps and returns all that are marked.
func use(t testing.TB, l *Ledger, seed string, steps ...uint64) []uint64 {
	t.Helper()
	if err := l.Use(t.Context(), seed, steps...); err != nil {
		t.Fatal(err)
	}
	return used(t, l, seed, 0)
}

func used(t testing.TB, l *Ledger, seed string, from uint64) []uint64 {
	t.Helper()
	steps, err := l.Used(t.Context(), seed, from)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestUse(t *testing.T) {
	l, path := fresh(t)
	for _, test := range []struct{ mark, want []uint64 }{
		{[]uint64{5}, []uint64{5}},
		{[]uint64{5}, []uint64{5}},
		{nil, []uint64{5}},
		{[]uint64{7, 6, 7}, []uint64{5, 6, 7}},
		{[]uint64{0, math.MaxInt64}, []uint64{0, 5, 6, 7, math.MaxInt64}},
	} {
		if got := use(t, l, "s", test.mark...); !reflect.DeepEqual(got, test.want) {
			t.Errorf("after %v: got %v, want %v", test.mark, got, test.want)
		}
	}
	l.Close()
	l = reopen(t, path)
	if got, want := used(t, l, "s", 6), []uint64{6, 7, math.MaxInt64}; !reflect.DeepEqual(got, want) {
		t.Errorf("from 6: got %v, want %v", got, want)
	}
	if got := used(t, l, "another", 0); got != nil {
		t.Errorf("another seed's: got %v", got)
	}
}

func TestImpossibleStep(t *testing.T) {
	l, _ := fresh(t)
	if err := l.Use(t.Context(), "s", 1, math.MaxInt64+1); err == nil {
		t.Error("it was marked")
	}
	if got := used(t, l, "s", 0); got != nil {
		t.Errorf("of a failed call remained %v", got)
	}
	if got := used(t, l, "s", math.MaxUint64); got != nil {
		t.Errorf("from there on: got %v", got)
	}
}

// TestClockJumps uses steps as a clock would that runs, jumps ahead by years, and comes back, over and
// over. No step that was used a while ago (by the number of codes since) is forgotten, nor
// one that is still to come by the right clock; and what is kept stays bounded.
func TestClockJumps(t *testing.T) {
	const right, ahead, behind = 60_000_000, 70_000_000, 50_000_000
	l, _ := fresh(t)
	var marked []uint64
	mark := func(from, n uint64) {
		for step := from; step < from+n; step++ {
			marked = append(marked, step)
		}
		use(t, l, "s", marked[len(marked)-int(n):]...)
	}
	mark(ahead, keepUsed) // the clock was years ahead
	for round := range uint64(20) {
		mark(right+100*round, 90)
		mark(behind+100*round, 60)
		got := used(t, l, "s", 0)
		if len(got) > 4*keepUsed {
			t.Fatalf("%d steps are kept", len(got))
		}
		for _, step := range marked[len(marked)-150:] {
			if !slices.Contains(got, step) {
				t.Fatalf("round %d: step %d is forgotten", round, step)
			}
		}
		if future := used(t, l, "s", ahead); len(future) != keepUsed {
			t.Fatalf("round %d: %d of %d steps of the future are left", round, len(future), keepUsed)
		}
	}
	if len(used(t, l, "s", 0)) == len(marked) {
		t.Error("nothing was pruned")
	}
}

// TestUseAtRandom wants what forget promises of any order of marks: the last and the highest are kept.
func TestUseAtRandom(t *testing.T) {
	l, _ := fresh(t)
	random := rand.New(rand.NewPCG(1, 2))
	var order []uint64
	for range 40 {
		for range 100 {
			order = append(order, random.Uint64()>>1)
		}
		got := use(t, l, "s", order[len(order)-100:]...)
		if len(got) > 4*keepUsed {
			t.Fatalf("%d steps are kept", len(got))
		}
		byHeight := slices.Sorted(slices.Values(order))
		for _, list := range [][]uint64{order, byHeight} {
			for _, step := range list[max(0, len(list)-keepUsed):] {
				if _, found := slices.BinarySearch(got, step); !found {
					t.Fatalf("step %d is forgotten", step)
				}
			}
		}
	}
}
