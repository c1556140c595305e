package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) logCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "log",
		Short: "Show what was changed, by whom",
		Long:  "Shows the audit log: every change, not the codes. Each line is chained to the one before; a break is an error.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.log(c.Context()) },
	}
}

func (a *app) log(ctx context.Context) error {
	audit, err := a.client.Audit(ctx)
	if err != nil {
		return err
	}
	if err := a.term.answer(audit, logWords(audit)); err != nil {
		return err
	}
	if !audit.Intact {
		a.term.tell(ink.Paint(ink.Red, "oathctl:")+" cannot vouch for this log: its chain is broken, somebody changed it",
			ink.Paint(ink.Bold, "hint:")+" compare it with a backup of the ledger")
		return ended(exitError)
	}
	return nil
}

func logWords(audit api.Audit) []string {
	var rows [][]string
	for _, e := range audit.Entries {
		rows = append(rows, []string{fmt.Sprintf("%4d", e.Seq), e.At.Local().Format(time.DateTime), e.What, ink.Paint(ink.Dim, e.Who)})
	}
	return ink.Table(rows)
}
