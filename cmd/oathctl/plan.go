package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) planCommand() *cobra.Command {
	var r api.PlanRequest
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what to write where, so that every account has its copies in different places",
		Long: `Says what to write to which key, so that every account has as many copies as are wanted, on few keys,
with few moves, and no two of them at one site or with one holder ("oathctl key site", "holder").
Nothing is changed: "oathctl restore" and the others carry it out. Where it cannot be done, it says
what would help, and ends with status 7.

Sites and holders are kept apart (never two copies of an account in one place), spread (never all of
them), apart if that costs nothing (prefer), or they make no difference (ignore).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.plan(c.Context(), r) },
	}
	c.Flags().StringVar((*string)(&r.Sites), "sites", string(api.ApartAlways), "how sites matter: apart, spread, prefer, ignore")
	c.Flags().StringVar((*string)(&r.Holders), "holders", string(api.ApartAlways), "how holders matter: apart, spread, prefer, ignore")
	c.Flags().IntVar(&r.Copies, "copies", 0, "how many copies each account is to have; else as many as are wanted of it")
	c.Flags().StringSliceVar(&r.Without, "without", nil, "keys to do without, as if they were lost")
	rules := completeWords("apart", "spread", "prefer", "ignore")
	completes(c, map[string]completion{"sites": rules, "holders": rules, "without": a.completeKeyList})
	return c
}

func (a *app) plan(ctx context.Context, r api.PlanRequest) error {
	p, err := a.client.Plan(ctx, r)
	if err != nil {
		return err
	}
	if err := a.term.answer(p, planLines(p, a.term.columns)); err != nil {
		return err
	}
	if len(p.Unmet) > 0 {
		return ended(exitPartly)
	}
	return nil
}

// planLines lists the steps key by key, what cannot be done, and what would help.
func planLines(p api.Plan, columns int) []string {
	if len(p.Steps)+len(p.Unmet) == 0 {
		return []string{ink.Paint(ink.Green, "Nothing to do: every account has its copies, in different places.")}
	}
	var lines []string
	for i, s := range p.Steps {
		if i == 0 || p.Steps[i-1].Kind != s.Kind || p.Steps[i-1].Key != s.Key {
			lines = append(lines, stepsHead(s))
		}
		lines = append(lines, "  "+s.Label)
	}
	for _, reason := range planReasons {
		lines = append(lines, lacking(p.Unmet, reason.of, reason.words, columns)...)
	}
	lines = append(lines, helps(p.Helps, columns)...)
	return append(lines, "", planSummary(p))
}

// stepsHead says what is to be done with the accounts below it, and by which command.
func stepsHead(s api.PlanStep) string {
	head, command := "Prove on "+s.KeyLabel+":", "oathctl verify NAME --touch --key "+s.KeyLabel
	switch s.Kind {
	case api.PlanPut:
		head, command = "Write to "+s.KeyLabel+":", "oathctl restore --to "+s.KeyLabel+" NAME…"
	case api.PlanRemove:
		head, command = "Then remove from "+s.KeyLabel+":", "oathctl remove NAME --key "+s.KeyLabel
	}
	return ink.Paint(ink.Bold, head) + "  " + ink.Paint(ink.Dim, command)
}

// planReasons are the words for what accounts lack.
var planReasons = []struct {
	of    api.PlanReason
	words string
}{
	{api.LacksSeed, "Nobody has the seed but the keys, so that no copy can be made; add it from where it is kept, or enrol anew at the service:"},
	{api.LacksKeys, "There are too few keys that can hold it:"},
	{api.LacksPlaces, "There are too few sites or holders:"},
	{api.LacksRoom, "There is no room:"},
}

func lacking(unmet []api.PlanUnmet, reason api.PlanReason, why string, columns int) []string {
	var names []string
	for _, u := range unmet {
		if u.Reason == reason {
			names = append(names, fmt.Sprintf("%s (%s missing)", u.Label, count(u.Missing, "copy", "copies")))
		}
	}
	if len(names) == 0 {
		return nil
	}
	lines := []string{""}
	for _, line := range ink.Wrap(why, columns) {
		lines = append(lines, ink.Paint(ink.Yellow, line))
	}
	for _, name := range names {
		lines = append(lines, "  "+name)
	}
	return lines
}

// helps lists what would help, each with the accounts that it concerns.
func helps(changes []api.PlanChange, columns int) []string {
	if len(changes) == 0 {
		return nil
	}
	lines := []string{"", ink.Paint(ink.Bold, "What would help, any one of these:")}
	for _, c := range changes {
		text := c.Words
		if len(c.Accounts) > 0 {
			text += ": " + some(c.Accounts, columns-4-ink.Width(text))
		}
		for i, line := range ink.Wrap(text, columns-4) {
			lines = append(lines, [...]string{"  - ", "    "}[min(i, 1)]+line)
		}
	}
	return lines
}

// planSummary counts.
func planSummary(p api.Plan) string {
	n := map[api.PlanStepKind]int{}
	for _, s := range p.Steps {
		n[s.Kind]++
	}
	var parts []string
	for _, kind := range []struct {
		of    api.PlanStepKind
		words string
	}{{api.PlanProve, "to prove"}, {api.PlanPut, "to write"}, {api.PlanRemove, "to remove"}} {
		if n[kind.of] > 0 {
			parts = append(parts, count(n[kind.of], "copy", "copies")+" "+kind.words)
		}
	}
	parts = append(parts, count(p.Keys, "key holds", "keys hold")+" them then.")
	return strings.Join(parts, ", ")
}
