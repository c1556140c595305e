package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
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
		if err := a.term.answer(event, []string{eventWords(event)}); err != nil {
			return err
		}
	}
	return nil
}

// eventNames are the words for what happened.
var eventNames = map[api.EventKind]string{
	api.EventKeyIn:        "plugged in",
	api.EventKeyOut:       "pulled out",
	api.EventKeyChanged:   "changed",
	api.EventTouchWanted:  "wants to be touched",
	api.EventTouchDone:    "touched, or given up",
	api.EventAccounts:     "accounts changed",
	api.EventMismatch:     "answers with another seed than before",
	api.EventTrouble:      "trouble",
	api.EventTroubleOver:  "trouble over",
	api.EventSkipped:      "events were missed",
	api.EventHoldToReader: "hold the key to the reader",
}

func eventWords(e api.Event) string {
	parts := []string{e.At.Local().Format(time.TimeOnly)}
	if e.KeyLabel != "" {
		parts = append(parts, e.KeyLabel+":")
	}
	name, ok := eventNames[e.Kind]
	if !ok {
		name = string(e.Kind)
	}
	parts = append(parts, name)
	if e.Label != "" {
		parts = append(parts, "("+e.Label+")")
	}
	if len(e.Waiting) > 0 {
		parts = append(parts, "for "+strings.Join(e.Waiting, ", "))
	}
	if e.Message != "" {
		parts = append(parts, "– "+e.Message)
	}
	if e.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("(%d)", e.Skipped))
	}
	return strings.Join(parts, " ")
}
