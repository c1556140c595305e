package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// initOptions are the flags of escrow init.
type initOptions struct {
	keys       []string
	paper      string
	name       string
	passphrase bool
	yes        bool
}

// recipients counts what was named: if it is anything, nobody is asked for more.
func (o *initOptions) recipients() int {
	n := len(o.keys)
	if o.paper != "" {
		n++
	}
	if o.passphrase {
		n++
	}
	return n
}

func (a *app) escrowInitCommand() *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the escrow, with what opens it",
		Long: `Makes the escrow: encrypted copies of all seeds that are added from now on. Two things or more open
it: a recovery key printed on paper, security keys (each with its PIN and a touch), a passphrase.
A key that has no PIV slot for it gets one, as "oathctl key enroll" makes it.
At a terminal it asks what is not given by flags. Where there is none, the secrets are read from
standard input, a line each: the PINs of keys that get a slot, with --yes, and then a passphrase.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.escrowInit(c.Context(), o) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.keys, "key", nil, "these security keys open it")
	f.StringVar(&o.paper, "paper", "", "write a recovery paper to this new FILE, an HTML page to be printed")
	f.StringVar(&o.name, "name", "recovery paper", "what you call the paper, e.g. where it will be")
	f.BoolVar(&o.passphrase, "passphrase", false, "a passphrase opens it")
	f.BoolVarP(&o.yes, "yes", "y", false, "give keys that have none their slot without asking")
	completes(c, map[string]completion{"key": a.completeKeyList, "paper": completeFiles})
	return c
}

// attackers says plainly what an escrow gives to whom.
var attackers = []string{
	"The escrow keeps each seed that is added from now on, encrypted. Whoever gets",
	"  the disk or a backup alone     has names, and time to guess a passphrase; no seed",
	"  a key alone                    has its codes, unless it has a password; no seed",
	"  a backup with the paper, or",
	"  with a key and its PIN         has every seed in it: keep them apart",
}

func (a *app) escrowInit(ctx context.Context, o initOptions) error {
	if err := a.noEscrowYet(ctx); err != nil {
		return err
	}
	a.term.say(attackers...)
	if o.recipients() == 0 {
		if err := a.askRecipients(ctx, &o); err != nil {
			return err
		}
	}
	if o.paper != "" {
		if err := writable(o.paper); err != nil {
			return err
		}
	}
	if o.recipients() < 2 {
		return usagef("give two or more: a paper, keys, a passphrase", "cannot make an escrow with fewer than two recipients: one is soon lost")
	}
	p := &prompts{a: a}
	defer p.close()
	ready, err := a.enrollMissing(ctx, p, o.keys, o.yes)
	defer ready.wipe()
	if err != nil {
		return err
	}
	var pass *oath.Secret
	if o.passphrase {
		if pass, err = p.newPassphrase(ctx); err != nil {
			return err
		}
		defer pass.Wipe()
	}
	r := api.EscrowInitRequest{Keys: o.keys}
	if o.paper != "" {
		r.Recovery = o.name
	}
	return a.makeEscrow(ctx, o.paper, ready, func(ctx context.Context) (api.Escrow, *oath.Secret, error) {
		return a.client.EscrowInit(ctx, r, pass)
	})
}

// makeEscrow makes the escrow, tells of it and offers the first drill.
func (a *app) makeEscrow(ctx context.Context, paper string, ready openers, request making) error {
	made, err := a.make(ctx, paper, request)
	if err != nil {
		return err
	}
	if a.term.asks && !a.term.json {
		return a.tryFirst(ctx, made, ready)
	}
	if err := a.term.answer(made, made.words(time.Now())); err != nil {
		return err
	}
	a.term.say("now try it: oathctl escrow drill")
	return nil
}

// tryFirst offers the first drill before it tells of the escrow, so that nobody has to read a table between two questions.
func (a *app) tryFirst(ctx context.Context, m made, ready openers) error {
	if m.Paper != "" {
		a.term.say("The escrow is made; its paper is in " + m.Paper)
	} else {
		a.term.say("The escrow is made.")
	}
	failure := a.offerDrill(ctx, ready)
	if e, err := a.client.Escrow(ctx); err == nil {
		m.Escrow = e
	}
	return cmp.Or(failure, a.term.answer(m, m.words(time.Now())))
}

// noEscrowYet finds out before anything is asked that it would be in vain.
func (a *app) noEscrowYet(ctx context.Context) error {
	e, err := a.client.Escrow(ctx)
	if err == nil && e.Exists {
		err = &api.Error{Code: api.CodeExists, Message: "cannot make the escrow: there is one", Hint: "\"oathctl escrow recipients add\" adds what opens it"}
	}
	return err
}

// askRecipients asks what is to open the escrow.
func (a *app) askRecipients(ctx context.Context, o *initOptions) error {
	if !a.term.asks {
		return usagef("e.g. oathctl escrow init --paper FILE --passphrase", "cannot make an escrow that nothing opens: give two of --paper, --key and --passphrase")
	}
	if err := a.askPaper(ctx, o); err != nil {
		return err
	}
	if err := a.askKeys(ctx, o); err != nil {
		return err
	}
	var err error
	o.passphrase, err = a.term.confirm(ctx, "A passphrase too?")
	return err
}

// askPaper asks until the paper can be written.
func (a *app) askPaper(ctx context.Context, o *initOptions) error {
	for {
		file, err := a.term.ask(ctx, `File for the recovery paper, to be printed ("-": none) [oathd-recovery.html]`)
		if err != nil || file == "-" {
			return err
		}
		o.paper = cmp.Or(file, "oathd-recovery.html")
		if err := writable(o.paper); err == nil {
			return nil
		} else {
			a.term.tell(err.Error())
		}
	}
}

// askKeys offers the keys that are plugged in.
func (a *app) askKeys(ctx context.Context, o *initOptions) error {
	keys, err := a.client.Keys(ctx)
	if err != nil {
		return err
	}
	var ids, labels []string
	for _, key := range keys {
		if key.State == api.KeyAdopted && key.Present {
			ids, labels = append(ids, key.ID), append(labels, keyName(key.Label, key.Soft))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	a.term.tell("Keys that are to open it, with PIN and touch:")
	chosen, err := a.term.choose(ctx, "Which?", labels)
	for _, i := range chosen {
		o.keys = append(o.keys, ids[i])
	}
	return err
}

// offerDrill has the new escrow opened once: what was never tried does not work.
func (a *app) offerDrill(ctx context.Context, ready openers) error {
	try, err := a.term.confirm(ctx, "Try now whether it opens?")
	if err != nil || !try {
		a.term.say("later then: oathctl escrow drill")
		return err
	}
	e, err := a.escrowThere(ctx)
	if err != nil {
		return err
	}
	return a.drillEach(ctx, e.Recipients, ready)
}
