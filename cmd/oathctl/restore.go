package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) restoreCommand() *cobra.Command {
	var w withFlag
	var r api.RestoreRequest
	c := &cobra.Command{
		Use:   "restore --to KEY [NAME…]",
		Short: "Write accounts from the escrow to keys",
		Long: `Writes accounts from the escrow to keys, several at once if --to names several, and has each key prove
its copies. Without a NAME it is all that the keys should hold: what lacks copies since a key was lost,
spread over them, or, if nothing lacks any, one more copy of everything. What is there already is left,
so it may be repeated. The keys have to be adopted.`,
		RunE: func(c *cobra.Command, args []string) error {
			r.Accounts = args
			return a.restore(c.Context(), w, r)
		},
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeAccounts,
	}
	w.add(c)
	c.Flags().StringSliceVar(&r.To, "to", nil, "the keys to write to")
	completes(c, map[string]completion{"to": a.completeKeyList})
	return c
}

func (a *app) restore(ctx context.Context, w withFlag, r api.RestoreRequest) error {
	if len(r.To) == 0 {
		return usagef("oathctl restore --to KEY", "cannot restore to no key: --to names one")
	}
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	r.Opener, r.WaitSeconds = open.Opener, a.wait.seconds(a.term.asks)
	return a.follow(ctx, ", was there before", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		return a.client.Restore(ctx, r, open.secret, step)
	})
}
