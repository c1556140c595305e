package client

import (
	"context"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// EnrollSecrets are what a set-up takes and changes; nil for what it does not. They stay the caller's.
type EnrollSecrets struct {
	PIN, ManagementKey, NewPIN, PUK, NewPUK *oath.Secret
}

// Wipe wipes them all.
func (s EnrollSecrets) Wipe() {
	for _, secret := range s.list() {
		secret.Wipe()
	}
}

func (s EnrollSecrets) list() []*oath.Secret {
	return []*oath.Secret{s.PIN, s.ManagementKey, s.NewPIN, s.PUK, s.NewPUK}
}

// Enroll sets up a key's slot for the escrow, and changes what the request names, or says what that would do.
func (c *Client) Enroll(ctx context.Context, key string, r api.EnrollRequest, s EnrollSecrets) (api.Enrollment, error) {
	return call[api.Enrollment](ctx, c, post("/v1/keys", key, "enroll").withSecrets(&r, s.list()...))
}
