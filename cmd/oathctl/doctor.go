package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find what keeps oathd or a key from working, and say what mends it",
		Long: `Looks at all that oathd needs: its settings and files, the ledger and the escrow, D-Bus, systemd, the
clock, pcscd and its driver, keys on USB and what holds them, and what was put off. For each thing that
is wrong it says what would mend it. Nothing is changed, and no key is touched.

The exit status is 1 if something is broken; what is merely to be done is no error.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) error {
	d, err := kin.Doctor(ctx, a.client.Socket)
	if err != nil {
		return err
	}
	if err := a.term.answer(d, doctorWords(d, a.term.columns)); err != nil {
		return err
	}
	if !d.Healthy {
		return ended(exitError)
	}
	return nil
}

// verdictMarks stand before what was found.
var verdictMarks = map[kin.Verdict]string{
	kin.VerdictOK:      ink.Paint(ink.Green, "✓"),
	kin.VerdictWarning: ink.Paint(ink.Yellow, "!"),
	kin.VerdictBroken:  ink.Paint(ink.Red, "✗"),
	kin.VerdictNone:    ink.Paint(ink.Dim, "·"),
}

// doctorWords puts the findings into lines. What mends something is on a line of its own and never broken, to be copied.
func doctorWords(d kin.Diagnosis, columns int) []string {
	width := 0
	for _, f := range d.Findings {
		width = max(width, ink.Width(f.Check))
	}
	indent := strings.Repeat(" ", width+4)
	var lines []string
	for _, f := range d.Findings {
		head := verdictMarks[f.State] + " " + ink.Pad(f.Check, width) + "  "
		for _, line := range ink.Wrap(f.Found, max(20, columns-width-4)) {
			lines, head = append(lines, head+line), indent
		}
		for _, line := range ink.Wrap(f.Means, max(20, columns-width-4)) {
			lines = append(lines, indent+ink.Paint(ink.Dim, line))
		}
		if f.Mend != "" {
			lines = append(lines, indent+ink.Paint(ink.Bold, "mend:")+" "+f.Mend)
		}
	}
	return append(lines, "", doctorSum(d))
}

// doctorSum says how it stands in all.
func doctorSum(d kin.Diagnosis) string {
	counts := map[kin.Verdict]int{}
	for _, f := range d.Findings {
		counts[f.State]++
	}
	switch wrong, todo := counts[kin.VerdictBroken], counts[kin.VerdictWarning]; {
	case wrong+todo == 0:
		return "All is well."
	case wrong == 0:
		return fmt.Sprintf("It works; to be done: %d.", todo)
	case todo == 0:
		return fmt.Sprintf("Broken: %d.", wrong)
	default:
		return fmt.Sprintf("Broken: %d; to be done besides: %d.", wrong, todo)
	}
}
