package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// planOptions are what plan was asked for.
type planOptions struct {
	api.PlanRequest
	with withFlag
	yes  bool
}

func (a *app) planCommand() *cobra.Command {
	var o planOptions
	c := &cobra.Command{
		Use:   "plan",
		Short: "Give every account its copies in different places",
		Long: `Shows what to write to which key, so that every account has as many copies as are wanted, on few keys,
with few moves, and no two of them at one site or with one holder ("oathctl key site", "holder"). Then
it asks whether to carry it out: the seeds come from the escrow, each copy is proved, and a copy that
moves is removed once the other one is proved. Broken off, "oathctl plan" has the rest. Where it cannot
be done, it says what would help, and ends with status 7.

Sites and holders are kept apart (never two copies of an account in one place), spread (never all of
them), apart if that costs nothing (prefer), or they make no difference (ignore).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.plan(c.Context(), o) },
	}
	o.with.add(c)
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "carry it out, ask nothing")
	c.Flags().StringVar((*string)(&o.Sites), "sites", string(api.ApartAlways), "how sites matter: apart, spread, prefer, ignore")
	c.Flags().StringVar((*string)(&o.Holders), "holders", string(api.ApartAlways), "how holders matter: apart, spread, prefer, ignore")
	c.Flags().IntVar(&o.Copies, "copies", 0, "how many copies each account is to have; else as many as are wanted of it")
	c.Flags().StringSliceVar(&o.Without, "without", nil, "keys to do without, as if they were lost")
	rules := completeWords("apart", "spread", "prefer", "ignore")
	completes(c, map[string]completion{"sites": rules, "holders": rules, "without": a.completeKeyList})
	return c
}

func (a *app) plan(ctx context.Context, o planOptions) error {
	p, err := a.client.Plan(ctx, o.PlanRequest)
	if err != nil {
		return err
	}
	if err := a.term.answer(p, planLines(p, a.term.columns)); err != nil {
		return err
	}
	if len(p.Steps) > 0 {
		err = a.mayApply(ctx, o, p)
	}
	if err == nil && len(p.Unmet) > 0 {
		return ended(exitPartly)
	}
	return err
}

// mayApply carries a plan out, if it is to be.
func (a *app) mayApply(ctx context.Context, o planOptions, p api.Plan) error {
	if !o.yes && (a.term.json || !a.term.asks || !a.term.outTTY) {
		a.term.say("nothing was changed; --yes carries it out")
		return nil
	}
	if !o.yes {
		if yes, err := a.term.confirm(ctx, "Carry it out?"); err != nil || !yes {
			return err
		}
	}
	r := api.ApplyRequest{Plan: o.PlanRequest, ID: p.ID, WaitSeconds: a.wait.seconds(a.term.asks)}
	asking := &prompts{a: a}
	defer asking.close()
	var secret *oath.Secret
	if slices.ContainsFunc(p.Steps, func(s api.PlanStep) bool { return s.Kind == api.PlanPut }) {
		open, err := a.opener(ctx, o.with, asking)
		if err != nil {
			return err
		}
		defer open.wipe()
		r.Opener, secret = &open.Opener, open.secret
	}
	return a.follow(ctx, ", was there before", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		return a.client.Apply(ctx, r, secret, step)
	})
}

// planLines lists the steps key by key, what cannot be done, and what would help.
func planLines(p api.Plan, columns int) []string {
	if len(p.Steps)+len(p.Unmet) == 0 {
		return []string{ink.Paint(ink.Green, "Nothing to do: every account has its copies.")}
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
	if len(p.Steps) == 0 {
		return lines[1:] // without the line between steps and what cannot be done
	}
	return append(lines, "", planSummary(p))
}

// stepsHead says what is to be done with the accounts below it.
func stepsHead(s api.PlanStep) string {
	words := map[api.PlanStepKind]string{api.PlanProve: "Prove on ", api.PlanPut: "Write to ", api.PlanRemove: "Then remove from "}[s.Kind]
	return ink.Paint(ink.Bold, words+s.KeyLabel+":")
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
