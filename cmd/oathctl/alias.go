package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) aliasCommand() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "alias NAME ALIAS",
		Short: "Give an account one more name",
		Long: `Gives an account one more name, in place of the one that it has: a short one to type, or the ARN of an
AWS device. It is asked for before issuer and name are. Keys know nothing of it, and its copies stay as they are.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			if remove == (len(args) == 2) {
				return usagef("oathctl alias NAME ALIAS, or oathctl alias --remove NAME", "cannot tell what the alias is to be")
			}
			return a.alias(c.Context(), args[0], append(args, "")[1])
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "take it away")
	return c
}

func (a *app) alias(ctx context.Context, name, alias string) error {
	account, err := a.client.SetAlias(ctx, name, alias)
	if err != nil {
		return err
	}
	return a.term.answer(account, accountsWords([]api.Account{account}, time.Now())[1:])
}
