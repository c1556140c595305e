package client

import (
	"context"
	"encoding/json"
	"iter"
	"net"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Add writes accounts to keys; seeds[i] belongs to r.Accounts[i], whose SeedBytes it sets. The seeds stay
// the caller's to wipe. step, which may be nil, is told the progress. The end of ctx breaks off: what is
// under way on a key is finished first, and Resume tells what is left. With r.DryRun nothing is written.
func (c *Client) Add(ctx context.Context, r api.AddRequest, seeds []*oath.Secret, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/accounts").withSeeds(r, seeds), step)
}

// Verify proves copies.
func (c *Client) Verify(ctx context.Context, r api.VerifyRequest, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/verify").withJSON(r), step)
}

// Resume finishes open intents as far as it can.
func (c *Client) Resume(ctx context.Context, r api.ResumeRequest, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/resume").withJSON(r), step)
}

// Events subscribes to what happens. It returns once the daemon has taken the subscription, so nothing that
// happens later is missed; the sequence, which may be ranged over once, ends with an error when the
// daemon or ctx does.
func (c *Client) Events(ctx context.Context) (iter.Seq2[api.Event, error], error) {
	body, err := c.send(ctx, get("/v1/events"))
	if err != nil {
		return nil, err
	}
	return func(yield func(api.Event, error) bool) {
		defer body.Close()
		lines := json.NewDecoder(body)
		for {
			var event api.Event
			if err := lines.Decode(&event); err != nil {
				yield(event, unreadable(ctx, err))
				return
			}
			if !yield(event, nil) {
				return
			}
		}
	}, nil
}

// report sends r and reads the stream that answers it.
func (c *Client) report(ctx context.Context, r request, step func(api.Step)) (api.Report, error) {
	body, err := c.send(ctx, r)
	if err != nil {
		return api.Report{}, err
	}
	defer body.Close()
	lines := json.NewDecoder(body)
	for {
		var line api.Line
		if err := lines.Decode(&line); err != nil {
			return api.Report{}, cutShort(unreadable(ctx, err))
		}
		switch {
		case line.Error != nil:
			return api.Report{}, line.Error
		case line.Report != nil:
			return *line.Report, nil
		case line.Step != nil && step != nil:
			step(*line.Step)
		}
	}
}

// cutShort adds the next step to the error of a stream that ended without a report.
func cutShort(err error) error {
	if wire, ok := err.(*api.Error); ok && wire.Code == api.CodeNoDaemon {
		wire.Hint = "what was begun is noted; start oathd again, then: oathctl resume"
	}
	return err
}

// withSeeds adds a line of JSON and the seeds behind it. They go into the socket from where they lie: there is no
// copy of them to be wiped.
func (r request) withSeeds(add api.AddRequest, seeds []*oath.Secret) request {
	accounts := make([]api.NewAccount, len(add.Accounts))
	parts := make(net.Buffers, 1, 1+len(seeds))
	for i, account := range add.Accounts {
		account.SeedBytes = seeds[i].Len()
		accounts[i] = account
		parts = append(parts, seeds[i].Bytes())
	}
	add.Accounts = accounts
	parts[0] = append(marshal(add), '\n')
	r.contentType, r.body = api.SeedsType, parts
	return r
}
