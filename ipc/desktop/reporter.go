package desktop

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// reporter makes notices of what happens to keys.
type reporter struct {
	board *board
	keys  Keys
	// fresh is the id of the key that the notice about a new key is about; told has those that there was one about.
	fresh string
	told  map[string]bool
}

const (
	// maxTold bounds how many keys are remembered as told of.
	maxTold = 100
	// maxLines and maxWord bound what is shown: names come from keys and programs of strangers.
	maxLines = 5
	maxWord  = 80
)

// report shows what an event has changed.
func (r *reporter) report(e api.Event) {
	switch e.Kind {
	case api.EventTouchWanted, api.EventTouchDone:
		r.touches()
	case api.EventSkipped:
		r.touches()
		r.known()
	case api.EventKeyIn:
		r.meet(e.Key)
	case api.EventKeyOut, api.EventKeyChanged:
		r.known()
	case api.EventMismatch:
		r.board.put(mismatch, &notice{
			title: "A copy no longer matches", urgent: true,
			body: fmt.Sprintf("%s on %s answers with another seed than before.\n\"oathctl coverage\" shows what that means.", word(e.Label), word(e.KeyLabel)),
		})
	}
}

// meet tells of a key that nobody has adopted, once.
func (r *reporter) meet(id string) {
	k, err := r.keys.Key(id)
	if err != nil || k.State != api.KeySeen || k.Trouble != "" || r.told[id] {
		return
	}
	if len(r.told) == maxTold {
		clear(r.told)
	}
	r.told[id], r.fresh = true, id
	r.board.put(newKey, &notice{
		title: "New security key: " + word(k.Label),
		body:  fmt.Sprintf("It gives codes, and is not written to before you adopt it:\noathctl key adopt %s", word(k.Label)),
	})
}

// known takes the notice about a new key away when the key is adopted, or gone.
func (r *reporter) known() {
	if r.fresh == "" {
		return
	}
	if k, err := r.keys.Key(r.fresh); err != nil || !k.Present || k.State != api.KeySeen {
		r.fresh = ""
		r.board.put(newKey, nil)
	}
}

// touches shows which keys wait for a finger, and who waits for them.
func (r *reporter) touches() {
	list := r.keys.Touches()
	if len(list) == 0 {
		r.board.put(touchWanted, nil)
		return
	}
	n := &notice{lasting: true}
	var keys, lines []string
	var stops []func()
	for _, t := range list {
		key := word(t.KeyLabel)
		keys = append(keys, key)
		lines = append(lines, purpose(t))
		if t.Stop != nil {
			stops = append(stops, t.Stop)
		}
	}
	n.title, n.body = "Touch "+strings.Join(shorten(keys), " and "), strings.Join(shorten(lines), "\n")
	if len(stops) > 0 {
		n.action = "Stop waiting"
		n.do = func() {
			for _, stop := range stops {
				stop()
			}
		}
	}
	r.board.put(touchWanted, n)
}

// purpose says what a key is to be touched for, and for whom.
func purpose(t agent.Touch) string {
	var who []string
	for _, name := range t.Waiting {
		name, _, _ = strings.Cut(name, " (uid ")
		who = append(who, word(name))
	}
	slices.Sort(who)
	who = shorten(slices.Compact(who))
	if t.Label == "" {
		return "for " + strings.Join(who, ", ")
	}
	return word(t.Label) + ", for " + strings.Join(who, ", ")
}

// shorten cuts a list to as many as are read.
func shorten(list []string) []string {
	if len(list) <= maxLines {
		return list
	}
	return append(list[:maxLines:maxLines], fmt.Sprintf("%d more", len(list)-maxLines))
}

// word makes a stranger's name fit to be shown: one line, of a bounded length.
func word(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "�"))
	if runes := []rune(name); len(runes) > maxWord {
		name = string(runes[:maxWord]) + "…"
	}
	return name
}
