package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) resumeCommand() *cobra.Command {
	var w withFlag
	var r api.ResumeRequest
	c := &cobra.Command{
		Use:   "resume",
		Short: "Finish what was broken off",
		Long: `Looks at everything that was begun and not finished: a pulled key, a crash, a key that was not
there. What landed on a key is proved and kept, renames and removals are carried out. What did not
land needs its seed once more: it is written from the escrow, if --with says what opens it. Without an
escrow add the account again, or drop the attempt with --discard.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.resume(c.Context(), w, r) },
	}
	w.add(c)
	c.Flags().BoolVar(&r.Discard, "discard", false, "drop what can't be finished without its seed")
	return c
}

func (a *app) resume(ctx context.Context, w withFlag, r api.ResumeRequest) error {
	if w.value != "" && r.Discard {
		return usagef("", "cannot use both --with and --discard")
	}
	if w.value != "" {
		return a.resumeWith(ctx, w)
	}
	inEscrow := false
	err := a.resumed(ctx, func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		report, err := a.client.Resume(ctx, r, step)
		inEscrow = lacksOpener(report)
		return report, err
	})
	if !inEscrow || a.term.json || !a.term.asks {
		return err
	}
	if yes, failed := a.term.confirm(ctx, "The escrow has the seeds of what is missing. Open it, and write them?"); failed != nil || !yes {
		return cmp.Or(failed, err)
	}
	return a.resumeWith(ctx, w)
}

// lacksOpener reports whether something was not finished because the escrow was locked.
func lacksOpener(r api.Report) bool {
	return slices.ContainsFunc(r.Accounts, func(acc api.AccountReport) bool {
		return slices.ContainsFunc(acc.Outcomes, func(o api.Outcome) bool {
			return o.State == api.CopyMissing && o.Error != nil && o.Error.Code == api.CodeLocked
		})
	})
}

// resumeWith writes what is missing from the escrow.
func (a *app) resumeWith(ctx context.Context, w withFlag) error {
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	r := api.ResumeRequest{Opener: &open.Opener}
	return a.resumed(ctx, func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		return a.client.ResumeWith(ctx, r, open.secret, step)
	})
}

func (a *app) resumed(ctx context.Context, request streamed) error {
	return a.follow(ctx, "", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		report, err := request(ctx, step)
		if err == nil && len(report.Accounts) == 0 {
			a.term.say("nothing was broken off")
		}
		a.sayRotations(ctx)
		return report, err
	})
}

// sayRotations tells of rotations that are under way: only somebody who knows what the service took can go on with them.
func (a *app) sayRotations(ctx context.Context) {
	list, err := a.client.Accounts(ctx, "")
	if err != nil {
		return // the report says what there is to say
	}
	for _, account := range list {
		if account.Rotating != "" {
			a.term.say(account.Label() + " is getting another seed: \"oathctl rotate " + account.ID + "\" goes on with it")
		}
	}
}
