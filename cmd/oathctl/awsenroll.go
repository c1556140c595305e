package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
)

// awsEnrollOptions are the flags of "aws enroll".
type awsEnrollOptions struct {
	profile, user, name       string
	to                        []string
	copies                    int
	separate, replace, giveUp bool
}

func (a *app) awsEnrollCommand() *cobra.Command {
	var o awsEnrollOptions
	c := &cobra.Command{
		Use:   "enroll",
		Short: "Make an MFA device for an IAM user, on keys from the start",
		Long: `Has AWS make a virtual MFA device, writes its seed straight to two keys (or as told) and into the escrow,
has each key prove its copy, and enables the device with two codes. Where the user has a device already,
a session is opened with it first. What was broken off is finished by the same command, or taken back
with --give-up. For the root user, whom only the console gives devices, there is "oathctl aws pair".

A device is one seed on all of its keys: any of them gives its codes, and a program needs to know one
device. When a key is lost, the device has to be replaced on all of them. With --separate each key of --to
is a device of its own, called NAME-KEY: a lost one is deactivated at AWS and the others stay as they are;
but a program (mfa_serial) works with one key only, and AWS allows a user eight devices.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.awsEnroll(c.Context(), o) },
	}
	profileFlag(c, &o.profile)
	f := c.Flags()
	f.StringVar(&o.user, "user", "", "the IAM user; else the profile's")
	f.StringVar(&o.name, "name", "", "the device's name; else the user's")
	f.StringSliceVar(&o.to, "to", nil, "write it to these keys")
	f.IntVar(&o.copies, "copies", 0, "write it to that many keys (default 2)")
	f.BoolVar(&o.separate, "separate", false, "one device for each key of --to")
	f.BoolVar(&o.replace, "replace", false, "delete a device of this name that was made, not enabled, and is on no key")
	f.BoolVar(&o.giveUp, "give-up", false, "delete a device of this name that is not enabled, at AWS and from the keys")
	completes(c, map[string]completion{"to": a.completeKeyList})
	return c
}

func (o awsEnrollOptions) check() error {
	switch {
	case len(o.to) > 0 && o.copies != 0:
		return usagef("--to says by itself how many copies", "cannot use both --to and --copies")
	case o.copies < 0:
		return usagef("", "cannot make %d copies", o.copies)
	case o.separate && len(o.to) == 0:
		return usagef("e.g. --separate --to daily,spare", "cannot tell which keys are to be devices of their own")
	case o.replace && o.giveUp:
		return usagef("", "cannot both replace a device and give it up")
	}
	return nil
}

func (a *app) awsEnroll(ctx context.Context, o awsEnrollOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := a.ensureAdopted(ctx); err != nil {
		return err
	}
	wanted, err := a.wantedDevices(ctx, o)
	if err != nil {
		return err
	}
	r := kin.AWSEnroll{
		AWSAccess: a.awsAccess(o.profile), User: o.user, Devices: wanted, Replace: o.replace, GiveUp: o.giveUp, WaitSeconds: a.wait.seconds(a.term.asks),
	}
	var done kin.AWSEnrolled
	if err := a.askAWS(ctx, "enroll", r, &done); err != nil {
		return err
	}
	if o.giveUp {
		return a.awsGivenUp(ctx, done)
	}
	if err := a.term.answer(done, awsEnrolledWords(done)); err != nil || done.Complete {
		return err
	}
	return ended(exitPartly)
}

// wantedDevices is one device, or one for each key.
func (a *app) wantedDevices(ctx context.Context, o awsEnrollOptions) ([]kin.AWSWanted, error) {
	if !o.separate {
		return []kin.AWSWanted{{Name: o.name, To: o.to, Copies: o.copies}}, nil
	}
	var wanted []kin.AWSWanted
	for _, selector := range o.to {
		key, err := a.client.Key(ctx, selector)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, kin.AWSWanted{Name: o.name, Suffix: "-" + strings.Map(awsLetter, key.Label), To: []string{key.ID}})
	}
	return wanted, nil
}

// awsLetter is what the name of a device has in place of a letter.
func awsLetter(r rune) rune {
	if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r)) {
		return r
	}
	return '-'
}

// awsGivenUp takes from the keys what AWS has deleted.
func (a *app) awsGivenUp(ctx context.Context, done kin.AWSEnrolled) error {
	lines := []string{}
	for _, d := range done.Devices {
		lines = append(lines, d.Device+": deleted at AWS")
		if d.Account == "" {
			continue
		}
		report, err := a.client.Remove(ctx, d.Account, "", true)
		if err != nil {
			return err
		}
		lines = append(lines, reportWords(report, "")...)
	}
	return a.term.answer(done, lines)
}

func awsEnrolledWords(done kin.AWSEnrolled) (lines []string) {
	for _, d := range done.Devices {
		state := "enabled for " + done.User
		if d.Existed {
			state = "was enabled for " + done.User + " before"
		}
		lines = append(lines, ink.Paint(ink.Bold, d.Device)+": "+state, "  on "+strings.Join(d.Keys, ", ")+", as "+d.Label)
	}
	if len(done.Lost) > 0 {
		lines = append(lines, ink.Paint(ink.Yellow, "  would be lost with: "+strings.Join(done.Lost, ", ")))
	}
	return lines
}
