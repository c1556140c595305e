package place

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// usualCapacity is what a new key is thought to hold where no other tells: a YubiKey 5.7 (and more than any older one).
const usualCapacity = 64

// Changes finds what would make a plan complete, those first that leave the wish as it is. Each was tried: with it, nothing
// is unmet but for want of a seed, and none of its keys can be spared.
func Changes(p Problem, unmet []Unmet) []Change {
	unmet = slices.DeleteFunc(slices.Clone(unmet), func(u Unmet) bool { return u.Reason == LacksSeed })
	if len(unmet) == 0 {
		return nil
	}
	list := slices.Concat(moreKeys(p, unmet), fewerAccounts(p, unmet), fewerCopies(p))
	for _, kind := range [...]ChangeKind{AnySite, AnyHolder} {
		if c := (Change{Kind: kind}); c.helps(p) {
			list = append(list, c)
		}
	}
	return list
}

// helps says whether all can be done with the change for which there is a seed.
func (c Change) helps(p Problem) bool { return solve(c.Apply(p)).missing() == 0 }

// moreKeys lets the solver choose among as many new keys as could be of use, in the places that there are or, if these
// are not enough, in new ones too. Then it looks which can be spared, and what they need not be able to do.
func moreKeys(p Problem, unmet []Unmet) []Change {
	for _, anew := range []bool{false, true} {
		c := Change{Kind: MoreKeys, Keys: offers(p, unmet, anew)}
		s := solve(c.Apply(p))
		if s.missing() > 0 {
			continue
		}
		c.Keys = slices.DeleteFunc(c.Keys, func(k Key) bool { return !s.uses(k.ID) })
		c.spare(p)
		c.ease(p)
		c.N = len(c.Keys)
		return []Change{c}
	}
	return nil
}

// uses says whether the plan counts on copies on a key.
func (s *solver) uses(id string) bool {
	return slices.ContainsFunc(s.keys, func(k key) bool { return k.ID == id && len(k.holds) > 0 })
}

// offers lists new keys: in each place as many as any plan could use.
func offers(p Problem, unmet []Unmet, anew bool) []Key {
	k := Key{SHA512: true, Touch: true, Soft: len(p.Keys) > 0}
	for _, other := range p.Keys {
		k.Capacity = max(k.Capacity, other.Capacity)
		k.Soft = k.Soft && other.Soft
	}
	if k.Capacity == 0 {
		k.Capacity = usualCapacity
	}
	missing, s := 0, newSolver(p)
	for _, u := range unmet {
		missing += u.Missing
	}
	copies := s.mostWanted()
	var keys []Key
	for _, k.Site = range s.offered(site, anew, func(k Key) string { return k.Site }) {
		for _, k.Holder = range s.offered(holder, anew, func(k Key) string { return k.Holder }) {
			for n := 0; n < copies || n*k.Capacity < missing; n++ {
				k.ID = fmt.Sprint(elsewhere, len(keys))
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// offered lists the places of keys that are not lost and, if anew, as many new ones as an account has copies. Where places
// make no difference it is none.
func (s *solver) offered(d int, anew bool, name func(Key) string) []string {
	if s.rules[d] > Spread {
		return []string{""}
	}
	var list []string
	for _, k := range s.keys {
		if n := name(k.Key); n != "" && !k.Lost && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	for n := 1; anew && n <= s.mostWanted(); n++ {
		list = append(list, strings.Repeat(elsewhere, n))
	}
	return list
}

// mostWanted is how many copies are wanted of the account of which the most are.
func (s *solver) mostWanted() int {
	most := 0
	for i := range s.accounts {
		most = max(most, s.accounts[i].wanted)
	}
	return most
}

// spare leaves out the keys that are not needed.
func (c *Change) spare(p Problem) {
	for i := len(c.Keys) - 1; i >= 0; i-- {
		fewer := Change{Kind: MoreKeys, Keys: slices.Delete(slices.Clone(c.Keys), i, i+1)}
		if fewer.helps(p) {
			c.Keys = fewer.Keys
		}
	}
}

// ease asks for keys that can do less, if these are enough.
func (c *Change) ease(p Problem) {
	for _, lower := range []func(*Key){func(k *Key) { k.SHA512 = false }, func(k *Key) { k.Touch = false }} {
		simpler := Change{Kind: MoreKeys, Keys: slices.Clone(c.Keys)}
		for i := range simpler.Keys {
			lower(&simpler.Keys[i])
		}
		if simpler.helps(p) {
			c.Keys = simpler.Keys
		}
	}
}

// fewerAccounts leaves out the first of the accounts that lack something.
func fewerAccounts(p Problem, unmet []Unmet) []Change {
	leaveOut := func(n int) Change {
		c := Change{Kind: FewerAccounts, N: n}
		for _, u := range unmet[:n] {
			c.Accounts = append(c.Accounts, u.Account)
		}
		return c
	}
	n := sort.Search(len(unmet), func(n int) bool { return leaveOut(n).helps(p) })
	if c := leaveOut(n); c.helps(p) {
		return []Change{c}
	}
	return nil
}

// fewerCopies asks for fewer copies, though never for one instead of two.
func fewerCopies(p Problem) []Change {
	for n := newSolver(p).mostWanted() - 1; n >= 2; n-- {
		c := Change{Kind: FewerCopies, N: n}
		for _, a := range p.Accounts {
			if a.Wanted > n {
				c.Accounts = append(c.Accounts, a.ID)
			}
		}
		if c.helps(p) {
			return []Change{c}
		}
	}
	return nil
}
