package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) verifyCommand() *cobra.Command {
	var r api.VerifyRequest
	c := &cobra.Command{
		Use:   "verify [NAME]",
		Short: "Have the keys prove their copies now",
		Long: `Has the keys that are plugged in prove that they hold the seeds they should. Accounts that need a
touch are left out without --touch. Where several accounts have one name, --current says which is
the valid one: the one on that key. The others count as superseded.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			r.Account = first(args)
			return a.verify(c.Context(), r)
		},
	}
	c.Flags().StringVar(&r.Key, "key", "", "this key only")
	c.Flags().BoolVar(&r.Touch, "touch", false, "also what needs a touch, one touch each")
	c.Flags().StringVar(&r.Current, "current", "", "the account NAME on this key is the valid one")
	completes(c, map[string]completion{"key": a.completeKey, "current": a.completeKey})
	return c
}

func (a *app) verify(ctx context.Context, r api.VerifyRequest) error {
	if r.Current != "" && r.Account == "" {
		return usagef("oathctl verify NAME --current KEY", "cannot tell which account is the valid one: --current needs its NAME")
	}
	return a.untilKey(ctx, func(ctx context.Context) error {
		return a.follow(ctx, "", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
			return a.client.Verify(ctx, r, step)
		})
	})
}
