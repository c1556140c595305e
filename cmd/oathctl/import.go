package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// importOptions are the flags of import.
type importOptions struct {
	picture   pictureFlags
	format    string
	list      bool
	passwords []string
	dryRun    bool
	showURI   bool
	yes       bool

	to     []string
	copies int
	touch  bool
	// given tells a flag that was used from one that has its default.
	given func(flag string) bool
}

func (a *app) importCommand() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import FILE…",
		Short: "Bring everything along from other programs' exports",
		Long: `Reads the accounts in other programs' exports and in pictures of QR codes, shows what would become of
each, and writes those that you agree to, with as many copies as "add" makes, each proved. What a file is
is found out by its content; a directory is a password store (pass), "-" is standard input, and the QR
codes may be on the screen (--screen) or in the clipboard's picture (--clipboard). Nothing is overwritten:
what is there with another seed gets another name, or is left out. It may be repeated: what is there
already stays as it is, so an import that was broken off goes on where it stopped.

Passwords are asked for; where there is no terminal they come from files.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o.given = c.Flags().Changed
			if o.list {
				return a.listFormats(c.Context())
			}
			return a.importFiles(c.Context(), o, args)
		},
		ValidArgsFunction: completeFiles,
	}
	o.addFlags(c)
	completes(c, map[string]completion{"password-file": completeFiles, "to": a.completeKeyList, "format": completeFormats})
	return c
}

func (o *importOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.format, "format", "", "what the files are, if that cannot be found out")
	o.picture.addGrabs(c)
	f.BoolVar(&o.list, "list-formats", false, "list the formats that are read")
	f.StringArrayVar(&o.passwords, "password-file", nil, "a file with the exports' password; of several, each is tried")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would become of each account, and stop")
	f.BoolVar(&o.showURI, "show-uri", false, "with --dry-run: show the otpauth URIs, and with them the seeds")
	f.BoolVar(&o.yes, "yes", false, "ask nothing: do what the table shows")
	f.StringSliceVar(&o.to, "to", nil, "write them to these keys")
	f.IntVar(&o.copies, "copies", 0, "write each to that many keys (default 2)")
	f.BoolVar(&o.touch, "touch", false, "each code is to need a touch")
}

// check finds what contradicts itself.
func (o *importOptions) check(a *app, files []string) error {
	switch {
	case len(files) == 0 && o.picture.count() == 0:
		return usagef("oathctl import FILE…; --list-formats lists what can be read", "cannot import nothing: name a file")
	case o.given("to") && o.given("copies"):
		return usagef("--to says by itself how many copies", "cannot use both --to and --copies")
	case o.given("copies") && o.copies < 1:
		return usagef("", "cannot make %d copies", o.copies)
	case o.showURI && !o.dryRun:
		return usagef("", "cannot use --show-uri without --dry-run")
	case o.showURI && !o.yes && !a.term.asks:
		return usagef("--yes agrees to it", "cannot ask whether the seeds are to be shown")
	case len(o.passwords) > maxPasswordFiles:
		return usagef("import the others on their own", "cannot try more than %d password files", maxPasswordFiles)
	}
	return nil
}

// importFiles reads the files, says what would become of the accounts, and does it.
func (a *app) importFiles(ctx context.Context, o importOptions, files []string) error {
	if err := o.check(a, files); err != nil {
		return err
	}
	p, err := a.readPile(ctx, o, files)
	if err != nil {
		return err
	}
	defer p.wipe()
	if !o.dryRun {
		if err := a.ensureAdopted(ctx); err != nil {
			return err
		}
	}
	if err := a.judge(ctx, p); err != nil && !(o.dryRun && p.unjudged(err)) {
		return err
	}
	if o.dryRun {
		return a.showPile(ctx, p)
	}
	if err := a.answerPile(p); err != nil {
		return err
	}
	if !o.yes {
		if err := a.agree(ctx, p); err != nil {
			return err
		}
	}
	return a.writePile(ctx, p)
}

// showPile ends a dry run, with the seeds if that was asked for.
func (a *app) showPile(ctx context.Context, p *pile) error {
	if p.o.showURI && !p.o.yes {
		sure, err := a.term.confirm(ctx, "The URIs hold the seeds: whoever sees them can make your codes. Show them?")
		if err != nil {
			return err
		}
		if p.o.showURI = sure; !sure {
			a.term.say("not shown")
		}
	}
	if err := a.answerPile(p); err != nil {
		return err
	}
	return p.status(nil)
}

// answerPile prints the table of what would become of each account; where more follows, it is part of the way there.
func (a *app) answerPile(p *pile) error {
	if a.term.json || p.o.dryRun {
		return a.term.answer(p.document(), p.words(a.term.columns))
	}
	a.term.say(p.words(a.term.columns)...)
	return nil
}

// agree asks what cannot be known, and then whether to write. Whatever is answered, the daemon judges it again.
func (a *app) agree(ctx context.Context, p *pile) error {
	if !a.term.asks {
		return usagef("--yes does what the table shows; --dry-run stops at it", "cannot ask whether to write")
	}
	changed, err := a.settle(ctx, p)
	if err != nil || len(p.writable()) == 0 {
		return err
	}
	if changed {
		a.term.tell(p.words(a.term.columns)...)
	}
	yes, err := a.term.confirm(ctx, fmt.Sprintf("Write %s to %s?", count(len(p.writable()), "account", "accounts"), p.where()))
	if err != nil {
		return err
	}
	if !yes {
		return &api.Error{Code: api.CodeCanceled, Message: "cannot go on: you said no, and nothing is written"}
	}
	return nil
}

// writePile writes what can be written, and reports.
func (a *app) writePile(ctx context.Context, p *pile) error {
	if len(p.writable()) == 0 {
		a.term.say("nothing to write")
		return p.status(nil)
	}
	err := a.follow(ctx, ", was there before", func(ctx context.Context, step func(api.Step)) (whole api.Report, err error) {
		whole.Complete = true
		for _, batch := range p.batches(p.writable()) {
			request, seeds := p.request(batch)
			request.WaitSeconds = a.wait.seconds(a.term.asks)
			report, err := a.client.Add(ctx, request, seeds, step)
			if err != nil {
				return whole, err
			}
			whole.Accounts = append(whole.Accounts, report.Accounts...)
			whole.Complete = whole.Complete && report.Complete
			whole.Warnings = report.Warnings
		}
		return whole, nil
	})
	if err == nil {
		a.term.say("the exports hold the seeds still: delete those that you need no more")
	}
	return p.status(err)
}

// maxBatch is how many accounts the daemon takes at once.
const maxBatch = 256

// batches divides accounts into what is asked of the daemon at once: all of them, if they are not too many. HOTP accounts are on
// one key only, which makes a batch of their own where several keys were named.
func (p *pile) batches(all []*found) (batches [][]*found) {
	timed, counted := all, []*found(nil)
	if len(p.o.to) > 1 {
		isHOTP := func(f *found) bool { return f.Type == oath.HOTP.String() }
		counted = slices.DeleteFunc(slices.Clone(all), func(f *found) bool { return !isHOTP(f) })
		timed = slices.DeleteFunc(slices.Clone(all), isHOTP)
	}
	return slices.Concat(slices.Collect(slices.Chunk(timed, maxBatch)), slices.Collect(slices.Chunk(counted, maxBatch)))
}

// request is what the daemon is asked about a batch.
func (p *pile) request(batch []*found) (api.AddRequest, []*oath.Secret) {
	r := api.AddRequest{To: p.o.to, Copies: p.o.copies}
	if batch[0].Type == oath.HOTP.String() && len(p.o.to) > 1 {
		r.To = p.o.to[:1]
	}
	var seeds []*oath.Secret
	for _, f := range batch {
		a := f.account()
		r.Accounts = append(r.Accounts, api.NewAccount{
			Issuer: a.Issuer, Name: a.Name, Type: f.Type, Algorithm: f.Algorithm, Digits: f.Digits, Period: f.Period, Counter: f.Counter, Touch: p.o.touch,
		})
		seeds = append(seeds, f.Seed)
	}
	return r, seeds
}

func (a *app) listFormats(ctx context.Context) error {
	list, err := kin.ImportFormats(ctx)
	if err != nil {
		return err
	}
	var known formats
	rows := [][]string{}
	for _, f := range list {
		known.Formats = append(known.Formats, importFormat(f))
		kind := f.Kind
		if f.Encrypted {
			kind += ", plain or encrypted"
		}
		rows = append(rows, []string{ink.Paint(ink.Bold, f.Name), f.Program, kind})
	}
	return a.term.answer(known, ink.Table(rows))
}

func completeFormats(c *cobra.Command, _ []string, _ string) (names []string, directive cobra.ShellCompDirective) {
	list, err := kin.ImportFormats(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, f := range list {
		names = append(names, f.Name+"\t"+f.Program)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
