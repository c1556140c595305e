package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
)

func (a *app) awsCoverageCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use:   "coverage",
		Short: "Show which users at AWS have which MFA devices, and on which keys",
		Long: `Shows the users of an AWS account with their MFA devices, and which keys have those. What the profile may
not look at is left out, and said. The exit status is 7 if a user signs in without a device, or would be
locked out by the loss of one key.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.awsCoverage(c.Context(), profile) },
	}
	profileFlag(c, &profile)
	return c
}

func (a *app) awsCoverage(ctx context.Context, profile string) error {
	var found kin.AWSCoverage
	if err := a.askAWS(ctx, "coverage", a.awsAccess(profile), &found); err != nil {
		return err
	}
	if err := a.term.answer(found, awsCoverageWords(found)); err != nil {
		return err
	}
	for _, note := range found.Notes {
		a.term.warn(note)
	}
	if found.Problems > 0 {
		return ended(exitPartly)
	}
	return nil
}

// awsRisks are the words for how a user at AWS would fare.
var awsRisks = map[kin.AWSRisk]struct{ words, style string }{
	kin.AWSSafe:      {"safe", ink.Green},
	kin.AWSAtRisk:    {"one copy", ink.Yellow},
	kin.AWSElsewhere: {"on no key here", ink.Yellow},
	kin.AWSWithout:   {"no MFA", ink.Red},
	kin.AWSIdle:      {"does not sign in", ""},
}

func awsCoverageWords(c kin.AWSCoverage) []string {
	rows := [][]string{{"USER", "STATE", "DEVICE", "KEYS"}}
	for _, u := range c.Users {
		risk := awsRisks[u.Risk]
		first := []string{u.User, ink.Paint(risk.style, risk.words)}
		for _, d := range u.Devices {
			rows = append(rows, append(first, d.Device, keysOf(d)))
			first = []string{"", ""}
		}
		if len(u.Devices) == 0 {
			rows = append(rows, append(first, "-", ""))
		}
	}
	lines := ink.Table(rows)
	lines[0] = ink.Paint(ink.Bold, lines[0])
	for _, d := range c.Unused {
		lines = append(lines, "enabled for nobody: "+d.Device+" "+keysOf(d))
	}
	return append(lines, "", fmt.Sprintf("AWS account %s: %s, %s without a device or at risk", c.Number, count(len(c.Users), "user", "users"), fmt.Sprint(c.Problems)))
}

// keysOf says which keys have a device.
func keysOf(d kin.AWSDevice) string {
	switch {
	case len(d.Keys) > 0:
		return strings.Join(d.Keys, ", ")
	case d.Account != "":
		return "not proved"
	}
	return ""
}
