package main

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// pairMargin is how many seconds the first code of a pair lives at least: it takes so long to paste two.
const pairMargin = 10

func (a *app) awsPairCommand() *cobra.Command {
	var o addOptions
	c := &cobra.Command{
		Use:   "pair [-]",
		Short: "Take an account from a QR code, and give the two codes in a row that the page asks for",
		Long: `Reads the QR code that AWS's console shows for the root user, or any service that asks for two codes in a
row, writes the account to two keys (or as told), has each prove its copy, and prints both codes at once.
At a terminal the first one is copied, and Enter copies the second; then it asks for what AWS will want
to know when all keys are lost (see "oathctl runbook").

It may be said again with the same QR code: it goes on where it was broken off.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.given = c.Flags().Changed
			if len(args) == 1 && args[0] != "-" {
				return usagef("oathctl aws pair --help tells the ways", `cannot take an account as an argument, only "-" for standard input`)
			}
			o.stdin = len(args) == 1
			if !o.stdin && o.picture.count() == 0 {
				return usagef("oathctl aws pair --help tells the ways", `cannot pair without a QR code: give --screen, --clipboard, --qr FILE, or "-" for a URI on standard input`)
			}
			return a.awsPair(c.Context(), o)
		},
	}
	f := c.Flags()
	o.picture.add(c)
	f.StringVar(&o.issuer, "issuer", "", "call the service so")
	f.StringVar(&o.name, "name", "", "call the account so")
	f.StringSliceVar(&o.to, "to", nil, "write it to these keys")
	f.IntVar(&o.copies, "copies", 0, "write it to that many keys (default 2)")
	completes(c, map[string]completion{"to": a.completeKeyList})
	return c
}

func (a *app) awsPair(ctx context.Context, o addOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	report, err := a.pairAdd(ctx, o)
	if err != nil {
		return err
	}
	if len(report.Accounts) != 1 || report.Accounts[0].Proved == 0 {
		if err := a.term.answer(awsPaired{Report: report}, reportWords(report, ", was there before")); err != nil {
			return err
		}
		return reportError(report)
	}
	account := report.Accounts[0]
	a.term.say(reportWords(report, ", was there before")...)
	if err := a.pairCodes(ctx, report, account.Account); err != nil {
		return err
	}
	if err := a.pairRunbook(ctx, account.Account); err != nil {
		return err
	}
	return reportError(report)
}

// pairAdd writes the account; one that is there already with the same seed is as good.
func (a *app) pairAdd(ctx context.Context, o addOptions) (api.Report, error) {
	var device string
	entries, err := a.readEntries(ctx, o)
	if err != nil {
		return api.Report{}, err
	}
	defer wipe(entries)
	if len(entries) != 1 {
		return api.Report{}, usagef("show one QR code", "cannot pair %d accounts at once", len(entries))
	}
	if device = deviceOf(entries[0].Account); device != "" {
		a.term.say("the device is " + device)
	}
	if err := a.ensureAdopted(ctx); err != nil {
		return api.Report{}, err
	}
	request, seeds := o.request(entries)
	request.WaitSeconds = a.wait.seconds(a.term.asks)
	request.Accounts[0].Alias = device
	report, err := a.client.Add(ctx, request, seeds, a.tellStep)
	if api.CodeOf(err) != api.CodeExistsSame {
		return report, err
	}
	request.DryRun = true
	report, err = a.client.Add(ctx, request, seeds, a.tellStep)
	if len(report.Accounts) == 1 {
		report.Complete = report.Accounts[0].Proved >= report.Accounts[0].Wanted
	}
	return report, err
}

// awsDevice is how AWS calls accounts in QR codes: the device, and the account's number.
var awsDevice = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([\w+=,.@-]+)@([0-9]{12})$`) })

// deviceOf returns the ARN of the device that AWS's QR code is about, "" for others.
func deviceOf(account oath.Account) string {
	found := awsDevice().FindStringSubmatch(account.Name)
	if account.Issuer != "Amazon Web Services" || found == nil {
		return ""
	}
	return "arn:aws:iam::" + found[2] + ":mfa/" + found[1]
}

// pairCodes gives pairs of codes until the service has taken one.
func (a *app) pairCodes(ctx context.Context, report api.Report, account string) error {
	request := api.CodeRequest{Account: account, Pair: true, MinValidity: pairMargin}
	for {
		code, err := a.askCode(ctx, request)
		if err != nil {
			return err
		}
		taken, err := a.showPair(ctx, report, code)
		if taken || err != nil {
			return err
		}
		request.Fresh = true // the service may have used these up
	}
}

// showPair prints two codes, and asks at a terminal whether they were taken.
func (a *app) showPair(ctx context.Context, report api.Report, code api.Code) (taken bool, err error) {
	attended := a.term.asks && a.term.outTTY && !a.term.json
	document := awsPaired{Report: report, Code: &code}
	if !attended {
		return true, a.term.answer(document, bareWords(code))
	}
	lines := []string{"MFA code 1:  " + ink.Paint(ink.Bold, code.Code), "MFA code 2:  " + ink.Paint(ink.Bold, code.Next)}
	if err := a.term.answer(document, lines); err != nil {
		return false, err
	}
	if a.copyOf(ctx, code.Code, code.ValidUntil) {
		if _, err := a.term.ask(ctx, "The first one is copied: paste it. Enter copies the second."); err != nil {
			return false, err
		}
		a.copyOf(ctx, code.Next, code.ValidUntil.Add(code.ValidUntil.Sub(code.ValidFrom)))
	}
	return a.term.confirm(ctx, "Did it take them? (no: two more)")
}

// copyOf copies a code, and says so if it cannot.
func (a *app) copyOf(ctx context.Context, code string, until time.Time) bool {
	_, err := kin.Copy(ctx, code, until)
	if err != nil {
		a.term.say("not copied: " + err.Error())
	}
	return err == nil
}

// pairRunbook asks for what is needed when all keys are lost.
func (a *app) pairRunbook(ctx context.Context, id string) error {
	account, err := a.client.Account(ctx, id)
	if err != nil {
		return err
	}
	escrow, err := a.client.Escrow(ctx)
	switch {
	case err != nil:
		return err
	case !escrow.Exists:
		a.term.warn("there is no escrow, so nothing is written down about how to get back in without a key: oathctl escrow init, then oathctl runbook set " + id)
	case !account.RunbookAt.IsZero():
		a.term.say("how to get back in without a key was written down on " + account.RunbookAt.Local().Format(time.DateOnly))
	case !a.term.asks || a.term.json:
		a.term.warn("it is not written down how to get back in without a key: oathctl runbook set " + id)
	default:
		return a.setRunbook(ctx, id, false)
	}
	return nil
}
