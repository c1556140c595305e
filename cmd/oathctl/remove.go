package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) removeCommand() *cobra.Command {
	var key string
	var force bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Delete an account from one key, or from all",
		Long: `Deletes an account from the key that --key names, else from all. The last proved copy goes only
with --force: nobody can bring it back. A key that is not there is left to "oathctl resume".`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.remove(c.Context(), args[0], key, force) },
	}
	c.Flags().StringVar(&key, "key", "", "delete it from this key only")
	c.Flags().BoolVar(&force, "force", false, "delete even the last proved copy")
	completes(c, map[string]completion{"key": a.completeKey})
	return c
}

func (a *app) remove(ctx context.Context, name, key string, force bool) error {
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	var report api.Report
	err = a.explaining(func(ctx context.Context) (err error) {
		report, err = a.client.Remove(ctx, account.ID, key, force)
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
