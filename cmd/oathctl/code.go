package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) codeCommand() *cobra.Command {
	var r api.CodeRequest
	var copies bool
	c := &cobra.Command{
		Use:   "code [NAME]",
		Short: "Print an account's code",
		Long: `Prints the code of an account; without NAME of the only one there is. Where standard output is no
terminal, the bare code is printed, as soon as it is valid, and with --pair the next one on a second line.

With --copy the code goes to the clipboard instead, and out of it when it is no longer valid, unless
something else is in there by then. Most desktops with Wayland let oathctl do that by itself; elsewhere
wl-copy, xclip, xsel and tmux can; without them the terminal is asked to copy (OSC 52), from which nothing
can be taken back.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			r.Account = first(args)
			return a.code(c.Context(), r, copies)
		},
	}
	c.Flags().StringVar(&r.Key, "key", "", "ask this key")
	c.Flags().BoolVar(&r.Fresh, "fresh", false, "a code that was never handed out: wait for the next one if need be")
	c.Flags().BoolVar(&r.Pair, "pair", false, "the next code too, as AWS asks for two in a row")
	c.Flags().IntVar(&r.MinValidity, "min-validity", 0, "a code that stays valid for that many seconds, the next one if need be")
	c.Flags().BoolVar(&copies, "copy", false, "copy it, and take it out of the clipboard at its end")
	completes(c, map[string]completion{"key": a.completeKey})
	return c
}

func (a *app) code(ctx context.Context, r api.CodeRequest, copies bool) error {
	if copies && r.Pair {
		return usagef("", "cannot use both --copy and --pair: the clipboard holds one code")
	}
	code, err := a.askCode(ctx, r)
	if err != nil {
		return err
	}
	for _, w := range code.Warnings {
		a.term.warn(w)
	}
	switch {
	case copies:
		return a.copyCode(ctx, code)
	case a.term.outTTY || a.term.json:
		return a.term.answer(code, codeWords(code, time.Now()))
	}
	if err := a.untilValid(ctx, code); err != nil {
		return err
	}
	return a.term.answer(code, bareWords(code))
}

// askCode asks for a code, for which a key may have to be plugged in or touched, or a time step to begin.
func (a *app) askCode(ctx context.Context, r api.CodeRequest) (code api.Code, err error) {
	if r.MinValidity < 0 {
		return code, usagef("", "cannot use --min-validity %d: it is a number of seconds", r.MinValidity)
	}
	if r.Account == "" {
		if r.Account, err = a.onlyAccount(ctx); err != nil {
			return code, err
		}
	}
	var otherwise func(context.Context)
	if r.Fresh {
		otherwise = func(ctx context.Context) { a.sayNextStep(ctx, r.Account) }
	}
	err = a.untilKey(ctx, a.explaining(func(ctx context.Context) (err error) {
		code, err = a.client.Code(ctx, r)
		return err
	}, otherwise))
	return code, err
}

// sayNextStep tells what a request for a fresh code waits for, if no key is to be touched.
func (a *app) sayNextStep(ctx context.Context, name string) {
	account, err := a.client.Account(ctx, name)
	if err != nil || account.Period <= 0 {
		return // the request itself will say what is wrong
	}
	left := account.Period - int(time.Now().Unix()%int64(account.Period))
	a.term.say(fmt.Sprintf("waiting for a code that was never handed out: the next time step begins in %d s", left))
}

// untilValid waits until a code of the next time step, which the daemon gives when the present one is about to
// end, is one that services accept: whoever gets the bare code cannot know.
func (a *app) untilValid(ctx context.Context, code api.Code) error {
	early := time.Until(code.ValidFrom)
	if code.ValidFrom.IsZero() || early <= 0 {
		return nil
	}
	a.term.say(fmt.Sprintf("waiting for the next time step: the code is valid in %d s", words.Seconds(early)))
	select {
	case <-time.After(early):
		return nil
	case <-ctx.Done():
		return interrupted()
	}
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
