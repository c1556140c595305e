package main

import (
	"fmt"
	"strings"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// losses lists what each single loss would cost that costs anything.
func losses(c api.Coverage, columns int) []string {
	labels := make(map[string]string)
	for _, row := range c.Rows {
		labels[row.Account.ID] = row.Account.Label()
	}
	first := ink.Width("LOST")
	for _, l := range c.Distinct() {
		if l.Costs() {
			first = max(first, ink.Width(lossName(l)))
		}
	}
	rows := [][]string{{"LOST", "WITH IT"}}
	for _, l := range c.Distinct() {
		if l.Costs() {
			rows = append(rows, []string{lossName(l), cost(l, labels, columns-first-2)})
		}
	}
	if len(rows) == 1 {
		return nil
	}
	lines := ink.Table(rows)
	lines[0] = ink.Paint(ink.Bold, lines[0])
	return append([]string{""}, lines...)
}

// lossName names what is lost, and says what it is where it is no key.
func lossName(l api.Loss) string {
	if l.Kind == api.LossKey {
		return l.Name
	}
	return fmt.Sprintf("%s (%s)", l.Name, l.Kind)
}

// cost names the accounts that are lost, and counts those that the escrow would have.
func cost(l api.Loss, labels map[string]string, columns int) string {
	escrow := ""
	if n := len(l.Escrow); n > 0 {
		escrow = fmt.Sprintf("%d left to the escrow", n)
	}
	if len(l.Accounts) == 0 {
		return escrow
	}
	if escrow != "" {
		escrow = "; " + escrow
	}
	var names []string
	for _, id := range l.Accounts {
		names = append(names, labels[id])
	}
	return some(names, columns-ink.Width(escrow)) + escrow
}

// some joins as many names as have room, at least one, and says how many more there are.
func some(names []string, columns int) string {
	for n := len(names); n > 1; n-- {
		if text := strings.Join(names[:n], ", ") + more(len(names)-n); ink.Width(text) <= columns {
			return text
		}
	}
	end := more(len(names) - 1)
	return ink.Shorten(names[0], max(columns-ink.Width(end), 8)) + end
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
