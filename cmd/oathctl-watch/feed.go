package main

import (
	"context"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/oathd/oathd/internal/sentry"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// What the daemon tells.
type (
	// listed is all that there is now.
	listed struct {
		keys     []api.Key
		accounts []api.Account
	}
	// happened is one event.
	happened api.Event
	// gone says that the daemon cannot be reached, and why.
	gone struct{ err error }
)

// feed tells what there is, now and whenever it has changed, and what happens, until ctx ends. While there is no
// daemon it waits for one. No card is touched by any of it: the daemon answers from memory.
func feed(ctx context.Context, c *client.Client, tell func(tea.Msg)) {
	settle := false
	for ctx.Err() == nil {
		door, err := sentry.New(socket(c))
		if err != nil {
			tell(gone{err})
			return
		}
		err = follow(ctx, c, tell)
		if ctx.Err() == nil {
			tell(gone{err})
			settle, _ = door.Wait(ctx, settle)
		}
		door.Close()
	}
}

func socket(c *client.Client) string {
	if c.Socket != "" {
		return c.Socket
	}
	return client.DefaultSocket()
}

// follow tells what one daemon tells, until it is gone.
func follow(ctx context.Context, c *client.Client, tell func(tea.Msg)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := c.Events(ctx)
	if err != nil {
		return err
	}
	if err := list(ctx, c, tell); err != nil {
		return err
	}
	// Several events in a row are worth one list.
	stale := make(chan struct{}, 1)
	var listing sync.WaitGroup
	listing.Go(func() {
		for range stale {
			if list(ctx, c, tell) != nil {
				cancel()
			}
		}
	})
	defer listing.Wait()
	defer close(stale)
	for event, err := range events {
		if err != nil {
			return err
		}
		tell(happened(event))
		select {
		case stale <- struct{}{}:
		default:
		}
	}
	return nil
}

func list(ctx context.Context, c *client.Client, tell func(tea.Msg)) error {
	keys, err := c.Keys(ctx)
	if err != nil {
		return err
	}
	accounts, err := c.Accounts(ctx, "")
	if err != nil {
		return err
	}
	tell(listed{keys, accounts})
	return nil
}
