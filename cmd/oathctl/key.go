package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Adopt a key, name it, say where it is, empty it, lose it",
		a.adoptCommand(),
		a.valueCommand("label KEY LABEL", "Give a key another name", a.client.SetLabel),
		a.valueCommand("site KEY SITE", "Say where a key is kept", a.client.SetSite),
		a.valueCommand("holder KEY NAME", "Say who has a key", a.client.SetHolder),
		a.enrollCommand(), a.lostCommand(), a.resetCommand())
}

func (a *app) adoptCommand() *cobra.Command {
	var r api.AdoptRequest
	c := &cobra.Command{
		Use:               "adopt KEY",
		Short:             "Take a key into the ledger, so that it may be written to",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeKey(c.Context(), func(ctx context.Context) (api.Key, error) { return a.client.Adopt(ctx, args[0], r) })
		},
	}
	c.Flags().StringVar(&r.Label, "label", "", "what you call it (default: its model and serial number)")
	c.Flags().StringVar(&r.Site, "site", "", "where it is kept")
	c.Flags().StringVar(&r.Holder, "holder", "", "who has it")
	return c
}

// valueCommand is a verb that sets one of a key's texts.
func (a *app) valueCommand(use, short string, set func(ctx context.Context, key, value string) (api.Key, error)) *cobra.Command {
	return &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeKeys,
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeKey(c.Context(), func(ctx context.Context) (api.Key, error) { return set(ctx, args[0], args[1]) })
		},
	}
}

// changeKey does something to a key, for which it may have to be plugged in, and shows it.
func (a *app) changeKey(ctx context.Context, change func(context.Context) (api.Key, error)) error {
	var key api.Key
	err := a.untilKey(ctx, a.explaining(func(ctx context.Context) (err error) {
		key, err = change(ctx)
		return err
	}, nil))
	if err != nil {
		return err
	}
	return a.term.answer(key, append(keysTable([]api.Key{key}, time.Now())[1:], attestationWords(key)...))
}

// attestationWords says what its maker says of a key, if anything. Of a key that is a program nobody is to say anything.
func attestationWords(key api.Key) []string {
	told := key.Attestation
	switch {
	case told == nil || key.Soft:
		return nil
	case told.Trouble != "":
		return []string{"nobody known to oathd vouches for it: " + told.Trouble}
	}
	words := "Yubico vouches for it: firmware " + told.Firmware
	if told.Serial != 0 {
		words += fmt.Sprintf(", serial number %d", told.Serial)
	}
	asks := map[[2]bool]string{{true, true}: "PIN and touch", {true, false}: "the PIN, and no touch", {false, true}: "a touch, and no PIN"}
	return []string{words + "; its escrow slot asks for " + cmp.Or(asks[[2]bool{told.PIN, told.Touch}], "neither PIN nor touch")}
}

func (a *app) resetCommand() *cobra.Command {
	var r api.ResetRequest
	var yes bool
	c := &cobra.Command{
		Use:   "reset KEY",
		Short: "Delete every account on a key, and its password",
		Long: `Empties a key's OATH application for good, its password included. It is refused while an account
would be lost that no other key has; --force does it all the same.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE: func(c *cobra.Command, args []string) error {
			return a.reset(c.Context(), args[0], r, yes || r.Force)
		},
	}
	c.Flags().BoolVar(&r.Force, "force", false, "even if accounts are lost that no other key has; asks nothing")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "ask nothing")
	return c
}

func (a *app) reset(ctx context.Context, selector string, r api.ResetRequest, sure bool) error {
	key, err := a.client.Key(ctx, selector)
	if err != nil {
		return err
	}
	if !sure {
		if err := a.confirmReset(ctx, key); err != nil {
			return err
		}
	}
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.Reset(ctx, key.ID, r) })
}

func (a *app) confirmReset(ctx context.Context, key api.Key) error {
	name := keyName(key.Label, key.Soft)
	if !a.term.asks {
		return usagef("--yes says that you are sure", "cannot reset %s: there is no terminal to ask whether you are sure", name)
	}
	sure, err := a.term.confirm(ctx, fmt.Sprintf("Delete %s and the password on %s for good?", count(key.Accounts, "account", "accounts"), name))
	if err == nil && !sure {
		err = &api.Error{Code: api.CodeCanceled, Message: "cannot reset " + name + ": you said no"}
	}
	return err
}
