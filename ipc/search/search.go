// Package search owns how accounts are found by the few letters that somebody types into the search of a desktop. It is pure: it
// knows accounts as they were at some moment, touches nothing, and costs little whatever is typed.
package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/ipc/api"
)

const (
	// maxTyped bounds what is typed, in bytes, and maxTerms in words: nobody types more to find an account.
	maxTyped = 64
	maxTerms = 8
	// minLetters is how many letters a word must have before strangers to this program, who search for something else, are shown
	// accounts.
	minLetters = 3
	// maxText bounds what is looked through of an account, in bytes: a name on a key has 64 at most, and an alias may be an ARN.
	maxText = 256
	// maxPlaces bounds how often a term is looked for in one account.
	maxPlaces = 4
)

// Index holds the accounts of one moment. It never changes.
type Index struct{ entries []entry }

// entry is an account as it is searched: issuer, name and alias in lower case, with a separator between them.
type entry struct {
	id, text  string
	available bool
}

const separator = "\x00"

// New makes an index of accounts, which are in the order in which equals are to be found. Those that were superseded are
// left out.
func New(accounts []api.Account) *Index {
	x := &Index{entries: make([]entry, 0, len(accounts))}
	for _, a := range accounts {
		if a.Superseded {
			continue
		}
		text := strings.ToLower(a.Issuer + separator + a.Name + separator + a.Alias)
		x.entries = append(x.entries, entry{a.ID, text[:min(len(text), maxText)], a.Available})
	}
	return x
}

// Hit is an account that was found.
type Hit struct {
	// ID is the account's id.
	ID string
	// Relevance is 1 where a whole issuer, name or alias was typed, and less the less of them.
	Relevance float64
}

// The relevance of a term, by where it stands.
const (
	wholeField    = 1.0
	beginsField   = 0.9
	beginsWord    = 0.7
	anywhere      = 0.4
	keywordAlone  = 0.5
	notPluggedIn  = 0.5 // a factor
	lowestPresent = anywhere
)

// Find returns the accounts that have every term of what is typed, those first of which a code can be had now, then the most
// relevant. With a keyword, which must be what is typed first, one letter is enough, or none; without one, it takes a word of three.
func (x *Index) Find(typed []string, keyword string, limit int) []Hit {
	terms, ok := read(typed, keyword)
	if !ok {
		return nil
	}
	var hits []Hit
	for _, e := range x.entries {
		if r := e.relevance(terms); r > 0 {
			hits = append(hits, Hit{e.id, r})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Relevance, a.Relevance) })
	return hits[:min(len(hits), limit)]
}

// read cuts what is typed into terms, and reports whether it is a search for accounts at all.
func read(typed []string, keyword string) (terms []string, ok bool) {
	length := 0
	for _, t := range typed {
		if length += len(t); length > maxTyped {
			return nil, false
		}
		terms = append(terms, strings.Fields(strings.ToLower(t))...)
	}
	if len(terms) == 0 || len(terms) > maxTerms || slices.ContainsFunc(terms, func(t string) bool { return strings.Contains(t, separator) }) {
		return nil, false
	}
	if keyword != "" {
		return terms[1:], terms[0] == strings.ToLower(keyword)
	}
	return terms, slices.ContainsFunc(terms, func(t string) bool { return utf8.RuneCountInString(t) >= minLetters })
}

// relevance returns how well an account fits, 0 if it lacks a term.
func (e entry) relevance(terms []string) float64 {
	sum := 0.0
	for _, t := range terms {
		r := best(e.text, t)
		if r == 0 {
			return 0
		}
		sum += r
	}
	r := keywordAlone
	if len(terms) > 0 {
		r = sum / float64(len(terms))
	}
	if !e.available {
		// Below all that can be had.
		r *= notPluggedIn * lowestPresent
	}
	return r
}

// best returns the relevance of the term's best place in text.
func best(text, term string) float64 {
	found := 0.0
	for from, n := 0, 0; n < maxPlaces; n++ {
		i := strings.Index(text[from:], term)
		if i < 0 {
			break
		}
		found = max(found, place(text, from+i, from+i+len(term)))
		from += i + len(term)
	}
	return found
}

// place returns the relevance of what stands between two places of text.
func place(text string, from, to int) float64 {
	switch {
	case from > 0 && !boundary(text[:from]):
		return anywhere
	case from > 0 && text[from-1] != separator[0]:
		return beginsWord
	case to == len(text) || text[to] == separator[0]:
		return wholeField
	}
	return beginsField
}

// boundary reports whether a word ends with before.
func boundary(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
