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

func (a *app) keysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "List the keys, plugged in or known",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.keys(c.Context()) },
	}
}

func (a *app) keys(ctx context.Context) error {
	list, err := a.client.Keys(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 && !a.term.json {
		a.sayWhyNoKeys(ctx)
	}
	return a.term.answer(api.Keys{Keys: list}, keysTable(list, time.Now()))
}

// sayWhyNoKeys tells what keeps the daemon from seeing keys, if anything does.
func (a *app) sayWhyNoKeys(ctx context.Context) {
	status, err := a.client.Status(ctx)
	if err != nil || status.Trouble == "" {
		a.term.say("no key is plugged in, and none is known")
		return
	}
	a.term.warn(status.Trouble)
	if status.Hint != "" {
		a.term.say(ink.Paint(ink.Bold, "hint:") + " " + status.Hint)
	}
}

func keysTable(list []api.Key, now time.Time) []string {
	if len(list) == 0 {
		return nil
	}
	rows := [][]string{{"KEY", "MODEL", "SERIAL", "ACCOUNTS", "STATE"}}
	for _, key := range list {
		rows = append(rows, []string{keyName(key.Label, key.Soft), key.Vendor + " " + key.Firmware, serialWords(key), roomWords(key), stateOfKey(key, now)})
	}
	lines := ink.Table(rows)
	lines[0] = ink.Paint(ink.Bold, lines[0])
	return withTrouble(lines, list)
}

// withTrouble puts what is wrong with a key below its line.
func withTrouble(lines []string, list []api.Key) []string {
	out := lines[:1:1]
	for i, key := range list {
		out = append(out, lines[i+1])
		if key.Trouble != "" {
			out = append(out, "  "+ink.Paint(ink.Red, key.Trouble))
		}
		if key.Hint != "" {
			out = append(out, "  "+ink.Paint(ink.Bold, "hint:")+" "+key.Hint)
		}
	}
	return out
}

func serialWords(key api.Key) string {
	if key.Serial == 0 {
		return "–"
	}
	return fmt.Sprint(key.Serial)
}

func roomWords(key api.Key) string {
	if key.Capacity == 0 {
		return fmt.Sprint(key.Accounts)
	}
	return fmt.Sprintf("%d of %d", key.Accounts, key.Capacity)
}

func stateOfKey(key api.Key, now time.Time) string {
	parts := []string{ink.Paint(ink.Green, "plugged in")}
	if !key.Present {
		parts = []string{"last seen " + day(key.LastSeen, now)}
	}
	switch key.State {
	case api.KeySeen:
		parts = append(parts, ink.Paint(ink.Yellow, "not adopted"))
	case api.KeyLost:
		parts = append(parts, ink.Paint(ink.Red, "lost"))
	}
	if key.Locked {
		parts = append(parts, ink.Paint(ink.Yellow, "locked"))
	}
	if key.Site != "" {
		parts = append(parts, "site: "+key.Site)
	}
	if key.Holder != "" {
		parts = append(parts, "with: "+key.Holder)
	}
	if len(key.Waiting) > 0 {
		parts = append(parts, ink.Paint(ink.Bold, "touch it")+" (for "+strings.Join(key.Waiting, ", ")+")")
	}
	return strings.Join(parts, ", ")
}
