package place

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one that makes a plan possible.
type Change struct {
	Kind ChangeKind
	// N is how many keys more, how many accounts fewer, or how many copies instead.
	N int
	// Keys are the new ones: where they are to be and what they have to be able to do; each is as large as the largest there is.
	Keys []Key
	// Accounts are those to leave as they are, or to have fewer copies of.
	Accounts []string
}

// ChangeKind says what is changed.
type ChangeKind string

// The kinds of changes.
const (
	// MoreKeys: N more keys.
	MoreKeys ChangeKind = "more_keys"
	// FewerAccounts: no new copies of N accounts.
	FewerAccounts ChangeKind = "fewer_accounts"
	// FewerCopies: N copies of accounts of which more were wished for.
	FewerCopies ChangeKind = "fewer_copies"
	// AnySite and AnyHolder: copies of one account may be in one place.
	AnySite   ChangeKind = "any_site"
	AnyHolder ChangeKind = "any_holder"
)

// elsewhere begins the name of a place where no key is yet; no person can have given such a name.
const elsewhere = "\x00"

// Elsewhere says whether a site or holder of a change's key is one that none of the user's keys has.
func Elsewhere(place string) bool { return strings.HasPrefix(place, elsewhere) }

// Apply returns the problem with the change.
func (c Change) Apply(p Problem) Problem {
	switch c.Kind {
	case MoreKeys:
		p.Keys = slices.Concat(p.Keys, c.Keys)
	case FewerAccounts:
		p.Accounts = limited(p.Accounts, c.Accounts, 0)
	case FewerCopies:
		p.Accounts = limited(p.Accounts, c.Accounts, c.N)
	case AnySite:
		p.Sites = Ignore
	case AnyHolder:
		p.Holders = Ignore
	}
	return p
}

func limited(accounts []Account, names []string, wanted int) []Account {
	accounts = slices.Clone(accounts)
	for i, a := range accounts {
		if slices.Contains(names, a.ID) {
			accounts[i].Wanted = min(a.Wanted, wanted)
		}
	}
	return accounts
}

// String says it in words, without the names of accounts: "one more key at another site".
func (c Change) String() string {
	switch c.Kind {
	case MoreKeys:
		return c.keysWords()
	case FewerAccounts:
		return plural(c.N, "account", "accounts") + " fewer"
	case FewerCopies:
		return fmt.Sprintf("%d copies instead of more, of %s", c.N, plural(len(c.Accounts), "account", "accounts"))
	case AnySite:
		return "copies of one account at one site"
	}
	return "copies of one account with one holder"
}

// keysWords says how many keys, and then, unless it is the same for all, how many of them where.
func (c Change) keysWords() string {
	var kinds []Key
	number := map[Key]int{}
	for _, k := range c.Keys {
		k.ID = ""
		if number[k]++; number[k] == 1 {
			kinds = append(kinds, k)
		}
	}
	words := plural(c.N, "more key", "more keys")
	if len(kinds) == 1 {
		return words + where(kinds[0])
	}
	var parts []string
	for _, k := range kinds {
		parts = append(parts, plural(number[k], "", "")+where(k))
	}
	return words + ": " + strings.Join(parts, ", ")
}

// where describes a new key.
func where(k Key) string {
	words := ""
	switch {
	case k.SHA512 && k.Touch:
		words += " with SHA-512 and touch"
	case k.SHA512:
		words += " with SHA-512"
	case k.Touch:
		words += " with touch"
	}
	return words + at(" at ", k.Site, "site") + at(" with ", k.Holder, "holder")
}

func at(word, name, kind string) string {
	switch {
	case name == "":
		return ""
	case name == elsewhere:
		return word + "another " + kind
	case Elsewhere(name):
		return word + "yet another " + kind
	}
	return word + name
}

func plural(n int, one, many string) string {
	if n == 1 {
		return strings.TrimSpace("one " + one)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, many))
}
