package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) coverageCommand() *cobra.Command {
	var p pictures
	c := &cobra.Command{
		Use:   "coverage",
		Short: "Show which account is on which key, and what is at risk",
		Long: `Shows which account is on which key, since when that is proved, and what the loss of a key, of a site or of
all that one person has would cost: at the terminal, as a page to be printed (--html), or as a picture
(--svg). A file that is there by that name is replaced.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.coverage(c.Context(), p) },
	}
	p.add(c)
	return c
}

func (a *app) coverage(ctx context.Context, p pictures) error {
	if err := p.check(a.term.json); err != nil {
		return err
	}
	c, err := a.client.Coverage(ctx)
	if err != nil {
		return err
	}
	if err := a.draw(p, c); err != nil || p.wanted() && !a.term.json {
		return err
	}
	if len(c.Rows) == 0 && !a.term.json {
		a.term.say("no accounts on adopted keys yet; oathctl add writes one")
	}
	return a.term.answer(c, coverageWords(c, a.term.columns))
}

// coverageWords draws the matrix, what its symbols mean, and what there is to do.
func coverageWords(c api.Coverage, columns int) []string {
	if len(c.Rows) == 0 {
		return nil
	}
	lines := matrix(c, columns)
	lines = append(lines, "")
	lines = append(lines, legend(c, columns)...)
	lines = append(lines, losses(c, columns)...)
	lines = append(lines, advice(c, columns)...)
	return append(lines, "", summary(c))
}

// risks are the words for how an account would fare.
var risks = map[api.Risk]struct{ words, style string }{
	api.RiskSafe:     {"safe", ink.Green},
	api.RiskOneLoss:  {"one copy", ink.Yellow},
	api.RiskUnproven: {"not proved", ink.Yellow},
	api.RiskNoCopy:   {"no copy", ink.Red},
	api.RiskHOTP:     {"HOTP", ink.Yellow},
	api.RiskOnlySoft: {"soft only", ink.Yellow},
	api.RiskEscrow:   {"in escrow", ink.Yellow},
}

const (
	noCopy    = "·"
	minLabel  = 20
	riskWidth = len("superseded")
)

// matrix draws accounts × keys. Keys that do not fit beside each other by name are numbered, and those
// that do not fit at all follow in a second matrix.
func matrix(c api.Coverage, columns int) []string {
	label := 0
	for _, row := range c.Rows {
		label = max(label, ink.Width(row.Account.Label()))
	}
	room := columns - min(label, minLabel) - 2 - riskWidth
	heads, lines := headings(c.Keys, room)
	for first := 0; first == 0 || first < len(c.Keys); {
		n, used := 0, 0
		for first+n < len(c.Keys) && (n == 0 || used+ink.Width(heads[first+n])+2 <= room) {
			used += ink.Width(heads[first+n]) + 2
			n++
		}
		if first > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, part(c, first, n, heads, min(label, columns-2-riskWidth-used))...)
		first += max(n, 1)
	}
	return lines
}

// headings names the keys by label if there is room for all, else by number with a list of who is who.
func headings(keys []api.Key, room int) (heads, list []string) {
	total := 0
	for _, key := range keys {
		name := keyName(key.Label, key.Soft)
		heads = append(heads, name)
		total += ink.Width(name) + 2
	}
	if total <= room {
		return heads, nil
	}
	for i, name := range heads {
		heads[i] = fmt.Sprint(i + 1)
		list = append(list, fmt.Sprintf("%3d  %s", i+1, name))
	}
	return heads, append(list, "")
}

// part draws the columns of n keys from the first one on.
func part(c api.Coverage, first, n int, heads []string, label int) []string {
	rows := [][]string{append(append([]string{"ACCOUNT"}, heads[first:first+n]...), "RISK")}
	for _, row := range c.Rows {
		cells := []string{ink.Shorten(row.Account.Label(), max(label, 8))}
		for _, key := range c.Keys[first : first+n] {
			cells = append(cells, cell(row.Account, key.ID))
		}
		rows = append(rows, append(cells, riskWords(row)))
	}
	lines := ink.Table(rows)
	lines[0] = ink.Paint(ink.Bold, lines[0])
	return lines
}

// cell shows the account's copy on a key. Several credentials can hold the same seed: the best counts.
func cell(account api.Account, key string) string {
	best := ""
	for _, c := range account.Copies {
		if c.Key == key && (best == "" || c.State == api.CopyProved) {
			best = ink.Paint(states[c.State].style, states[c.State].symbol)
		}
	}
	if best == "" {
		return noCopy
	}
	return best
}

func riskWords(row api.CoverageRow) string {
	if row.Account.Superseded {
		return "superseded"
	}
	r, ok := risks[row.Risk]
	if !ok {
		return string(row.Risk)
	}
	return ink.Paint(r.style, r.words)
}

// legend explains the symbols that are in use.
func legend(c api.Coverage, columns int) []string {
	var parts []string
	for _, state := range []api.CopyState{api.CopyProved, api.CopyWritten, api.CopyUnproven, api.CopyPending, api.CopyMissing, api.CopyMismatch} {
		used := slices.ContainsFunc(c.Rows, func(row api.CoverageRow) bool {
			return slices.ContainsFunc(row.Account.Copies, func(c api.Copy) bool { return c.State == state })
		})
		if used {
			parts = append(parts, states[state].symbol+" "+states[state].words)
		}
	}
	return ink.Fill(append(parts, noCopy+" no copy"), "   ", columns)
}

// advice lists what to do, each thing once with the accounts that it is for.
func advice(c api.Coverage, columns int) []string {
	var order []string
	accounts := make(map[string][]string)
	for _, row := range c.Rows {
		if row.Advice == "" || row.Account.Superseded {
			continue
		}
		if len(accounts[row.Advice]) == 0 {
			order = append(order, row.Advice)
		}
		accounts[row.Advice] = append(accounts[row.Advice], row.Account.Label())
	}
	var lines []string
	for _, text := range order {
		lines = append(lines, "")
		lines = append(lines, ink.Wrap(strings.Join(accounts[text], ", ")+":", columns)...)
		for _, line := range ink.Wrap(text, columns-2) {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

func summary(c api.Coverage) string {
	if c.AtRisk == 0 {
		return ink.Paint(ink.Green, fmt.Sprintf("%s, all safe: losing one key loses nothing.", count(c.Safe, "account", "accounts")))
	}
	return ink.Paint(ink.Yellow, fmt.Sprintf("%d of %s safe.", c.Safe, count(c.Safe+c.AtRisk, "account", "accounts")))
}
