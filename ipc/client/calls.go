package client

import (
	"context"
	"net"
	"net/url"
	"strconv"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// Status says how the daemon is.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call[api.Status](ctx, c, get("/v1/status"))
}

// Keys lists the keys, plugged in or adopted.
func (c *Client) Keys(ctx context.Context) ([]api.Key, error) {
	answer, err := call[api.Keys](ctx, c, get("/v1/keys"))
	return answer.Keys, err
}

// Key finds one key by id, label or serial.
func (c *Client) Key(ctx context.Context, selector string) (api.Key, error) {
	answer, err := call[api.Keys](ctx, c, get("/v1/keys", "select", selector))
	return only(answer.Keys, err)
}

// Accounts lists the accounts whose label contains query in any case; all for "".
func (c *Client) Accounts(ctx context.Context, query string) ([]api.Account, error) {
	answer, err := call[api.Accounts](ctx, c, get("/v1/accounts", "query", query))
	return answer.Accounts, err
}

// AccountsPage lists at most limit of the accounts that Accounts lists, those behind the account with the id after; from
// the first on for "". Fewer than limit are the last.
func (c *Client) AccountsPage(ctx context.Context, query, after string, limit int) ([]api.Account, error) {
	parameters := []string{"query", query, "limit", strconv.Itoa(limit)}
	if after != "" {
		parameters = append(parameters, "after", after)
	}
	answer, err := call[api.Accounts](ctx, c, get("/v1/accounts", parameters...))
	return answer.Accounts, err
}

// Account finds exactly one account, as api.CodeRequest selects it.
func (c *Client) Account(ctx context.Context, selector string) (api.Account, error) {
	answer, err := call[api.Accounts](ctx, c, get("/v1/accounts", "select", selector))
	return only(answer.Accounts, err)
}

// AccountNames lists what may be meant by the beginning of an account's name.
func (c *Client) AccountNames(ctx context.Context, text string) ([]api.Name, error) {
	answer, err := call[api.Names](ctx, c, get("/v1/names", "account", text))
	return answer.Names, err
}

// KeyNames lists what may be meant by the beginning of a key's label.
func (c *Client) KeyNames(ctx context.Context, text string) ([]api.Name, error) {
	answer, err := call[api.Names](ctx, c, get("/v1/names", "key", text))
	return answer.Names, err
}

// Coverage draws accounts × keys.
func (c *Client) Coverage(ctx context.Context) (api.Coverage, error) {
	return call[api.Coverage](ctx, c, get("/v1/coverage"))
}

// Plan says how every account could have as many copies as are wanted. It changes nothing.
func (c *Client) Plan(ctx context.Context, r api.PlanRequest) (api.Plan, error) {
	return call[api.Plan](ctx, c, post("/v1/plan").withJSON(r))
}

// Audit returns the audit log.
func (c *Client) Audit(ctx context.Context) (api.Audit, error) {
	return call[api.Audit](ctx, c, get("/v1/audit"))
}

// Code computes a code. It waits for a touch, or for the next time step, as the request has it.
func (c *Client) Code(ctx context.Context, r api.CodeRequest) (api.Code, error) {
	return call[api.Code](ctx, c, post("/v1/code").withJSON(r))
}

// Rename gives an account another name on every key that can.
func (c *Client) Rename(ctx context.Context, account string, r api.RenameRequest) (api.Report, error) {
	return call[api.Report](ctx, c, post("/v1/accounts", account, "rename").withJSON(r))
}

// Remove deletes an account from one key, or from all for "". The last proved copy goes with force only.
func (c *Client) Remove(ctx context.Context, account, key string, force bool) (api.Report, error) {
	var query []string
	if key != "" {
		query = append(query, "key", key)
	}
	if force {
		query = append(query, "force", "true")
	}
	return call[api.Report](ctx, c, request{
		method: "DELETE",
		path:   path("/v1/accounts", account) + parameters(query),
	})
}

// SetAlias gives an account one more name, or none with "".
func (c *Client) SetAlias(ctx context.Context, account, value string) (api.Account, error) {
	return call[api.Account](ctx, c, post("/v1/accounts", account, "alias").withJSON(api.LabelRequest{Value: value}))
}

// Adopt takes a key into the ledger.
func (c *Client) Adopt(ctx context.Context, key string, r api.AdoptRequest) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "adopt").withJSON(r))
}

// SetLabel changes what people call a key.
func (c *Client) SetLabel(ctx context.Context, key, value string) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "label").withJSON(api.LabelRequest{Value: value}))
}

// SetSite says where a key is kept.
func (c *Client) SetSite(ctx context.Context, key, value string) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "site").withJSON(api.LabelRequest{Value: value}))
}

// SetHolder says who has a key.
func (c *Client) SetHolder(ctx context.Context, key, value string) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "holder").withJSON(api.LabelRequest{Value: value}))
}

// Reset empties a key's OATH applet.
func (c *Client) Reset(ctx context.Context, key string, r api.ResetRequest) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "reset").withJSON(r))
}

// SetPassword sets the applet's password, which stays the caller's to wipe.
func (c *Client) SetPassword(ctx context.Context, key string, password *oath.Secret) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "password").withSecret(password))
}

// ClearPassword removes the applet's password; the key must be unlocked.
func (c *Client) ClearPassword(ctx context.Context, key string) (api.Key, error) {
	return call[api.Key](ctx, c, request{method: "DELETE", path: path("/v1/keys", key, "password")})
}

// Unlock gives the daemon the applet's password for as long as it runs; it stays the caller's to wipe.
func (c *Client) Unlock(ctx context.Context, key string, password *oath.Secret) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "unlock").withSecret(password))
}

// Remember has the desktop's keyring keep the password of a key that is unlocked.
func (c *Client) Remember(ctx context.Context, key string) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "remember"))
}

// ForgetPassword has the keyring and the daemon forget a key's password.
func (c *Client) ForgetPassword(ctx context.Context, key string) (api.Key, error) {
	return call[api.Key](ctx, c, post("/v1/keys", key, "forget"))
}

// SoftKeys lists the daemon's own soft keys, pulled ones too; api.CodeNotFound if it has none.
func (c *Client) SoftKeys(ctx context.Context) ([]api.SoftKey, error) {
	answer, err := call[api.SoftKeys](ctx, c, get("/v1/soft"))
	return answer.Keys, err
}

// MoveSoft does to a soft key what a hand does to a real one.
func (c *Client) MoveSoft(ctx context.Context, serial string, move api.SoftMove) (api.SoftKeys, error) {
	return call[api.SoftKeys](ctx, c, post("/v1/soft", serial, string(move)).withJSON(struct{}{}))
}

// get is a request for a document. query alternates between names and values.
func get(path string, query ...string) request {
	return request{method: "GET", path: path + parameters(query)}
}

// post is a request that changes or computes something; elements are appended to the path.
func post(base string, elements ...string) request {
	return request{method: "POST", path: path(base, elements...)}
}

func path(base string, elements ...string) string {
	for _, e := range elements {
		base += "/" + url.PathEscape(e)
	}
	return base
}

func parameters(query []string) string {
	if len(query) == 0 {
		return ""
	}
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	return "?" + values.Encode()
}

// withSecret adds a password as the request's body. It is sent from where it lies.
func (r request) withSecret(s *oath.Secret) request {
	r.contentType, r.body = api.RawType, net.Buffers{s.Bytes()}
	return r
}

// only unwraps a list that was asked to hold one thing.
func only[T any](list []T, err error) (T, error) {
	if err != nil || len(list) != 1 {
		var none T
		if err == nil {
			err = &api.Error{Code: api.CodeInternal, Message: "cannot understand the daemon's answer: it does not hold one thing"}
		}
		return none, err
	}
	return list[0], nil
}
