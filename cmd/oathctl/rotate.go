package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/words"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath/otpauth"
)

// rotateOptions are the flags of rotate.
type rotateOptions struct {
	picture      pictureFlags
	to           []string
	done, giveUp bool
}

func (a *app) rotateCommand() *cobra.Command {
	var o rotateOptions
	c := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give an account another seed",
		Long: `Guides through giving an account another seed. The service makes a new one; it is written to the keys
beside the old one; the service is given a code of the new one; only then is the old one removed. The
new seed is an otpauth URI, asked for or read from standard input, or a QR picture, which may be on the
screen. It can be broken off anywhere: run it again to go on, with --done once the service took the code, or with --give-up.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.rotate(c.Context(), args[0], o) },
	}
	f := c.Flags()
	o.picture.add(c)
	f.StringSliceVar(&o.to, "to", nil, "the keys to write it to (default: those that have the account)")
	f.BoolVar(&o.done, "done", false, "the service took the new code: remove the old seed")
	f.BoolVar(&o.giveUp, "give-up", false, "remove the new seed")
	completes(c, map[string]completion{"to": a.completeKeyList})
	return c
}

// check refuses to begin and to end at once, which cobra would not call a mistake in usage.
func (o rotateOptions) check() error {
	n := o.picture.count()
	for _, given := range []bool{o.done, o.giveUp} {
		if given {
			n++
		}
	}
	if n > 1 {
		return usagef("", "cannot use more than one of --done, --give-up, --qr, --screen and --clipboard")
	}
	return nil
}

func (a *app) rotate(ctx context.Context, name string, o rotateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	account, err := a.accountToRotate(ctx, name)
	if err != nil {
		return err
	}
	if o.done || o.giveUp {
		return a.endRotation(ctx, account, o.giveUp)
	}
	if account.Rotating == "" || !a.term.asks || o.picture.count() > 0 {
		if err := a.beginRotation(ctx, account, o); err != nil {
			return err
		}
	}
	if !a.term.asks {
		a.term.say("next: give the service a code of \""+account.Label()+" (new)\", then", "oathctl rotate "+account.ID+" --done")
		return nil
	}
	return a.confirmRotation(ctx, account)
}

// accountToRotate finds an account although the one that has its next seed is called nearly the same.
func (a *app) accountToRotate(ctx context.Context, name string) (api.Account, error) {
	account, err := a.client.Account(ctx, name)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != api.CodeAmbiguous || len(e.Candidates) != 2 {
		return account, err
	}
	for i, c := range e.Candidates {
		this, failed := a.client.Account(ctx, c.ID)
		if failed == nil && this.Rotating == e.Candidates[1-i].ID {
			return this, nil
		}
	}
	return account, err
}

// beginRotation writes the new seed beside the old one.
func (a *app) beginRotation(ctx context.Context, account api.Account, o rotateOptions) error {
	if a.term.asks {
		a.term.say("At the service, have a new secret made for " + account.Label() + "; do not confirm it there yet.")
	}
	entries, err := a.newSeed(ctx, o)
	if err != nil {
		return err
	}
	defer wipe(entries)
	if len(entries) != 1 {
		return usagef("", "cannot rotate %s: there are %d new seeds", account.Label(), len(entries))
	}
	e := entries[0]
	r := api.RotateRequest{To: o.to, WaitSeconds: a.wait.seconds(a.term.asks), New: api.NewAccount{
		Type: e.Account.Type.String(), Algorithm: e.Account.Algorithm.String(), Digits: e.Account.Digits, Period: e.Account.Period, Counter: e.Counter,
	}}
	return a.follow(ctx, ", was there before", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		return a.client.Rotate(ctx, account.ID, r, e.Seed, step)
	})
}

func (a *app) newSeed(ctx context.Context, o rotateOptions) ([]otpauth.Entry, error) {
	if o.picture.count() > 0 {
		return a.readPicture(ctx, o.picture, nil)
	}
	return a.readURIs(ctx, nil)
}

// confirmRotation shows the code that the service wants to see, and ends the rotation if it took it.
func (a *app) confirmRotation(ctx context.Context, account api.Account) error {
	account, err := a.client.Account(ctx, account.ID)
	if err != nil {
		return err
	}
	code, err := a.askCode(ctx, api.CodeRequest{Account: account.Rotating})
	if err != nil {
		return err
	}
	a.term.tell(words.Code(code, time.Now())...)
	taken, err := a.term.confirm(ctx, "Give the service this code. Did it take it?")
	if err != nil {
		return err
	}
	if !taken {
		a.term.say("both seeds stay on the keys; run the command again to go on, or with --give-up")
		return ended(exitPartly)
	}
	return a.endRotation(ctx, account, false)
}

func (a *app) endRotation(ctx context.Context, account api.Account, giveUp bool) error {
	var report api.Report
	err := a.explaining(func(ctx context.Context) (err error) {
		report, err = a.client.RotateEnd(ctx, account.ID, api.RotateEndRequest{GiveUp: giveUp})
		return err
	}, nil)(ctx)
	if err != nil {
		return err
	}
	if err := a.term.answer(report, append(reportWords(report, ""), endWords(account, giveUp, report.Complete))); err != nil {
		return err
	}
	return reportError(report)
}

// endWords tells which seed stays, and whether the other one is gone from all keys.
func endWords(account api.Account, giveUp, complete bool) string {
	words, other := account.Label()+" has its new seed; ", "the old one"
	if giveUp {
		words, other = account.Label()+" keeps its old seed; ", "the new one"
	}
	if complete {
		return words + other + " is removed"
	}
	return words + "\"oathctl resume\" removes " + other + " where it still is"
}
