package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename NAME NEW",
		Short: "Give an account another name, on every key that can",
		Long: `Gives an account another name. NEW is "issuer:name", or a name alone, which keeps the issuer;
":name" takes the issuer away.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.rename(c.Context(), args[0], args[1]) },
	}
}

func (a *app) rename(ctx context.Context, name, to string) error {
	account, err := a.client.Account(ctx, name)
	if err != nil {
		return err
	}
	var report api.Report
	err = a.explaining(func(ctx context.Context) (err error) {
		report, err = a.client.Rename(ctx, account.ID, newName(account, to))
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

// newName splits at the first ':', as otpauth URIs and keys do.
func newName(account api.Account, to string) api.RenameRequest {
	issuer, name, found := strings.Cut(to, ":")
	if !found {
		return api.RenameRequest{Issuer: account.Issuer, Name: to}
	}
	return api.RenameRequest{Issuer: issuer, Name: name}
}
