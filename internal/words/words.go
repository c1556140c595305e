// Package words owns what oathctl's programs call things: keys, codes, events. Styles are internal/ink's.
package words

import (
	"fmt"
	"strings"
	"time"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// Count writes "1 copy", "2 copies", "0 accounts".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Key marks a soft key as such wherever it is named.
func Key(label string, soft bool) string {
	if soft {
		return label + " (soft)"
	}
	return label
}

// Seconds rounds up: "0 s left" would be wrong half a second before the end.
func Seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// Code is what people want to know of a code: how it reads, how long it lives, and what it can be trusted for.
func Code(code api.Code, now time.Time) []string {
	proof := ink.Paint(ink.Green, "proved")
	if !code.Proved {
		proof = ink.Paint(ink.Yellow, "not proved")
	}
	about := fmt.Sprintf("%s · %s · %s", code.Label, Key(code.KeyLabel, code.Soft), proof)
	lines := []string{ink.Paint(ink.Bold, code.Code) + "  " + Validity(code, now) + about}
	if code.Next != "" {
		lines = append(lines, ink.Paint(ink.Bold, code.Next)+"  then")
	}
	return lines
}

// Validity says how long a code lives, or when it begins to, with " · " behind it; nothing of one that is
// counted, for that lives until it is used.
func Validity(code api.Code, now time.Time) string {
	if code.ValidUntil.IsZero() {
		return ""
	}
	if early := code.ValidFrom.Sub(now); early > 0 {
		return fmt.Sprintf("valid in %d s · ", Seconds(early))
	}
	return fmt.Sprintf("%d s left · ", max(0, Seconds(code.ValidUntil.Sub(now))))
}

// eventNames are the words for what happened.
var eventNames = map[api.EventKind]string{
	api.EventKeyIn:        "plugged in",
	api.EventKeyOut:       "pulled out",
	api.EventKeyChanged:   "changed",
	api.EventTouchWanted:  "wants to be touched",
	api.EventTouchDone:    "touched, or given up",
	api.EventAccounts:     "accounts changed",
	api.EventMismatch:     "answers with another seed than before",
	api.EventTrouble:      "trouble",
	api.EventTroubleOver:  "trouble over",
	api.EventSkipped:      "events were missed",
	api.EventHoldToReader: "hold the key to the reader",
}

// Event tells what happened, and when.
func Event(e api.Event) string {
	parts := []string{e.At.Local().Format(time.TimeOnly)}
	if e.KeyLabel != "" {
		parts = append(parts, e.KeyLabel+":")
	}
	name, ok := eventNames[e.Kind]
	if !ok {
		name = string(e.Kind)
	}
	parts = append(parts, name)
	if e.Label != "" {
		parts = append(parts, "("+e.Label+")")
	}
	if len(e.Waiting) > 0 {
		parts = append(parts, "for "+strings.Join(e.Waiting, ", "))
	}
	if e.Message != "" {
		parts = append(parts, "– "+e.Message)
	}
	if e.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("(%d)", e.Skipped))
	}
	return strings.Join(parts, " ")
}
