package agent

import (
	"strings"
	"unicode"

	"github.com/oathd/oathd/ipc/api"
)

// maxNames is how many names are offered: more than anybody reads.
const maxNames = 100

// AccountNames lists what somebody may be about to type who has typed text: names of accounts that begin with
// it in any case, else that contain it. There are at most 100 of them, in order; of more, the last one is
// among them, so that a shell finds what all have in common.
func (a *Agent) AccountNames(text string) []api.Name {
	v := a.view.Load()
	return names(text, v.accountList, func(acc *accountView) string { return acc.folded }, func(acc *accountView) api.Name {
		n := api.Name{Name: acc.Label(), Note: acc.note()}
		if found, err := v.findAccount(n.Name); err != nil || found != acc || !typable(n.Name) {
			n = api.Name{Name: acc.ID, Note: acc.Label() + " " + n.Note}
		}
		return n
	})
}

// KeyNames is AccountNames for keys, whose names are their labels.
func (a *Agent) KeyNames(text string) []api.Name {
	v := a.view.Load()
	return names(text, v.keyList, func(k *keyView) string { return strings.ToLower(k.Label) }, func(k *keyView) api.Name {
		n := api.Name{Name: k.Label, Note: k.note()}
		if found, err := v.findKey(n.Name); err != nil || found != k || !typable(n.Name) {
			n = api.Name{Name: k.ID, Note: k.Label + ", " + n.Note}
		}
		return n
	})
}

// names finds the things whose folded labels fit the text, and names no more of them than are offered.
func names[T any](text string, things []T, folded func(T) string, name func(T) api.Name) []api.Name {
	text = strings.ToLower(text)
	var fit []T
	for _, matches := range []func(s, part string) bool{strings.HasPrefix, strings.Contains} {
		for _, thing := range things {
			if matches(folded(thing), text) {
				fit = append(fit, thing)
			}
		}
		if len(fit) > 0 {
			break
		}
	}
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
