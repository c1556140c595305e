package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func (a *app) passwordCommand() *cobra.Command {
	return group("password", "The password of a key's OATH application",
		a.passwordVerb("set", "Set a key's password", a.setPassword),
		a.passwordVerb("clear", "Remove a key's password", a.clearPassword),
		a.passwordVerb("unlock", "Give the daemon a key's password, for as long as it runs", a.unlock),
		a.passwordVerb("remember", "Have the desktop's keyring keep the password of a key that is unlocked", a.rememberPassword),
		a.passwordVerb("forget", "Forget a key's password, in the keyring and in the daemon", a.forgetPassword))
}

func (a *app) passwordVerb(verb, short string, do func(ctx context.Context, key string) error) *cobra.Command {
	return &cobra.Command{
		Use:               verb + " KEY",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeKeys,
		RunE:              func(c *cobra.Command, args []string) error { return do(c.Context(), args[0]) },
	}
}

func (a *app) setPassword(ctx context.Context, key string) error {
	password, err := a.newPassword(ctx, key)
	if err != nil {
		return err
	}
	defer password.Wipe()
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.SetPassword(ctx, key, password) })
}

func (a *app) clearPassword(ctx context.Context, key string) error {
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.ClearPassword(ctx, key) })
}

func (a *app) unlock(ctx context.Context, key string) error {
	password, err := a.readPassword(ctx, "Password of "+key)
	if err != nil {
		return err
	}
	defer password.Wipe()
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.Unlock(ctx, key, password) })
}

func (a *app) rememberPassword(ctx context.Context, key string) error {
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.Remember(ctx, key) })
}

// forgetPassword needs no key to be plugged in.
func (a *app) forgetPassword(ctx context.Context, key string) error {
	return a.changeKey(ctx, func(ctx context.Context) (api.Key, error) { return a.client.ForgetPassword(ctx, key) })
}

// newPassword asks twice at a terminal: nobody sees what is typed.
func (a *app) newPassword(ctx context.Context, key string) (*oath.Secret, error) {
	password, err := a.readPassword(ctx, "New password of "+key)
	if err != nil || !a.term.asks {
		return password, err
	}
	again, err := a.readPassword(ctx, "Once more")
	if err != nil {
		password.Wipe()
		return nil, err
	}
	defer again.Wipe()
	if !password.Equal(again) {
		password.Wipe()
		return nil, badInput("", "cannot set the password: the two are not the same")
	}
	return password, nil
}

func (a *app) readPassword(ctx context.Context, what string) (*oath.Secret, error) {
	password, err := a.readSecret(ctx, what, maxPassword)
	if err == nil && password.Len() == 0 {
		return nil, badInput("", "cannot use an empty password")
	}
	return password, err
}
