package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
)

// What is said all over the place goes by short names.
var (
	keyName   = words.Key
	count     = words.Count
	codeWords = words.Code
)

// day writes when something was, as exactly as people need it.
func day(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.IsZero():
		return "never"
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return "today " + t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

// stepWords tells one step of a stream.
func stepWords(s api.Step) []string {
	about := s.KeyLabel
	if s.Label != "" {
		about = s.Label + " on " + s.KeyLabel
	}
	switch s.Kind {
	case api.StepWaitKey:
		return []string{ink.Paint(ink.Bold, plugWords(s)) + "  (Ctrl-C breaks off)"}
	case api.StepWaitTouch:
		return []string{ink.Paint(ink.Bold, "touch "+s.KeyLabel+": it blinks") + forAccount(s.Label)}
	case api.StepWritten:
		return []string{about + ": written"}
	case api.StepProved:
		return []string{about + ": " + ink.Paint(ink.Green, "proved")}
	case api.StepFailed:
		if s.Error == nil {
			return []string{about + ": " + ink.Paint(ink.Red, "failed")}
		}
		return append([]string{about + ": " + ink.Paint(ink.Red, s.Error.Message)}, hintWords("  ", s.Error)...)
	}
	return nil
}

func plugWords(s api.Step) string {
	switch len(s.Candidates) {
	case 0:
		return "plug in " + s.KeyLabel
	case 1:
		return "plug in " + s.Candidates[0]
	}
	return "plug in one of: " + strings.Join(s.Candidates, ", ")
}

func forAccount(label string) string {
	if label == "" {
		return ""
	}
	return "  (for " + label + ")"
}

func hintWords(indent string, e *api.Error) []string {
	if e.Hint == "" {
		return nil
	}
	return []string{indent + ink.Paint(ink.Bold, "hint:") + " " + e.Hint}
}

// reportWords tells what became of each account, and what the loss of a key would cost. existed is said of
// copies that were there before.
func reportWords(r api.Report, existed string) []string {
	var lines []string
	for _, account := range r.Accounts {
		lines = append(lines, accountReportWords(account, existed)...)
	}
	for _, w := range r.Warnings {
		lines = append(lines, ink.Paint(ink.Yellow, "warning:")+" "+w)
	}
	return lines
}

func accountReportWords(r api.AccountReport, existed string) []string {
	lines := []string{headWords(r)}
	var rows [][]string
	for _, o := range r.Outcomes {
		rows = append(rows, []string{"  " + keyName(o.KeyLabel, o.Soft), outcomeWords(o, existed)})
	}
	for i, line := range ink.Table(rows) {
		lines = append(lines, line)
		if e := r.Outcomes[i].Error; e != nil {
			lines = append(lines, hintWords("    ", e)...)
		}
	}
	if missing := r.Wanted - r.Proved; missing > 0 {
		lines = append(lines, ink.Paint(ink.Yellow, "  missing: "+count(missing, "copy", "copies")))
	}
	if len(r.LostWith) > 0 {
		lines = append(lines, ink.Paint(ink.Yellow, "  would be lost with: "+strings.Join(r.LostWith, ", ")))
	}
	for _, w := range r.Warnings {
		lines = append(lines, "  "+ink.Paint(ink.Yellow, "warning:")+" "+w)
	}
	return lines
}

func headWords(r api.AccountReport) string {
	if r.Wanted == 0 {
		return ink.Paint(ink.Bold, r.Label)
	}
	style := ink.Green
	if r.Proved < r.Wanted {
		style = ink.Yellow
	}
	return ink.Paint(ink.Bold, r.Label) + ": " + ink.Paint(style, fmt.Sprintf("%d of %s", r.Proved, count(r.Wanted, "copy", "copies")))
}

func outcomeWords(o api.Outcome, existed string) string {
	switch {
	case o.Error != nil:
		return ink.Paint(ink.Red, o.Error.Message)
	case o.State == api.CopyMissing:
		return "not there any more"
	case o.Existed:
		return stateWords(o.State) + existed
	}
	return stateWords(o.State)
}

// states are the words for what is known of a copy.
var states = map[api.CopyState]struct{ symbol, words, style string }{
	api.CopyProved:   {"✓", "proved", ink.Green},
	api.CopyUnproven: {"?", "there, not proved", ink.Yellow},
	api.CopyWritten:  {"w", "written, HOTP can't be proved", ink.Green},
	api.CopyPending:  {"○", "begun, not known to be there", ink.Yellow},
	api.CopyMissing:  {"✗", "no longer there", ink.Red},
	api.CopyMismatch: {"≠", "answers with another seed", ink.Red},
}

func stateWords(s api.CopyState) string {
	w := states[s]
	return ink.Paint(w.style, w.words)
}
