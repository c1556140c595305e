package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) accountsCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "accounts [NAME]",
		Short:             "List the accounts, and on which keys they are",
		Long:              "Lists the accounts whose issuer:name contains NAME in any case, all of them without one.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeAccounts,
		RunE:              func(c *cobra.Command, args []string) error { return a.accounts(c.Context(), first(args)) },
	}
}

func (a *app) accounts(ctx context.Context, query string) error {
	list, err := a.client.Accounts(ctx, query)
	if err != nil {
		return err
	}
	if len(list) == 0 && query != "" {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("cannot find an account whose name contains %q", query), Hint: "oathctl accounts lists all"}
	}
	if len(list) == 0 && !a.term.json {
		a.term.say("no accounts yet; oathctl add writes one")
	}
	return a.term.answer(api.Accounts{Accounts: list}, accountsWords(list, time.Now()))
}

func accountsWords(list []api.Account, now time.Time) []string {
	if len(list) == 0 {
		return nil
	}
	rows := [][]string{{"ACCOUNT", "COPIES", "ON", "PROVED", "NOTE"}}
	for _, account := range list {
		rows = append(rows, []string{account.Label(), copiesWords(account), keysWords(account.Copies), provedWords(account.Copies, now), noteWords(account)})
	}
	lines := ink.Table(rows)
	lines[0] = ink.Paint(ink.Bold, lines[0])
	return lines
}

func copiesWords(account api.Account) string {
	text := fmt.Sprintf("%d of %d", account.Proved, account.Wanted)
	if account.Proved < account.Wanted {
		return ink.Paint(ink.Yellow, text)
	}
	return ink.Paint(ink.Green, text)
}

func keysWords(copies []api.Copy) string {
	var names []string
	for _, c := range copies {
		name := keyName(c.KeyLabel, c.Soft)
		if c.State != api.CopyProved {
			name += " " + states[c.State].symbol
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// provedWords gives the day of the oldest proof: that is what can be relied on.
func provedWords(copies []api.Copy, now time.Time) string {
	var oldest time.Time
	for _, c := range copies {
		if c.State == api.CopyProved && (oldest.IsZero() || c.ProvedAt.Before(oldest)) {
			oldest = c.ProvedAt
		}
	}
	return day(oldest, now)
}

func noteWords(account api.Account) string {
	var notes []string
	if account.Alias != "" {
		notes = append(notes, "also "+account.Alias)
	}
	if account.Superseded {
		notes = append(notes, ink.Paint(ink.Yellow, "superseded"))
	} else if account.Conflict {
		notes = append(notes, ink.Paint(ink.Red, "another account has this name and another seed"))
	}
	if account.Rotating != "" {
		notes = append(notes, ink.Paint(ink.Yellow, "is getting another seed"))
	}
	if account.Type == "hotp" {
		notes = append(notes, "HOTP")
	}
	if account.Touch {
		notes = append(notes, "touch")
	}
	if !account.Available {
		notes = append(notes, "not at hand")
	}
	return strings.Join(notes, ", ")
}
