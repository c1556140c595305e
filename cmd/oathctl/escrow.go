package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) escrowCommand() *cobra.Command {
	return group("escrow", "Keep encrypted copies of all seeds, so that any key can be lost",
		a.escrowInitCommand(), a.escrowStatusCommand(), a.recipientsCommand(), a.paperCommand(),
		a.backupCommand(), a.escrowOpenCommand(), a.drillCommand())
}

func (a *app) escrowStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what is in the escrow, and what opens it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := a.client.Escrow(c.Context())
			if err != nil {
				return err
			}
			return a.term.answer(e, escrowWords(e, time.Now()))
		},
	}
}

// escrowWords tells what can be told of the escrow while it is locked.
func escrowWords(e api.Escrow, now time.Time) []string {
	switch {
	case !e.Exists:
		return []string{"there is no escrow: an account is lost with the last key that has it", ink.Paint(ink.Bold, "hint:") + " oathctl escrow init"}
	case e.Trouble != "":
		return append([]string{ink.Paint(ink.Red, e.Trouble)}, hintWords("", &api.Error{Hint: e.Hint})...)
	}
	lines := []string{
		fmt.Sprintf("%s, %s; the key is of %s", seedsWords(e), count(e.Runbooks, "runbook", "runbooks"), day(e.Created, now)),
		ink.Paint(ink.Bold, "opened by"),
	}
	lines = append(lines, recipientsTable(e.Recipients, now)...)
	if len(e.Without) > 0 {
		lines = append(lines, ink.Paint(ink.Yellow, "not in it")+"  (add them again, with their seeds, or enrol anew)")
	}
	for _, c := range e.Without {
		lines = append(lines, "  "+c.Label)
	}
	return append(lines, warningWords(e.Warnings)...)
}

func seedsWords(e api.Escrow) string {
	words := "escrow with " + count(e.Seeds, "seed", "seeds")
	if e.Pending > 0 {
		words += fmt.Sprintf(" and %d not proved by a key yet", e.Pending)
	}
	return words
}

func warningWords(warnings []string) (lines []string) {
	for _, w := range warnings {
		lines = append(lines, ink.Paint(ink.Yellow, "warning:")+" "+w)
	}
	return lines
}

func recipientsTable(list []api.Recipient, now time.Time) []string {
	var rows [][]string
	for _, r := range list {
		tried := "never tried"
		if !r.DrilledAt.IsZero() {
			tried = "tried " + day(r.DrilledAt, now)
		}
		rows = append(rows, []string{"  " + r.Name, kindWords(r), "added " + day(r.Added, now), tried})
	}
	return ink.Table(rows)
}

func kindWords(r api.Recipient) string {
	switch r.By {
	case api.OpenRecovery:
		return "recovery key"
	case api.OpenPassphrase:
		return "passphrase"
	}
	where := "not plugged in"
	if r.Present {
		where = "plugged in"
	}
	return fmt.Sprintf("security key %d, slot %x, %s", r.Serial, r.Slot, where)
}

func recipientWords(r api.Recipient) string {
	if r.By == api.OpenPassphrase {
		return r.Name
	}
	return r.Name + "  (" + kindWords(r) + ")"
}
