package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// addOptions are the flags of add.
type addOptions struct {
	stdin   bool
	picture pictureFlags
	all     bool

	issuer, name   string
	digits, period int
	algorithm      string
	hotp           bool
	counter        uint32

	to     []string
	copies int
	touch  bool
	// given tells a flag that was used from one that has its default.
	given func(flag string) bool
}

func (a *app) addCommand() *cobra.Command {
	var o addOptions
	c := &cobra.Command{
		Use:   "add [-]",
		Short: "Write an account to keys, and prove each copy",
		Long: `Writes accounts to keys, two unless told otherwise, and has each key prove its copy. Unless --to names
them the keys are at different sites and with different holders ("oathctl key site", "holder"), as far
as there are such, and plugged in if these will do. An account comes

  - from a picture of QR codes: oathctl add --qr FILE (PNG, JPEG or WebP), or --clipboard, or
    --screen for what is shown right now
  - from otpauth URIs on standard input, one a line: oathctl add -
  - from its fields: oathctl add --issuer GitHub --name alice; the secret is asked for, or read
    from standard input where that is no terminal

No secret is taken as an argument. --issuer and --name rename an account that is read.`,
		Args: cobra.ArbitraryArgs, // what is given here may be a secret: no error may repeat it
		RunE: func(c *cobra.Command, args []string) error {
			o.given = c.Flags().Changed
			if len(args) > 1 || len(args) == 1 && args[0] != "-" {
				return usagef("oathctl add --help tells the ways", `cannot take an account as an argument, only "-" for standard input`)
			}
			o.stdin = len(args) == 1
			return a.add(c.Context(), o)
		},
	}
	o.addFlags(c)
	completes(c, map[string]completion{"algorithm": completeWords("SHA1", "SHA256", "SHA512"), "to": a.completeKeyList})
	return c
}

func (o *addOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	o.picture.add(c)
	f.BoolVar(&o.all, "all", false, "take all QR codes of the picture without asking")
	f.StringVar(&o.issuer, "issuer", "", "the service")
	f.StringVar(&o.name, "name", "", "the account's name at the service")
	f.IntVar(&o.digits, "digits", 6, "how long its codes are")
	f.IntVar(&o.period, "period", oath.DefaultPeriod, "how long its codes live, in seconds")
	f.StringVar(&o.algorithm, "algorithm", "SHA1", "SHA1, SHA256 or SHA512")
	f.BoolVar(&o.hotp, "hotp", false, "its codes are counted, not timed (HOTP)")
	f.Uint32Var(&o.counter, "counter", 0, "the next counter, with --hotp")
	f.StringSliceVar(&o.to, "to", nil, "write it to these keys")
	f.IntVar(&o.copies, "copies", 0, "write it to that many keys (default 2)")
	f.BoolVar(&o.touch, "touch", false, "each code is to need a touch")
}

// check finds what contradicts itself.
func (o *addOptions) check() error {
	hint := "oathctl add --help tells the ways"
	switch {
	case o.stdin && o.picture.count() > 0:
		return usagef(hint, `cannot read both "-" and a picture`)
	case o.picture.count() > 1:
		return usagef(hint, "cannot read several pictures: give one of --qr, --screen and --clipboard")
	case !o.stdin && o.picture.count() == 0 && o.name == "":
		return usagef(hint, `cannot add nothing: give --qr FILE, --screen, --clipboard, "-" for standard input, or --name`)
	case o.all && o.picture.count() == 0:
		return usagef(hint, "cannot use --all without a picture")
	case o.given("to") && o.given("copies"):
		return usagef("--to says by itself how many copies", "cannot use both --to and --copies")
	case o.given("copies") && o.copies < 1:
		return usagef("", "cannot make %d copies", o.copies)
	}
	for _, flag := range []string{"digits", "period", "algorithm", "hotp", "counter"} {
		if o.given(flag) && (o.stdin || o.picture.count() > 0) {
			return usagef("the otpauth URI says it", "cannot use --%s for an account that is read", flag)
		}
	}
	switch {
	case o.hotp && o.given("period"):
		return usagef("", "cannot use --period with --hotp")
	case o.given("counter") && !o.hotp:
		return usagef("", "cannot use --counter without --hotp")
	}
	return nil
}

func (a *app) add(ctx context.Context, o addOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	entries, err := a.readEntries(ctx, o)
	if err != nil {
		return err
	}
	defer wipe(entries)
	if len(entries) == 0 {
		a.term.say("nothing chosen, nothing added")
		return nil
	}
	if err := a.ensureAdopted(ctx); err != nil {
		return err
	}
	request, seeds := o.request(entries)
	request.WaitSeconds = a.wait.seconds(a.term.asks)
	return a.follow(ctx, ", was there before", func(ctx context.Context, step func(api.Step)) (api.Report, error) {
		return a.client.Add(ctx, request, seeds, step)
	})
}

func (o *addOptions) request(entries []otpauth.Entry) (api.AddRequest, []*oath.Secret) {
	request := api.AddRequest{To: o.to, Copies: o.copies}
	var seeds []*oath.Secret
	for _, e := range entries {
		request.Accounts = append(request.Accounts, api.NewAccount{
			Issuer: e.Account.Issuer, Name: e.Account.Name, Type: e.Account.Type.String(), Algorithm: e.Account.Algorithm.String(),
			Digits: e.Account.Digits, Period: e.Account.Period, Counter: e.Counter, Touch: o.touch,
		})
		seeds = append(seeds, e.Seed)
	}
	return request, seeds
}

// readEntries reads the accounts from where the flags say.
func (a *app) readEntries(ctx context.Context, o addOptions) (entries []otpauth.Entry, err error) {
	switch {
	case o.stdin:
		entries, err = a.readURIs(ctx, o.rename())
	case o.picture.count() > 0:
		entries, err = a.readPicture(ctx, o.picture, o.rename())
	default:
		return a.readFields(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > 1 && o.rename() != nil {
		wipe(entries)
		return nil, usagef("", "cannot give %d accounts one name", len(entries))
	}
	if len(entries) > 1 && !o.stdin && !o.all {
		return a.pick(ctx, entries)
	}
	return entries, nil
}

// rename returns what --issuer and --name do to an account that is read, nil for nothing.
func (o *addOptions) rename() func(*oath.Account) {
	issuer, name := o.given("issuer"), o.given("name")
	if !issuer && !name {
		return nil
	}
	return func(account *oath.Account) {
		if issuer {
			account.Issuer = o.issuer
		}
		if name {
			account.Name = o.name
		}
	}
}

// readFields makes an account of the flags and asks for its secret.
func (a *app) readFields(ctx context.Context, o addOptions) ([]otpauth.Entry, error) {
	account, err := o.account()
	if err != nil {
		return nil, badInput("", "cannot add %q: %w", o.name, err)
	}
	text, err := a.readSecret(ctx, "Secret of "+account.Label(), otpauth.MaxLen)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	if otpauth.Is(text.Bytes()) {
		return nil, badInput("an otpauth URI goes to: oathctl add -", "cannot use the secret: it is an otpauth URI")
	}
	seed, err := otpauth.DecodeSecret(text.Bytes())
	if err != nil {
		return nil, badInput("", "cannot use the secret: %w", err)
	}
	return []otpauth.Entry{{Account: account, Seed: seed, Counter: o.counter}}, nil
}

func (o *addOptions) account() (oath.Account, error) {
	account := oath.Account{Issuer: o.issuer, Name: o.name, Type: oath.TOTP, Digits: o.digits, Period: o.period}
	if o.hotp {
		account.Type, account.Period = oath.HOTP, 0
	}
	var err error
	if account.Algorithm, err = oath.ParseAlgorithm(o.algorithm); err != nil {
		return account, err
	}
	return account, account.Validate()
}

// pick asks which of a picture's codes are meant, and wipes the others.
func (a *app) pick(ctx context.Context, entries []otpauth.Entry) ([]otpauth.Entry, error) {
	var labels []string
	for _, e := range entries {
		labels = append(labels, e.Account.Label())
	}
	if !a.term.asks {
		wipe(entries)
		e := &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("cannot tell which of %d QR codes is meant", len(entries)), Hint: "--all takes all of them"}
		for i, label := range labels {
			e.Candidates = append(e.Candidates, api.Candidate{ID: fmt.Sprint(i + 1), Label: label})
		}
		return nil, e
	}
	a.term.tell(fmt.Sprintf("The picture shows %d accounts:", len(entries)))
	chosen, err := a.term.choose(ctx, "Add which?", labels)
	if err != nil {
		wipe(entries)
		return nil, err
	}
	var picked []otpauth.Entry
	for _, i := range chosen {
		picked = append(picked, otpauth.Entry{Account: entries[i].Account, Seed: entries[i].Seed.Clone(), Counter: entries[i].Counter})
	}
	wipe(entries)
	return picked, nil
}

var errNothingAdopted = &api.Error{
	Code:    api.CodeNotAdopted,
	Message: "cannot add an account: no key is adopted yet, and oathd writes to no other",
	Hint:    "oathctl key adopt KEY",
}

// ensureAdopted asks, at the first add, whether the keys that are plugged in are to be adopted.
func (a *app) ensureAdopted(ctx context.Context) error {
	keys, err := a.client.Keys(ctx)
	if err != nil {
		return err
	}
	var seen []api.Key
	for _, key := range keys {
		if key.State == api.KeyAdopted {
			return nil
		}
		if key.State == api.KeySeen && key.Present {
			seen = append(seen, key)
		}
	}
	if len(seen) == 0 {
		return nil // the daemon says what is missing
	}
	if !a.term.asks {
		e := *errNothingAdopted
		for _, key := range seen {
			e.Candidates = append(e.Candidates, api.Candidate{ID: key.ID, Label: keyName(key.Label, key.Soft)})
		}
		return &e
	}
	return a.adoptSome(ctx, seen)
}

func (a *app) adoptSome(ctx context.Context, seen []api.Key) error {
	var labels []string
	for _, key := range seen {
		labels = append(labels, keyName(key.Label, key.Soft))
	}
	a.term.tell("oathd writes only to keys that you have adopted, and there is none yet. Plugged in are:")
	chosen, err := a.term.choose(ctx, "Adopt which?", labels)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return errNothingAdopted
	}
	var failures error
	for _, i := range chosen {
		key, err := a.client.Adopt(ctx, seen[i].ID, api.AdoptRequest{})
		if err == nil {
			a.term.say(append([]string{keyName(key.Label, key.Soft) + ": adopted"}, attestationWords(key)...)...)
		}
		failures = errors.Join(failures, err)
	}
	return failures
}
