package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) codeCommand() *cobra.Command {
	var r api.CodeRequest
	c := &cobra.Command{
		Use:   "code [NAME]",
		Short: "Print an account's code",
		Long: `Prints the code of an account; without NAME of the only one there is. Where standard output is no
terminal, the bare code is printed, with --pair the next one on a second line.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			r.Account = first(args)
			return a.code(c.Context(), r)
		},
	}
	c.Flags().StringVar(&r.Key, "key", "", "ask this key")
	c.Flags().BoolVar(&r.Fresh, "fresh", false, "a code that was never handed out: wait for the next one if need be")
	c.Flags().BoolVar(&r.Pair, "pair", false, "the next code too, as AWS asks for two in a row")
	c.Flags().IntVar(&r.MinValidity, "min-validity", 0, "a code that stays valid for that many seconds, the next one if need be")
	completes(c, map[string]completion{"key": a.completeKey})
	return c
}

func (a *app) code(ctx context.Context, r api.CodeRequest) error {
	if r.MinValidity < 0 {
		return usagef("", "cannot use --min-validity %d: it is a number of seconds", r.MinValidity)
	}
	if r.Account == "" {
		var err error
		if r.Account, err = a.onlyAccount(ctx); err != nil {
			return err
		}
	}
	var code api.Code
	err := a.untilKey(ctx, a.explaining(func(ctx context.Context) (err error) {
		code, err = a.client.Code(ctx, r)
		return err
	}))
	if err != nil {
		return err
	}
	for _, w := range code.Warnings {
		a.term.warn(w)
	}
	if a.term.outTTY {
		return a.term.answer(code, codeWords(code, time.Now()))
	}
	return a.term.answer(code, bareWords(code))
}

// onlyAccount returns the id of the only account. With several, they are the candidates of the error.
func (a *app) onlyAccount(ctx context.Context) (string, error) {
	list, err := a.client.Accounts(ctx, "")
	switch {
	case err != nil:
		return "", err
	case len(list) == 1:
		return list[0].ID, nil
	case len(list) == 0:
		return "", &api.Error{Code: api.CodeNotFound, Message: "cannot give a code: there is no account", Hint: "oathctl add writes one to your keys"}
	}
	e := &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("cannot tell which of %d accounts is meant", len(list)), Hint: "oathctl code NAME"}
	for _, account := range list {
		e.Candidates = append(e.Candidates, api.Candidate{ID: account.ID, Label: account.Label()})
	}
	return "", e
}

// bareWords is what programs want.
func bareWords(code api.Code) []string {
	if code.Next != "" {
		return []string{code.Code, code.Next}
	}
	return []string{code.Code}
}

// codeWords is what people want: the code, how long it lives, and what it can be trusted for.
func codeWords(code api.Code, now time.Time) []string {
	proof := ink.Paint(ink.Green, "proved")
	if !code.Proved {
		proof = ink.Paint(ink.Yellow, "not proved")
	}
	about := fmt.Sprintf("%s · %s · %s", code.Label, keyName(code.KeyLabel, code.Soft), proof)
	lines := []string{ink.Paint(ink.Bold, code.Code) + "  " + validityWords(code, now) + about}
	if code.Next != "" {
		lines = append(lines, ink.Paint(ink.Bold, code.Next)+"  then")
	}
	return lines
}

func validityWords(code api.Code, now time.Time) string {
	if code.ValidUntil.IsZero() {
		return "" // HOTP lives until it is used
	}
	if early := code.ValidFrom.Sub(now); early > 0 {
		return fmt.Sprintf("valid in %d s · ", seconds(early))
	}
	return fmt.Sprintf("%d s left · ", max(0, seconds(code.ValidUntil.Sub(now))))
}

// seconds rounds up: "0 s left" would be wrong half a second before the end.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
