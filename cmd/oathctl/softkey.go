package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

func (a *app) softkeyCommand() *cobra.Command {
	return group("softkey", "Move the soft keys of a daemon that was started with --soft-keys",
		a.softMoveCommand(api.SoftPull, "Pull a soft key out"),
		a.softMoveCommand(api.SoftPlug, "Plug a soft key in again"),
		a.softMoveCommand(api.SoftTouch, "Touch a soft key"))
}

func (a *app) softMoveCommand(move api.SoftMove, short string) *cobra.Command {
	return &cobra.Command{
		Use:               string(move) + " SERIAL",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSoftKeys,
		RunE:              func(c *cobra.Command, args []string) error { return a.moveSoft(c.Context(), args[0], move) },
	}
}

// noticing is how long the daemon may take to look at a soft key.
const noticing = 5 * time.Second

func (a *app) moveSoft(ctx context.Context, serial string, move api.SoftMove) error {
	keys, err := a.client.MoveSoft(ctx, serial, move)
	if err != nil {
		return err
	}
	if err := a.untilNoticed(ctx, keys); err != nil {
		return err
	}
	return a.term.answer(keys, softWords(keys))
}

// untilNoticed waits until the daemon has seen which soft keys are plugged in: whoever types the next command
// takes longer than that, but a script does not.
func (a *app) untilNoticed(ctx context.Context, keys api.SoftKeys) error {
	ctx, cancel := context.WithTimeout(ctx, noticing)
	defer cancel()
	events, err := a.client.Events(ctx)
	if err != nil {
		return err
	}
	if seen, err := a.sees(ctx, keys); seen || err != nil {
		return err
	}
	for _, err := range events {
		if err != nil {
			return err
		}
		if seen, err := a.sees(ctx, keys); seen || err != nil {
			return err
		}
	}
	return nil
}

// sees reports whether as many keys are there as are plugged in. Some soft keys have no serial number.
func (a *app) sees(ctx context.Context, soft api.SoftKeys) (bool, error) {
	list, err := a.client.Keys(ctx)
	n := 0
	for _, key := range soft.Keys {
		if key.Plugged {
			n++
		}
	}
	for _, key := range list {
		if key.Present {
			n--
		}
	}
	return n == 0, err
}

func softWords(keys api.SoftKeys) []string {
	var rows [][]string
	for _, key := range keys.Keys {
		where := "pulled out"
		if key.Plugged {
			where = "plugged in"
		}
		rows = append(rows, []string{fmt.Sprint(key.Serial), key.Personality, where})
	}
	return ink.Table(rows)
}
