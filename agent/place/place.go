// Package place plans which key holds a copy of which account: enough copies of each, no two of them in one building or with
// one person, no key over its capacity, few keys, and few moves when keys come and go. It computes and does nothing else: the
// same problem gives the same plan, and no step of it leaves an account with fewer proved copies than were wished for.
//
// Three shapes were weighed. A minimum-cost flow from accounts through sites to keys is exact for one kind of place, but two
// kinds at once (sites and holders) are no flow, and neither is the number of keys. An integer program would be exact for
// all of it, and needs a solver. What is here is the flow's own algorithm on the small side of the graph: a copy that finds no room
// looks for the shortest chain of copies, each making room for the one before it, that ends at a key with room. Nodes are keys
// (fifty), not accounts (five hundred); any rule about which copies go together fits in; and where the problem is a flow, it
// finds what the flow would.
package place

import "slices"

// Rule says how strictly the copies of an account are kept in different places, that is, sites or holders. A key whose
// place is not given is taken to be in a place of its own.
type Rule int

// The rules, from the strictest on. Apart and Spread are in force as soon as two keys, lost ones included, are given different
// places: a household that names one holder for all its keys has nothing to keep apart.
const (
	// Apart: never two copies of an account in one place.
	Apart Rule = iota
	// Spread: never all copies of an account in one place. For two copies it is the same as Apart.
	Spread
	// Prefer: apart where that takes neither another key nor a move, as far as that is easy to see.
	Prefer
	// Ignore: places make no difference.
	Ignore
)

// Problem is what there is and what is wished for.
type Problem struct {
	Accounts []Account
	// Keys are in the user's order: of keys that serve as well the first is taken.
	Keys []Key
	// Sites and Holders say how the two kinds of place matter.
	Sites, Holders Rule
}

// Key is one that may hold copies.
type Key struct {
	ID string
	// Capacity is how many credentials it holds, 0 if unknown, which is taken as enough.
	Capacity int
	// Used counts the credentials on it that are no copies of the problem's accounts.
	Used int
	// SHA512 and Touch say what its firmware can do.
	SHA512, Touch bool
	Site, Holder  string
	// Present says that it is plugged in: of keys that serve as well, it is taken first.
	Present bool
	// Soft marks a key that is a program. Beside a real key it neither gets copies nor do those on it count.
	Soft bool
	// Lost says that it is gone with all that was on it.
	Lost bool
}

// Account is one that is to be on keys.
type Account struct {
	ID string
	// Wanted is how many copies are wished for; of an HOTP account never more than one.
	Wanted int
	Copies []Copy
	// SHA512 and Touch say what a key has to be able to do for it.
	SHA512, Touch bool
	// HOTP accounts have one copy, which never moves: a counter lives on one key.
	HOTP bool
	// NoSeed says that nobody has the seed but the keys, so that no copy can be made.
	NoSeed bool
	// Barred names keys that can't take it, e.g. because another account has its name there.
	Barred []string
}

// Copy is an account's credential on a key, at most one for each key.
type Copy struct {
	Key string
	// Proved says that it counts; an HOTP copy that was written counts too.
	Proved bool
}

// Kind says what a step does.
type Kind string

// The kinds of steps.
const (
	// Prove has the key answer for a copy that is there. The plan counts on it; if it fails, plan again.
	Prove Kind = "prove"
	// Put writes a copy and proves it.
	Put Kind = "put"
	// Remove ends a move: it deletes a copy whose successor is there and proved.
	Remove Kind = "remove"
)

// Step is one change to one key. A step is done only when those before it have succeeded.
type Step struct {
	Kind    Kind
	Account string
	Key     string
}

// Reason says what an account lacks.
type Reason string

// The reasons.
const (
	// LacksSeed: the copies could not be made, whatever keys there were.
	LacksSeed Reason = "seed"
	// LacksKeys: too few keys can hold it at all.
	LacksKeys Reason = "keys"
	// LacksPlaces: enough keys can hold it, but at too few sites or with too few holders.
	LacksPlaces Reason = "places"
	// LacksRoom: the keys that could hold it are full.
	LacksRoom Reason = "room"
)

// Unmet is a wish that the plan does not fulfil.
type Unmet struct {
	Account string
	// Missing is how many copies will be missing.
	Missing int
	Reason  Reason
}

// Plan is the way from what there is to what is wished for, as far as there is one.
type Plan struct {
	// Steps are in an order in which each can be done: there is room, and no account is ever left with fewer proved copies
	// than it had or, if it had more, than are wished for.
	Steps []Step
	// Keys counts the keys that will hold copies.
	Keys int
	// Unmet lists what stays undone, in the order of the accounts; Changes says what would help.
	Unmet []Unmet
}

// Complete says that every wish is fulfilled once the steps are done.
func (p Plan) Complete() bool { return len(p.Unmet) == 0 }

// Make plans. It takes milliseconds for hundreds of accounts.
func Make(p Problem) Plan {
	var plan Plan
	s, now := solve(p), p
	for left := -1; s.missing() != left; {
		steps := s.steps()
		plan.Steps = append(plan.Steps, steps...)
		now = now.after(steps)
		// What is removed last leaves room that nothing was planned for yet.
		if left = s.missing(); left > 0 {
			s = solve(now)
		}
	}
	plan.Keys, plan.Unmet = newSolver(now).keysInUse(), s.unmet()
	return plan
}

// after returns the problem as it is once the steps are done.
func (p Problem) after(steps []Step) Problem {
	accounts := make(map[string]*Account, len(p.Accounts))
	p.Accounts = slices.Clone(p.Accounts)
	for i := range p.Accounts {
		accounts[p.Accounts[i].ID] = &p.Accounts[i]
	}
	for _, step := range steps {
		a := accounts[step.Account]
		a.Copies = slices.DeleteFunc(slices.Clone(a.Copies), func(c Copy) bool { return c.Key == step.Key })
		if step.Kind != Remove {
			a.Copies = append(a.Copies, Copy{Key: step.Key, Proved: true})
		}
	}
	return p
}
