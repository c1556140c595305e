package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) lostCommand() *cobra.Command {
	var w withFlag
	var yes bool
	c := &cobra.Command{
		Use:   "lost KEY",
		Short: "Say that a key is lost, and be told what that means",
		Long: `Marks a key as lost, takes it out of what opens the escrow, and says for each account on it whether it
is safe, at risk or lost, and what to revoke where. May be repeated, if the escrow could not be opened
the first time.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return a.lost(c.Context(), w, args[0], yes) },
	}
	w.add(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "ask nothing")
	return c
}

func (a *app) lost(ctx context.Context, w withFlag, selector string, sure bool) error {
	key, err := a.client.Key(ctx, selector)
	if err != nil {
		return err
	}
	if !sure && key.State != api.KeyLost {
		if err := a.confirmLost(ctx, key); err != nil {
			return err
		}
	}
	report, err := a.client.KeyLost(ctx, key.ID, api.LostRequest{}, nil, nil)
	if err != nil {
		return err
	}
	if report.Recipient && (w.value != "" || a.term.asks) {
		a.term.say(report.Key.Label + " is marked as lost. The escrow has to be opened, so that it opens no longer with that key.")
		if err = a.shutOut(ctx, w, &report); err != nil && a.term.json {
			return err // programs read one document
		}
	}
	if told := a.term.answer(report, lostWords(report, a.term.columns)); err != nil || told != nil {
		return cmp.Or(err, told) // what is at risk is told all the same
	}
	if report.Recipient {
		return ended(exitPartly)
	}
	return nil
}

// shutOut takes the lost key out of what opens the escrow, and changes the report if it is out.
func (a *app) shutOut(ctx context.Context, w withFlag, report *api.LostReport) error {
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	pass, err := a.keptPassphrase(ctx, open, p)
	if err != nil {
		return err
	}
	defer pass.Wipe()
	return a.opened(ctx, func(ctx context.Context) error {
		out, err := a.client.KeyLost(ctx, report.Key.ID, api.LostRequest{Opener: &open.Opener}, open.secret, pass)
		if err == nil {
			*report = out
		}
		return err
	})
}

func (a *app) confirmLost(ctx context.Context, key api.Key) error {
	name := keyName(key.Label, key.Soft)
	if !a.term.asks {
		return usagef("--yes says that you are sure", "cannot declare %s lost: there is no terminal to ask whether you are sure", name)
	}
	sure, err := a.term.confirm(ctx, fmt.Sprintf("Declare %s lost, with %s on it?", name, count(key.Accounts, "account", "accounts")))
	if err == nil && !sure {
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot declare " + name + " lost: you said no"}
	}
	return err
}

// lostWords tells how each account fares, and what to do.
func lostWords(r api.LostReport, columns int) []string {
	lines := []string{ink.Paint(ink.Bold, keyName(r.Key.Label, r.Key.Soft)) + " is lost"}
	var rows [][]string
	for _, acc := range r.Accounts {
		rows = append(rows, []string{"  " + acc.Label, ink.Paint(risks[acc.Risk].style, risks[acc.Risk].words)})
	}
	for i, line := range ink.Table(rows) {
		lines = append(lines, line)
		lines = append(lines, indented("    ", r.Accounts[i].Advice, columns)...)
	}
	if len(r.Revoke) > 0 {
		lines = append(lines, ink.Paint(ink.Bold, "to do"))
	}
	for _, what := range r.Revoke {
		item := indented("    ", what, columns)
		item[0] = "  - " + item[0][len("    "):]
		lines = append(lines, item...)
	}
	return append(lines, warningWords(r.Warnings)...)
}

// indented wraps text into lines that begin with a margin.
func indented(margin, text string, columns int) []string {
	lines := ink.Wrap(text, columns-len(margin))
	for i := range lines {
		lines[i] = margin + lines[i]
	}
	return lines
}
