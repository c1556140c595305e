package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/words"
)

func (a *app) eventsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "events",
		Short: "Show what happens, as it happens, until Ctrl-C",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.events(c.Context()) },
	}
}

func (a *app) events(ctx context.Context) error {
	events, err := a.client.Events(ctx)
	if err != nil {
		return err
	}
	a.term.say("waiting for events (Ctrl-C ends it)")
	for event, err := range events {
		if err != nil && ctx.Err() != nil {
			return nil // Ctrl-C is how it is meant to end
		}
		if err != nil {
			return err
		}
		if err := a.term.answer(event, []string{words.Event(event)}); err != nil {
			return err
		}
	}
	return nil
}
