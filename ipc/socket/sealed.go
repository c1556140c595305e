package socket

import (
	"context"
	"io"
	"net/http"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// The limits of what follows a request: a PIN, a recovery key or a passphrase; a runbook; a backup of ten thousand accounts.
const (
	maxRunbook = 64 << 10
	maxBackup  = 64 << 20
)

// sealed is a request that secrets follow, in this order and as long as it says.
type sealed[R any] interface {
	*R
	Lengths() []*int
}

// readSealed reads a request and its secrets, each straight into a Secret of its own; max bounds each. One that has none may
// come as JSON. They are the caller's to wipe; after an error there are none.
func readSealed[R any, P sealed[R]](w http.ResponseWriter, r *http.Request, max int) (req R, secrets []*oath.Secret, err error) {
	if mediaType(r.Header.Get("Content-Type")) == api.JSONType {
		if req, err = readJSON[R](w, r); err != nil {
			return req, nil, err
		}
		return req, emptySecrets(P(&req).Lengths()), noneMeant(P(&req).Lengths())
	}
	err = readBody(w, r, api.SecretsType, int64(maxLine+2*max), func(body io.Reader) error {
		secrets, err = parseSealed(body, P(&req), max)
		return err
	})
	if err != nil {
		wipeAll(secrets)
		return req, nil, err
	}
	return req, secrets, nil
}

// emptySecrets stand for secrets that a request does without.
func emptySecrets(lengths []*int) []*oath.Secret {
	secrets := make([]*oath.Secret, len(lengths))
	for i := range secrets {
		secrets[i] = oath.NewSecret(0)
	}
	return secrets
}

func noneMeant(lengths []*int) error {
	for _, n := range lengths {
		if *n != 0 {
			return badRequest("secrets are to follow it, so its Content-Type must be %s", api.SecretsType)
		}
	}
	return nil
}

// parseSealed reads a line of JSON and the secrets behind it. What it returns with an error is the caller's to wipe too.
func parseSealed(body io.Reader, req interface{ Lengths() []*int }, max int) (secrets []*oath.Secret, err error) {
	line, err := readLine(body)
	if err != nil {
		return nil, bodyError(err)
	}
	if err := unmarshal(line, req); err != nil {
		return nil, err
	}
	for _, n := range req.Lengths() {
		if *n < 0 || *n > max {
			return nil, badRequest("a secret of %d bytes; it has at most %d", *n, max)
		}
	}
	for _, n := range req.Lengths() {
		secret, err := oath.ReadSecret(body, *n)
		if err != nil {
			return secrets, bodyError(err)
		}
		secrets = append(secrets, secret)
	}
	if err := atEnd(body); err != nil {
		return secrets, bodyError(err)
	}
	return secrets, nil
}

// unsealed answers a request with secrets, which f wipes.
func unsealed[Req any, P sealed[Req], Resp any](max int, f func(context.Context, agent.Caller, string, Req, []*oath.Secret) (Resp, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, secrets, err := readSealed[Req, P](w, r, max)
		forget(w, r)
		if err != nil {
			return err
		}
		resp, err := f(r.Context(), connOf(r).caller(), r.PathValue("name"), req, secrets)
		scour()
		return answer(w, resp, err)
	}
}

// unsealedStream is unsealed with steps and a report.
func unsealedStream[Req any, P sealed[Req]](f func(context.Context, agent.Caller, Req, []*oath.Secret, func(api.Step)) (api.Report, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, secrets, err := readSealed[Req, P](w, r, maxPassword)
		forget(w, r)
		if err != nil {
			return err
		}
		return reported(w, r, func(ctx context.Context, step func(api.Step)) (api.Report, error) {
			defer scour()
			return f(ctx, connOf(r).caller(), req, secrets, step)
		})
	}
}

// made answers with what was made, a line of JSON, and the page to print behind it.
func made[Req any, P sealed[Req]](f func(context.Context, agent.Caller, Req, []*oath.Secret) (api.Escrow, *oath.Secret, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, secrets, err := readSealed[Req, P](w, r, maxPassword)
		forget(w, r)
		if err != nil {
			return err
		}
		escrow, page, err := f(r.Context(), connOf(r).caller(), req, secrets)
		scour()
		if err != nil {
			return err
		}
		defer page.Wipe()
		return writeSecret(w, api.SecretsType, encode(api.EscrowMade{Escrow: escrow, PaperBytes: page.Len()}), page)
	}
}

// here makes a function of a request that is about nothing in the path into one that unsealed takes.
func here[Req, Resp any](f func(context.Context, agent.Caller, Req, []*oath.Secret) (Resp, error)) func(context.Context, agent.Caller, string, Req, []*oath.Secret) (Resp, error) {
	return func(ctx context.Context, who agent.Caller, _ string, req Req, secrets []*oath.Secret) (Resp, error) {
		return f(ctx, who, req, secrets)
	}
}
