package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// maxPage bounds a recovery paper and a runbook.
const maxPage = 1 << 20

// Escrow tells what can be told of the escrow without opening it.
func (c *Client) Escrow(ctx context.Context) (api.Escrow, error) {
	return call[api.Escrow](ctx, c, get("/v1/escrow"))
}

// EscrowInit makes the escrow. passphrase is nil if there is to be none; it stays the caller's. The page is the recovery paper,
// for the caller to print and wipe, nil if none was asked for.
func (c *Client) EscrowInit(ctx context.Context, r api.EscrowInitRequest, passphrase *oath.Secret) (api.Escrow, *oath.Secret, error) {
	return c.made(ctx, post("/v1/escrow/init").withSecrets(&r, passphrase))
}

// EscrowAdd adds one recipient. secret is the opener's, passphrase what is added, or nil; both stay the caller's. The page is as
// EscrowInit's.
func (c *Client) EscrowAdd(ctx context.Context, r api.EscrowAddRequest, secret, passphrase *oath.Secret) (api.Escrow, *oath.Secret, error) {
	return c.made(ctx, post("/v1/escrow/recipients").withSecrets(&r, secret, passphrase))
}

// EscrowRemove takes recipients out. secret is the opener's, passphrase the one that stays, or nil; both stay the caller's.
func (c *Client) EscrowRemove(ctx context.Context, r api.EscrowRemoveRequest, secret, passphrase *oath.Secret) (api.Escrow, error) {
	return call[api.Escrow](ctx, c, post("/v1/escrow/recipients/remove").withSecrets(&r, secret, passphrase))
}

// EscrowDrill tries one recipient on all that is in the escrow. secret is the opener's and stays the caller's.
func (c *Client) EscrowDrill(ctx context.Context, r api.EscrowDrillRequest, secret *oath.Secret) (api.EscrowDrill, error) {
	return call[api.EscrowDrill](ctx, c, post("/v1/escrow/drill").withSecrets(&r, secret))
}

// EscrowBackup returns the backup as a file, which is no secret.
func (c *Client) EscrowBackup(ctx context.Context) ([]byte, error) {
	body, err := c.send(ctx, post("/v1/escrow/backup").withJSON(struct{}{}))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	file, err := io.ReadAll(body)
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	return file, nil
}

// EscrowOpen rebuilds ledger and escrow from a backup, where the ledger is empty. secret is the opener's and stays the caller's.
func (c *Client) EscrowOpen(ctx context.Context, r api.EscrowOpenRequest, secret *oath.Secret, backup []byte) (api.Escrow, error) {
	r.Opener.SecretBytes, r.BackupBytes = secret.Len(), len(backup)
	req := post("/v1/escrow/open")
	req.contentType, req.body = api.SecretsType, net.Buffers{append(marshal(r), '\n'), secret.Bytes(), backup}
	return call[api.Escrow](ctx, c, req)
}

// Restore writes accounts from the escrow to keys. secret is the opener's and stays the caller's.
func (c *Client) Restore(ctx context.Context, r api.RestoreRequest, secret *oath.Secret, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/restore").withSecrets(&r, secret), step)
}

// Export takes an account's seed out of the escrow. It is the caller's to wipe; secret is the opener's and stays the caller's.
func (c *Client) Export(ctx context.Context, r api.ExportRequest, secret *oath.Secret) (api.Exported, *oath.Secret, error) {
	return sealed(ctx, c, post("/v1/export").withSecrets(&r, secret), func(e api.Exported) int { return e.Account.SeedBytes })
}

// Apply carries out a plan that was shown. secret is the opener's, nil without one, and stays the caller's.
func (c *Client) Apply(ctx context.Context, r api.ApplyRequest, secret *oath.Secret, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/plan/apply").withSecrets(&r, secret), step)
}

// ResumeWith is Resume with an opener, for what is absent to be written from the escrow. secret stays the caller's.
func (c *Client) ResumeWith(ctx context.Context, r api.ResumeRequest, secret *oath.Secret, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/resume").withSecrets(&r, secret), step)
}

// KeyLost declares a key lost. secret is the opener's, passphrase the escrow's, both nil without an opener; they stay the
// caller's.
func (c *Client) KeyLost(ctx context.Context, key string, r api.LostRequest, secret, passphrase *oath.Secret) (api.LostReport, error) {
	return call[api.LostReport](ctx, c, post("/v1/keys", key, "lost").withSecrets(&r, secret, passphrase))
}

// Withdraw takes an account off all keys, and leaves its seed in the escrow.
func (c *Client) Withdraw(ctx context.Context, account string) (api.Report, error) {
	return call[api.Report](ctx, c, request{method: "DELETE", path: path("/v1/accounts", account) + parameters([]string{"keep", "true"})})
}

// Rotate begins to give an account another seed, which stays the caller's to wipe.
func (c *Client) Rotate(ctx context.Context, account string, r api.RotateRequest, seed *oath.Secret, step func(api.Step)) (api.Report, error) {
	return c.report(ctx, post("/v1/accounts", account, "rotate").withSecrets(&r, seed), step)
}

// RotateEnd ends a rotation: the service took the new codes, or it is given up.
func (c *Client) RotateEnd(ctx context.Context, account string, r api.RotateEndRequest) (api.Report, error) {
	return call[api.Report](ctx, c, post("/v1/accounts", account, "rotate", "end").withJSON(r))
}

// SetRunbook replaces an account's runbook, or forgets it if the text is empty. text stays the caller's.
func (c *Client) SetRunbook(ctx context.Context, account string, text *oath.Secret) (api.Account, error) {
	return call[api.Account](ctx, c, post("/v1/accounts", account, "runbook").withSecrets(&api.RunbookSetRequest{}, text))
}

// Runbook returns an account's runbook, the caller's to wipe. secret is the opener's and stays the caller's.
func (c *Client) Runbook(ctx context.Context, account string, r api.RunbookRequest, secret *oath.Secret) (*oath.Secret, error) {
	body, err := c.send(ctx, post("/v1/accounts", account, "runbook", "show").withSecrets(&r, secret))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return rest(ctx, body)
}

// rest reads what is left of an answer into a Secret, and leaves nothing of it in the reader.
func rest(ctx context.Context, b body) (*oath.Secret, error) {
	defer b.wipe()
	room := oath.NewSecret(maxPage)
	defer room.Wipe()
	n, err := io.ReadFull(b, room.Bytes())
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, unreadable(ctx, err)
	}
	return oath.CopySecret(room.Bytes()[:n]), nil
}

// made reads a line of JSON and the page behind it.
func (c *Client) made(ctx context.Context, r request) (api.Escrow, *oath.Secret, error) {
	answer, page, err := sealed(ctx, c, r, func(m api.EscrowMade) int { return m.PaperBytes })
	return answer.Escrow, page, err
}

// sealed reads a line of JSON, and the secret behind it, which is as long as length says of it; nil if it has none.
func sealed[T any](ctx context.Context, c *Client, r request, length func(T) int) (answer T, secret *oath.Secret, err error) {
	body, err := c.send(ctx, r)
	if err != nil {
		return answer, nil, err
	}
	defer body.Close()
	line, err := body.ReadBytes('\n')
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(line)).Decode(&answer)
	}
	if err != nil {
		return answer, nil, unreadable(ctx, err)
	}
	if length(answer) == 0 {
		return answer, nil, nil
	}
	secret, err = rest(ctx, body)
	if err == nil && secret.Len() != length(answer) {
		secret.Wipe()
		return answer, nil, unreadable(ctx, io.ErrUnexpectedEOF)
	}
	return answer, secret, err
}

// withSecrets adds a line of JSON and the secrets behind it, whose lengths it sets; a nil one is empty. They go into the
// socket from where they lie.
func (r request) withSecrets(req interface{ Lengths() []*int }, secrets ...*oath.Secret) request {
	var parts net.Buffers
	for i, n := range req.Lengths() {
		*n = secrets[i].Len()
		parts = append(parts, secrets[i].Bytes())
	}
	r.contentType, r.body = api.SecretsType, append(net.Buffers{append(marshal(req), '\n')}, parts...)
	return r
}
