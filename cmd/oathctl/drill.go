package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func (a *app) drillCommand() *cobra.Command {
	var w withFlag
	c := &cobra.Command{
		Use:   "drill",
		Short: "Try whether the escrow opens, and whether all in it is right",
		Long: `Opens the escrow, opens all that is in it, and compares each seed with what the keys answer. At a
terminal it goes through everything that opens the escrow; --with tries one. The day is kept, and
"oathctl coverage" reminds after 90 days. With --json it prints a line for each.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.drill(c.Context(), w) },
	}
	w.add(c)
	return c
}

// drill tries one recipient, or, if none is named, each that the user has at hand.
func (a *app) drill(ctx context.Context, w withFlag) error {
	e, err := a.escrowThere(ctx)
	if err != nil {
		return err
	}
	if w.value != "" || !a.term.asks {
		o, err := a.chooseOpener(ctx, w)
		if err != nil {
			return err
		}
		return a.drillOne(ctx, o, nil)
	}
	return a.drillEach(ctx, e.Recipients, nil)
}

// drillEach asks which recipients are at hand, but for those that are ready. It goes on after one that failed, and says at once why; its
// exit status is the first one's.
func (a *app) drillEach(ctx context.Context, recipients []api.Recipient, ready openers) error {
	var failure error
	for _, r := range recipients {
		o := openerOf(r)
		secret := ready.secret(o)
		if secret == nil {
			try, err := a.term.confirm(ctx, "Try "+recipientWords(r)+"?")
			if err != nil {
				return err
			}
			if !try {
				continue
			}
		}
		switch err := a.drillOne(ctx, o, secret); {
		case ctx.Err() != nil:
			return err
		case err != nil:
			a.term.fail(err)
			failure = cmp.Or(failure, err)
		}
	}
	if failure != nil {
		return ended(exitStatus(failure))
	}
	return nil
}

// drillOne tries one recipient. It asks for the secret unless that is known, and leaves it to the caller then.
func (a *app) drillOne(ctx context.Context, o api.Opener, secret *oath.Secret) error {
	if secret == nil {
		p := &prompts{a: a}
		defer p.close()
		var err error
		if secret, err = p.secret(ctx, a.openerPrompt(ctx, o)); err != nil {
			return err
		}
		defer secret.Wipe()
	}
	var d api.EscrowDrill
	err := a.opened(ctx, func(ctx context.Context) (err error) {
		d, err = a.client.EscrowDrill(ctx, api.EscrowDrillRequest{Opener: o}, secret)
		return err
	})
	if err != nil {
		return err
	}
	if err := a.term.answer(d, drillWords(d)); err != nil {
		return err
	}
	if len(d.Faults) > 0 {
		return ended(exitProofFailed)
	}
	return nil
}

func drillWords(d api.EscrowDrill) []string {
	lines := []string{d.Recipient.Name + " opens the escrow: " + foundWords(d)}
	for _, f := range d.Faults {
		lines = append(lines, ink.Paint(ink.Red, f.Label+": "+f.Error.Message))
		lines = append(lines, hintWords("  ", f.Error)...)
	}
	if len(d.Untried) > 0 {
		lines = append(lines, ink.Paint(ink.Yellow, "not tried for long: ")+strings.Join(d.Untried, ", "))
	}
	return lines
}

func foundWords(d api.EscrowDrill) string {
	if d.Seeds+d.Runbooks+len(d.Faults) == 0 {
		return "it is empty"
	}
	return fmt.Sprintf("%s, %d of them proved by keys, %d just now; %s",
		count(d.Seeds, "seed", "seeds"), d.Proved, d.Here, count(d.Runbooks, "runbook", "runbooks"))
}
