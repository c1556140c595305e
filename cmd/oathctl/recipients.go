package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func (a *app) recipientsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "recipients",
		Short: "List what opens the escrow, add to it, take out of it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := a.client.Escrow(c.Context())
			if err != nil {
				return err
			}
			return a.term.answer(recipients{e.Recipients}, recipientsTable(e.Recipients, time.Now()))
		},
	}
	c.AddCommand(a.recipientsAddCommand(), a.recipientsRemoveCommand())
	return c
}

// addOneOptions name the recipient to add: one of the three.
type addOneOptions struct {
	key, paper, name string
	passphrase       bool
}

func (o addOneOptions) check() error {
	n := 0
	for _, given := range []bool{o.key != "", o.paper != "", o.passphrase} {
		if given {
			n++
		}
	}
	if n != 1 {
		return usagef("oathctl escrow recipients add --help", "cannot add %d recipients: give one of --key, --paper and --passphrase", n)
	}
	return nil
}

func (a *app) recipientsAddCommand() *cobra.Command {
	var w withFlag
	var o addOneOptions
	c := &cobra.Command{
		Use:   "add",
		Short: "Let something more open the escrow",
		Long: `Lets one thing more open the escrow: an enrolled key, a new recovery paper, or a passphrase. The
escrow has to be opened for it. Secrets are asked for, or read from standard input, a line each:
what opens it first, then a new passphrase.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.addRecipient(c.Context(), w, o) },
	}
	w.add(c)
	f := c.Flags()
	f.StringVar(&o.key, "key", "", "an enrolled security key that is plugged in")
	f.StringVar(&o.paper, "paper", "", "a new recovery paper, written to this new FILE")
	f.StringVar(&o.name, "name", "recovery paper", "what you call the paper")
	f.BoolVar(&o.passphrase, "passphrase", false, "a passphrase")
	completes(c, map[string]completion{"key": a.completeKey, "paper": completeFiles})
	return c
}

func (a *app) addRecipient(ctx context.Context, w withFlag, o addOneOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	var pass *oath.Secret
	if o.passphrase {
		if pass, err = p.newPassphrase(ctx); err != nil {
			return err
		}
		defer pass.Wipe()
	}
	r := api.EscrowAddRequest{Opener: open.Opener, Key: o.key}
	if o.paper != "" {
		r.Recovery = o.name
	}
	m, err := a.make(ctx, o.paper, func(ctx context.Context) (api.Escrow, *oath.Secret, error) {
		return a.client.EscrowAdd(ctx, r, open.secret, pass)
	})
	if err != nil {
		return err
	}
	return a.term.answer(m, m.words(time.Now()))
}

func (a *app) recipientsRemoveCommand() *cobra.Command {
	var w withFlag
	c := &cobra.Command{
		Use:   "remove RECIPIENT…",
		Short: "Let something open the escrow no longer",
		Long: `Takes keys, papers or the passphrase out of what opens the escrow, by their names. The escrow gets a
new key and all in it is encrypted again; older backups still open with what is taken out, so the
seeds in them count as exposed. Secrets are asked for, or read from standard input, a line each:
what opens it first, then the escrow's passphrase if it has one that stays.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.removeRecipients(c.Context(), w, args) },
	}
	w.add(c)
	return c
}

func (a *app) removeRecipients(ctx context.Context, w withFlag, gone []string) error {
	p := &prompts{a: a}
	defer p.close()
	open, err := a.opener(ctx, w, p)
	if err != nil {
		return err
	}
	defer open.wipe()
	pass, err := a.keptPassphrase(ctx, open, p, gone...)
	if err != nil {
		return err
	}
	defer pass.Wipe()
	var e api.Escrow
	err = a.opened(ctx, func(ctx context.Context) (err error) {
		e, err = a.client.EscrowRemove(ctx, api.EscrowRemoveRequest{Opener: open.Opener, Recipients: gone}, open.secret, pass)
		return err
	})
	if err != nil {
		return err
	}
	return a.term.answer(e, escrowWords(e, time.Now()))
}
