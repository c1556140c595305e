package socket

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// route is one line of the table: a pattern of http.ServeMux, and what answers it.
type route struct {
	pattern string
	handle  handler
}

// readings is what every door answers: what there is, and codes.
func readings(a *agent.Agent, c *codes) []route {
	return []route{
		{"GET /v1/status", get(func(*http.Request) (api.Status, error) { return a.Status(), nil })},
		{"GET /v1/keys", get(keys(a), "select")},
		{"GET /v1/accounts", get(accounts(a), "query", "select", "limit", "after")},
		{"GET /v1/names", get(names(a), "account", "key")},
		{"POST /v1/code", c.handle},
	}
}

// writings is what only the user's own door answers: changes, and what concerns nobody else. {name} is what selects
// the account or the key.
func writings(a *agent.Agent) []route {
	return append(escrows(a), []route{
		{"GET /v1/coverage", get(func(*http.Request) (api.Coverage, error) { return a.Coverage(), nil })},
		{"GET /v1/audit", get(func(r *http.Request) (api.Audit, error) { return a.Audit(r.Context()) })},
		{"GET /v1/events", events(a.Events)},

		{"POST /v1/verify", streamed(a.Verify)},
		{"POST /v1/plan", asked(a.Plan)},

		{"POST /v1/accounts", add(a.Add)},
		{"POST /v1/accounts/{name}/rename", named(a.Rename)},
		{"POST /v1/accounts/{name}/alias", named(valued(a.SetAlias))},
		{"DELETE /v1/accounts/{name}", remove(a.Remove, a.Withdraw)},

		{"POST /v1/keys/{name}/adopt", named(a.Adopt)},
		{"POST /v1/keys/{name}/enroll", unsealed(maxPassword, a.Enroll)},
		{"POST /v1/keys/{name}/label", named(valued(a.SetLabel))},
		{"POST /v1/keys/{name}/site", named(valued(a.SetSite))},
		{"POST /v1/keys/{name}/holder", named(valued(a.SetHolder))},
		{"POST /v1/keys/{name}/reset", named(a.Reset)},
		{"POST /v1/keys/{name}/unlock", secret(a.Unlock)},
		{"POST /v1/keys/{name}/password", secret(a.SetPassword)},
		{"DELETE /v1/keys/{name}/password", bare(a.ClearPassword)},
		{"POST /v1/keys/{name}/remember", bare(discreet(a.Remember))},
		{"POST /v1/keys/{name}/forget", bare(a.ForgetPassword)},
	}...)
}

// shut refuses what is not to be had at this door.
func shut(_ http.ResponseWriter, r *http.Request) error {
	return &api.Error{
		Code:    api.CodeForbidden,
		Message: fmt.Sprintf("cannot answer %s %s: this socket is for lists and codes alone", r.Method, r.URL.Path),
		Hint:    "the user's own socket, oathd.sock, answers everything",
	}
}

// get answers with a document. parameters are those that the query may have.
func get[Resp any](f func(*http.Request) (Resp, error), parameters ...string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := options(r, parameters...); err != nil {
			return err
		}
		resp, err := f(r)
		return answer(w, resp, err)
	}
}

// named answers a request that a Req describes, about the key or account of the path.
func named[Req, Resp any](f func(context.Context, agent.Caller, string, Req) (Resp, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, err := readJSON[Req](w, r)
		if err != nil {
			return err
		}
		resp, err := f(r.Context(), connOf(r).caller(), r.PathValue("name"), req)
		return answer(w, resp, err)
	}
}

// asked answers a request that a Req describes and that changes nothing, whoever asks.
func asked[Req, Resp any](f func(Req) (Resp, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, err := readJSON[Req](w, r)
		if err != nil {
			return err
		}
		resp, err := f(req)
		return answer(w, resp, err)
	}
}

// valued makes a function of one value into one of an api.LabelRequest.
func valued[Resp any](f func(context.Context, agent.Caller, string, string) (Resp, error)) func(context.Context, agent.Caller, string, api.LabelRequest) (Resp, error) {
	return func(ctx context.Context, who agent.Caller, name string, req api.LabelRequest) (Resp, error) {
		return f(ctx, who, name, req.Value)
	}
}

// bare answers a request that says everything in its path.
func bare[Resp any](f func(context.Context, agent.Caller, string) (Resp, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := options(r); err != nil {
			return err
		}
		resp, err := f(r.Context(), connOf(r).caller(), r.PathValue("name"))
		return answer(w, resp, err)
	}
}

// discreet is for what has a secret in hand for a while, though none comes with the request.
func discreet[Resp any](f func(context.Context, agent.Caller, string) (Resp, error)) func(context.Context, agent.Caller, string) (Resp, error) {
	return func(ctx context.Context, who agent.Caller, name string) (Resp, error) {
		defer scour()
		return f(ctx, who, name)
	}
}

// secret answers a request whose body is a password, which f wipes.
func secret[Resp any](f func(context.Context, agent.Caller, string, *oath.Secret) (Resp, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		password, err := readPassword(w, r)
		forget(w, r)
		if err != nil {
			return err
		}
		resp, err := f(r.Context(), connOf(r).caller(), r.PathValue("name"), password)
		scour()
		return answer(w, resp, err)
	}
}

// streamed answers a request that a Req describes with steps and a report.
func streamed[Req any](f func(context.Context, agent.Caller, Req, func(api.Step)) (api.Report, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, err := readJSON[Req](w, r)
		if err != nil {
			return err
		}
		return reported(w, r, func(ctx context.Context, step func(api.Step)) (api.Report, error) {
			return f(ctx, connOf(r).caller(), req, step)
		})
	}
}

// add answers a request that brings seeds, which f wipes.
func add(f func(context.Context, agent.Caller, api.AddRequest, []*oath.Secret, func(api.Step)) (api.Report, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		req, seeds, err := readSeeds(w, r)
		forget(w, r)
		if err != nil {
			return err
		}
		return reported(w, r, func(ctx context.Context, step func(api.Step)) (api.Report, error) {
			defer scour()
			return f(ctx, connOf(r).caller(), req, seeds, step)
		})
	}
}

// remove reads its options from the query, as a DELETE has no body. With keep it is withdraw that answers.
func remove(
	f func(ctx context.Context, who agent.Caller, account, key string, force bool) (api.Report, error),
	withdraw func(ctx context.Context, who agent.Caller, account string) (api.Report, error),
) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := options(r, "key", "force", "keep")
		if err != nil {
			return err
		}
		force, err := flag(q, "force")
		if err != nil {
			return err
		}
		keep, err := flag(q, "keep")
		if err != nil {
			return err
		}
		var resp api.Report
		switch who, name := connOf(r).caller(), r.PathValue("name"); {
		case keep && (force || q.Has("key")):
			return badRequest("keep stands alone: it is about all keys, and destroys nothing")
		case keep:
			resp, err = withdraw(r.Context(), who, name)
		default:
			resp, err = f(r.Context(), who, name, q.Get("key"), force)
		}
		return answer(w, resp, err)
	}
}

// flag reads an option that is true or false, and false if it is not there.
func flag(q url.Values, name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	set, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, badRequest("%s is %q; it is true or false", name, q.Get(name))
	}
	return set, nil
}

// keys lists the keys, or with select the one of that name.
func keys(a *agent.Agent) func(*http.Request) (api.Keys, error) {
	return func(r *http.Request) (api.Keys, error) {
		q := r.URL.Query()
		if !q.Has("select") {
			return api.Keys{Keys: a.Keys()}, nil
		}
		key, err := a.Key(q.Get("select"))
		return api.Keys{Keys: []api.Key{key}}, err
	}
}

// accounts lists the accounts, with limit and after a page of them, or with select the one of that name.
func accounts(a *agent.Agent) func(*http.Request) (api.Accounts, error) {
	return func(r *http.Request) (api.Accounts, error) {
		q := r.URL.Query()
		if !q.Has("select") {
			most, err := limit(q)
			if err != nil {
				return api.Accounts{}, err
			}
			page, err := a.AccountsPage(q.Get("query"), q.Get("after"), most)
			return api.Accounts{Accounts: page}, err
		}
		account, err := a.Account(q.Get("select"))
		return api.Accounts{Accounts: []api.Account{account}}, err
	}
}

// limit is how long a list may be; without a limit, as long as it is.
func limit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return math.MaxInt, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 {
		return 0, badRequest("limit is %q; it is a number from 1 on", q.Get("limit"))
	}
	return n, nil
}

// names lists what the beginning of an account's or a key's name may mean.
func names(a *agent.Agent) func(*http.Request) (api.Names, error) {
	return func(r *http.Request) (api.Names, error) {
		switch q := r.URL.Query(); {
		case q.Has("account") == q.Has("key"):
			return api.Names{}, badRequest("it names neither account nor key, or both")
		case q.Has("key"):
			return api.Names{Names: a.KeyNames(q.Get("key"))}, nil
		default:
			return api.Names{Names: a.AccountNames(q.Get("account"))}, nil
		}
	}
}

// answer writes resp unless there is an error.
func answer(w http.ResponseWriter, resp any, err error) error {
	if err == nil {
		writeJSON(w, http.StatusOK, resp)
	}
	return err
}

// options returns the query of a request that has no body.
func options(r *http.Request, known ...string) (url.Values, error) {
	if r.ContentLength != 0 {
		return nil, badRequest("it has a body, and this route takes none")
	}
	return query(r, known...)
}

// query returns the request's query, which has no other parameters than the known ones.
func query(r *http.Request, known ...string) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return nil, unknownName("parameter", name, known)
		}
		if len(values) > 1 {
			return nil, badRequest("the parameter %q is there %d times", name, len(values))
		}
	}
	return q, nil
}
