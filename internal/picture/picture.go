// Package picture draws a coverage for people who are not at a terminal: as one HTML page, to be looked at, printed or
// read aloud, and as an SVG drawing. Both are made of the coverage alone, need nothing from elsewhere, follow the reader's
// light or dark, and hold no secret, since a coverage has none. Names in them come from keys and are foreign.
package picture

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// mark is how a copy's state is drawn and said.
type mark struct {
	// class is its colour; path is drawn in a field of 16 × 16, none for a state of a later version.
	class, path, words string
}

// marks are told apart by their shape too.
var marks = map[api.CopyState]mark{
	api.CopyProved:   {"good", "M3.5 8.5l3 3 6-7", "proved"},
	api.CopyWritten:  {"good", "M2.5 5l2.5 6.5 3-6 3 6 2.5-6.5", "written, HOTP can't be proved"},
	api.CopyUnproven: {"warn", "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.8-1.1 1.6M8 12.4v.1", "there, not proved"},
	api.CopyPending:  {"warn", "M8 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 1 1 0-9z", "begun, not known to be there"},
	api.CopyMissing:  {"bad", "M4 4l8 8M12 4l-8 8", "no longer there"},
	api.CopyMismatch: {"bad", "M3.5 6.2h9M3.5 9.8h9M10.5 3.5l-5 9", "answers with another seed"},
}

// legend is the order in which the states are explained.
var legend = []api.CopyState{api.CopyProved, api.CopyWritten, api.CopyUnproven, api.CopyPending, api.CopyMissing, api.CopyMismatch}

// noCopy is a field without a copy.
var noCopy = mark{"none", "M8 8h.01", "no copy"}

// fate is how a risk is said.
type fate struct{ class, words string }

// longestRisk is how long a word for a risk may be that a later version sent.
const longestRisk = 20

var fates = map[api.Risk]fate{
	api.RiskSafe:     {"good", "safe"},
	api.RiskOneLoss:  {"warn", "one copy"},
	api.RiskUnproven: {"warn", "not proved"},
	api.RiskNoCopy:   {"bad", "no copy"},
	api.RiskHOTP:     {"warn", "HOTP"},
	api.RiskOnlySoft: {"warn", "soft only"},
	api.RiskEscrow:   {"warn", "in escrow"},
}

// fateOf says how an account would fare.
func fateOf(row api.CoverageRow) fate {
	if row.Account.Superseded {
		return fate{"none", "superseded"}
	}
	if f, known := fates[row.Risk]; known {
		return f
	}
	return fate{"warn", ink.Shorten(clean(string(row.Risk)), longestRisk)}
}

// copyOn returns the account's copy on a key. Several credentials can hold the same seed: the best counts.
func copyOn(a api.Account, key string) (best api.Copy, there bool) {
	for _, c := range a.Copies {
		if c.Key == key && (!there || c.State == api.CopyProved) {
			best, there = c, true
		}
	}
	return best, there
}

// markOf returns how the account's copy on a key is drawn, and what there is to say of it.
func markOf(a api.Account, key string) (m mark, words string) {
	c, there := copyOn(a, key)
	if !there {
		return noCopy, noCopy.words
	}
	m, known := marks[c.State]
	if !known {
		m = mark{class: "warn", words: string(c.State)}
	}
	words = m.words
	if !c.ProvedAt.IsZero() {
		words = fmt.Sprintf("%s, last proved %s", words, day(c.ProvedAt))
	}
	if c.Touch {
		words += ", asks for a touch"
	}
	return m, words
}

// used says whether a state occurs.
func used(c api.Coverage, state api.CopyState) bool {
	for _, row := range c.Rows {
		for _, copy := range row.Account.Copies {
			if copy.State == state {
				return true
			}
		}
	}
	return false
}

// about is what there is to say of a key beside its name: where it is, who has it, and what is wrong with it.
func about(k api.Key) []string {
	words := []string{k.Site, k.Holder}
	if k.Soft {
		words = append(words, "soft")
	}
	if k.State == api.KeyLost {
		words = append(words, "lost")
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// price is what a loss costs of one kind, with the accounts' ids.
type price struct {
	fate
	accounts []string
}

// costOf says what a loss costs: accounts, what only the escrow would have, or nothing.
func costOf(l api.Loss) []price {
	var list []price
	if n := len(l.Accounts); n > 0 {
		list = append(list, price{fate{"bad", count(n, "account", "accounts")}, l.Accounts})
	}
	if n := len(l.Escrow); n > 0 {
		list = append(list, price{fate{"warn", fmt.Sprintf("%d left to the escrow", n)}, l.Escrow})
	}
	if len(list) == 0 {
		list = append(list, price{fate{"good", "nothing"}, nil})
	}
	return list
}

// lossWords says what is lost: a key, or all keys in a place.
func lossWords(l api.Loss) string {
	if l.Kind == api.LossKey {
		return "key"
	}
	return string(l.Kind) + " of " + count(len(l.Keys), "key", "keys")
}

// todo is a piece of advice with the accounts that it is for.
type todo struct {
	advice   string
	accounts []string
}

// todos gathers the advice, each piece once.
func todos(c api.Coverage) []todo {
	var list []todo
	index := make(map[string]int)
	for _, row := range c.Rows {
		if row.Advice == "" || row.Account.Superseded {
			continue
		}
		i, known := index[row.Advice]
		if !known {
			i = len(list)
			index[row.Advice] = i
			list = append(list, todo{advice: row.Advice})
		}
		list[i].accounts = append(list[i].accounts, row.Account.Label())
	}
	return list
}

// labels finds the accounts' labels by their ids.
func labels(c api.Coverage) map[string]string {
	m := make(map[string]string, len(c.Rows))
	for _, row := range c.Rows {
		m[row.Account.ID] = row.Account.Label()
	}
	return m
}

// verdict is the whole in one sentence.
func verdict(c api.Coverage) fate {
	switch {
	case c.Safe+c.AtRisk == 0:
		return fate{"none", "There are no accounts on adopted keys yet."}
	case c.AtRisk > 0:
		return fate{"warn", fmt.Sprintf("%d of %s safe.", c.Safe, count(c.Safe+c.AtRisk, "account is", "accounts are"))}
	}
	return fate{"good", count(c.Safe, "account", "accounts") + ", all safe: losing one key loses nothing."}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// clean makes a foreign name fit for print: what cannot be seen, what turns the direction of writing, and what no XML
// may hold become visible replacements.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		hidden := unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
		if hidden || r == utf8.RuneError {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
