package agent

import (
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/oathd/oathd/ipc/api"
)

// maxNames is how many names are offered: more than anybody reads.
const maxNames = 100

// AccountNames lists what somebody may be about to type who has typed text: names of accounts that begin with
// it in any case, else that contain it. There are at most 100 of them, in order; of more, the last one is
// among them, so that a shell finds what all have in common. Then come the aliases that begin so.
func (a *Agent) AccountNames(text string) []api.Name {
	v, text := a.view.Load(), strings.ToLower(text)
	fit := beginning(v.accountList, text)
	if len(fit) == 0 {
		fit = those(v.accountList, func(acc *accountView) bool { return strings.Contains(acc.folded, text) })
	}
	list := names(fit, func(acc *accountView) api.Name {
		n := api.Name{Name: acc.Label(), Note: acc.note()}
		if found, err := v.findAccount(n.Name); err != nil || found != acc || !typable(n.Name) {
			n = api.Name{Name: acc.ID, Note: acc.Label() + " " + n.Note}
		}
		return n
	})
	return append(list, v.aliases(text, maxNames-len(list))...)
}

// aliases are the aliases that begin with folded text, in order and not more than most.
func (v *view) aliases(text string, most int) []api.Name {
	var list []api.Name
	for alias, hits := range v.names()[byAlias] {
		if text != "" && typable(alias) && strings.HasPrefix(strings.ToLower(alias), text) {
			list = append(list, api.Name{Name: alias, Note: hits[0].Label() + " " + hits[0].note()})
		}
	}
	slices.SortFunc(list, func(a, b api.Name) int { return strings.Compare(a.Name, b.Name) })
	return list[:min(len(list), most)]
}

// beginning finds the accounts whose labels begin with folded text. They stand together: the list is in the labels' order.
func beginning(sorted []*accountView, text string) []*accountView {
	from := sort.Search(len(sorted), func(i int) bool { return sorted[i].folded >= text })
	sorted = sorted[from:]
	return sorted[:sort.Search(len(sorted), func(i int) bool { return !strings.HasPrefix(sorted[i].folded, text) })]
}

// KeyNames is AccountNames for keys, whose names are their labels.
func (a *Agent) KeyNames(text string) []api.Name {
	v, text := a.view.Load(), strings.ToLower(text)
	fit := v.keysWith(func(k *keyView) bool { return strings.HasPrefix(strings.ToLower(k.Label), text) })
	if len(fit) == 0 {
		fit = v.keysWith(func(k *keyView) bool { return strings.Contains(strings.ToLower(k.Label), text) })
	}
	return names(fit, func(k *keyView) api.Name {
		n := api.Name{Name: k.Label, Note: k.note()}
		if found, err := v.findKey(n.Name); err != nil || found != k || !typable(n.Name) {
			n = api.Name{Name: k.ID, Note: k.Label + ", " + n.Note}
		}
		return n
	})
}

// names names the things that fit, and no more of them than are offered.
func names[T any](fit []T, name func(T) api.Name) []api.Name {
	if len(fit) > maxNames {
		fit = append(fit[:maxNames-1:maxNames-1], fit[len(fit)-1])
	}
	list := make([]api.Name, len(fit))
	for i, thing := range fit {
		list[i] = name(thing)
	}
	return list
}

// typable reports whether a name can stand in a command line as it is: it is no flag, no blank is lost at its
// ends, and there is nothing in it that no keyboard has.
func typable(name string) bool {
	return name == strings.TrimSpace(name) && !strings.HasPrefix(name, "-") &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
		})
}
