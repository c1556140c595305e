package client

import (
	"context"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Enroll sets up a key's slot for the escrow, or says what that would do. pin is nil for a plan, and stays the caller's.
func (c *Client) Enroll(ctx context.Context, key string, r api.EnrollRequest, pin *oath.Secret) (api.Enrollment, error) {
	return call[api.Enrollment](ctx, c, post("/v1/keys", key, "enroll").withSecrets(&r, pin))
}
