package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// maxRunbook bounds a runbook in bytes, as the daemon does.
const maxRunbook = 64 << 10

func (a *app) runbookCommand() *cobra.Command {
	var w withFlag
	c := &cobra.Command{
		Use:   "runbook NAME",
		Short: "Show how to get back into an account without a key",
		Long: `Shows what "oathctl runbook set" has written down about an account. It is in the escrow, encrypted like
a seed, so the escrow has to be opened for it. For an account at AWS it says what is missing.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.runbook(c.Context(), w, args[0]) },
	}
	w.add(c)
	c.AddCommand(a.runbookSetCommand())
	return c
}

func (a *app) runbook(ctx context.Context, w withFlag, name string) error {
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	var text *oath.Secret
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		text, err = a.client.Runbook(ctx, account.ID, api.RunbookRequest{Opener: open.Opener}, open.secret)
		return err
	})
	if err != nil {
		return err
	}
	defer text.Wipe()
	missing := missingFacts(account, text.Bytes())
	shown := runbookText{account.ID, account.Label(), account.RunbookAt, string(text.Bytes()), missing}
	if err := a.term.answer(shown, strings.Split(strings.TrimSuffix(shown.Text, "\n"), "\n")); err != nil {
		return err
	}
	a.warnMissing(missing)
	return nil
}

func (a *app) warnMissing(names []string) {
	if words := missingWords(names); words != "" {
		a.term.warn(words)
	}
}

func (a *app) runbookSetCommand() *cobra.Command {
	var forget bool
	c := &cobra.Command{
		Use:   "set NAME",
		Short: "Write down how to get back into an account without a key",
		Long: `Reads from standard input how to get back into an account without a key, and puts it into the escrow,
which stays locked. It replaces what was there; saying it again says that it is still true. What AWS
asks its root users for is asked for by name at a terminal, and missed where it is not told.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.setRunbook(c.Context(), args[0], forget) },
	}
	c.Flags().BoolVar(&forget, "forget", false, "forget what was written down")
	return c
}

func (a *app) setRunbook(ctx context.Context, name string, forget bool) error {
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	text := oath.NewSecret(0)
	if !forget {
		if text, err = a.readRunbook(ctx, account); err != nil {
			return err
		}
	}
	defer text.Wipe()
	if text.Len() == 0 && !forget {
		return badInput("--forget deletes what was there", "cannot write down nothing")
	}
	missing := missingFacts(account, text.Bytes())
	if account, err = a.client.SetRunbook(ctx, account.ID, text); err != nil {
		return err
	}
	if forget {
		return a.term.answer(account, []string{account.Label() + ": forgotten"})
	}
	if err := a.term.answer(account, []string{account.Label() + ": written down"}); err != nil {
		return err
	}
	a.warnMissing(missing)
	return nil
}

// readRunbook reads what is to be written down, the caller's to wipe; at a terminal it says what is worth it, and asks.
func (a *app) readRunbook(ctx context.Context, account api.Account) (*oath.Secret, error) {
	facts := oath.NewSecret(0)
	if a.term.asks && isAWS(account) {
		var err error
		if facts, err = a.askFacts(ctx, account); err != nil {
			return nil, err
		}
	}
	defer facts.Wipe()
	if a.term.asks {
		a.term.say(runbookQuestions(account)...)
	}
	rest, err := readAll(a.term.in, maxRunbook-facts.Len())
	if err != nil {
		return nil, badInput("", "cannot read standard input: %w", err)
	}
	defer rest.Wipe()
	text := oath.NewSecret(facts.Len() + rest.Len())
	copy(text.Bytes()[copy(text.Bytes(), facts.Bytes()):], rest.Bytes())
	return text, nil
}

// runbookQuestions says what is worth writing down.
func runbookQuestions(account api.Account) []string {
	return []string{
		"Write how to get back into " + account.Label() + " without a key, and end with Ctrl-D:",
		"  where its recovery codes are; the registered e-mail address and telephone; the support page; when",
		"  you last confirmed that all of it is true",
	}
}
