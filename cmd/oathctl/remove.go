package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) removeCommand() *cobra.Command {
	var key string
	var force, keep bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Delete an account from one key, or from all",
		Long: `Deletes an account from the key that --key names, else from all. The last proved copy goes only
with --force: nobody can bring it back. With --keep it goes from all keys, and its seed stays in the
escrow. A key that is not there is left to "oathctl resume".`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.remove(c.Context(), args[0], key, force, keep) },
	}
	c.Flags().StringVar(&key, "key", "", "delete it from this key only")
	c.Flags().BoolVar(&force, "force", false, "delete even the last proved copy")
	c.Flags().BoolVar(&keep, "keep", false, "leave its seed in the escrow")
	completes(c, map[string]completion{"key": a.completeKey})
	return c
}

func (a *app) remove(ctx context.Context, name, key string, force, keep bool) error {
	if keep && (force || key != "") {
		return usagef("", "cannot use --keep with --key or --force: it is about all keys, and destroys nothing")
	}
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	var report api.Report
	err = a.explaining(func(ctx context.Context) (err error) {
		if keep {
			report, err = a.client.Withdraw(ctx, account.ID)
		} else {
			report, err = a.client.Remove(ctx, account.ID, key, force)
		}
		return err
	}, nil)(ctx)
	if err != nil {
		return err
	}
	if err := a.term.answer(report, reportWords(report, "")); err != nil {
		return err
	}
	return reportError(report)
}
