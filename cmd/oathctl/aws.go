package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/kin"
)

// awsCommand groups the verbs for AWS. All that speak to AWS have oathctl-aws do it.
func (a *app) awsCommand() *cobra.Command {
	return group("aws", "MFA devices and credentials of AWS",
		a.awsPairCommand(), a.awsEnrollCommand(), a.awsResyncCommand(), a.awsCredentialsCommand(), a.awsSetupCommand(), a.awsCoverageCommand())
}

// profileFlag adds the flag --profile.
func profileFlag(c *cobra.Command, profile *string) {
	c.Flags().StringVar(profile, "profile", "", "the profile in ~/.aws/config; else what the AWS CLI would take")
	completes(c, map[string]completion{"profile": completeProfiles})
}

func (a *app) awsAccess(profile string) kin.AWSAccess {
	return kin.AWSAccess{Socket: a.client.Socket, Profile: profile}
}

// askAWS has oathctl-aws do a verb, tells what it says, and asks for keys and touches as they are needed. It may be run again after each
// key that is plugged in: nothing is done twice.
func (a *app) askAWS(ctx context.Context, verb string, asked, document any) error {
	return a.untilKey(ctx, func(ctx context.Context) error {
		asks := make(chan string)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			a.explainAsks(ctx, asks)
		}()
		defer func() { close(asks); <-ended }()
		return kin.AWS(ctx, verb, asked, document, func(line kin.AWSLine) {
			asks <- line.Asks
			switch {
			case line.Step != nil:
				a.tellStep(*line.Step)
			case line.Note != "":
				a.term.say(line.Note)
			}
		})
	})
}

// explainAsks says what a code that takes long waits for. "" ends the waiting for one.
func (a *app) explainAsks(ctx context.Context, asks <-chan string) {
	var account string
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case id, open := <-asks:
			if !open {
				return
			}
			account = id
			timer.Reset(patience)
		case <-timer.C:
			if account != "" && !a.sayWhoWaits(ctx) {
				a.sayNextStep(ctx, account)
			}
		}
	}
}

func (a *app) awsResyncCommand() *cobra.Command {
	var r kin.AWSResync
	var profile string
	c := &cobra.Command{
		Use:   "resync",
		Short: "Bring AWS and the keys back in step",
		Long: `Gives AWS two codes in a row, which it wants after it met codes that were too early or too late. The
device is the one that the user has on the keys, unless it is named.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r.AWSAccess = a.awsAccess(profile)
			var done kin.AWSEnrolled
			if err := a.askAWS(c.Context(), "resync", r, &done); err != nil {
				return err
			}
			return a.term.answer(done, []string{done.Devices[0].Device + ": in step with " + done.Devices[0].Label})
		},
	}
	profileFlag(c, &profile)
	c.Flags().StringVar(&r.User, "user", "", "the IAM user; else the profile's")
	c.Flags().StringVar(&r.Device, "device", "", "the device's ARN")
	return c
}

func (a *app) awsCredentialsCommand() *cobra.Command {
	var r kin.AWSObtain
	var profile string
	var duration time.Duration
	c := &cobra.Command{
		Use:   "credentials",
		Short: "Print credentials that a code has opened, as the AWS CLI's credential_process wants them",
		Long: `Opens a session with a code from a key (GetSessionToken), or, where the profile assumes a role, that role
and those before it, and prints the credentials as JSON. "oathctl aws setup" writes a profile that uses it.

They are kept, encrypted, until shortly before they end; of many programs that ask at once, one asks for a
code. The device is the profile's mfa_serial, or the one that the user has on the keys. A session lives for
12 hours and a role for one, unless the profile's duration_seconds or --duration says otherwise.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if duration%time.Second != 0 || duration < 0 {
				return usagef("give whole seconds, e.g. 1h", "cannot use --duration %s", duration)
			}
			r.AWSAccess, r.Seconds = a.awsAccess(profile), int(duration/time.Second)
			return a.awsCredentials(c.Context(), r)
		},
	}
	profileFlag(c, &profile)
	f := c.Flags()
	f.StringVar(&r.Device, "device", "", "the MFA device's ARN")
	f.DurationVar(&duration, "duration", 0, "how long they are to live, from 15m to 36h (a role's to 12h, a chained one's to 1h)")
	f.BoolVar(&r.Direct, "no-session", false, "give the code to AssumeRole, for roles whose rules want that")
	f.BoolVar(&r.Anew, "anew", false, "ask AWS even if there are some")
	return c
}

// awsCredentials prints credentials. Where a program asks, nobody reads that a key is waited for: it fails at once, which is shown.
func (a *app) awsCredentials(ctx context.Context, r kin.AWSObtain) error {
	if a.wait.text == "" && !a.term.outTTY {
		a.wait = wait{text: "0"}
	}
	var got kin.AWSCredentials
	if err := a.askAWS(ctx, "credentials", r, &got); err != nil {
		return err
	}
	return a.term.document(got)
}
