package main

import (
	"context"
	"fmt"

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
		Use:   string(move) + " SERIAL",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.moveSoft(c.Context(), args[0], move) },
	}
}

func (a *app) moveSoft(ctx context.Context, serial string, move api.SoftMove) error {
	keys, err := a.client.MoveSoft(ctx, serial, move)
	if err != nil {
		return err
	}
	return a.term.answer(keys, softWords(keys))
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
