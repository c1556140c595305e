package socket

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

func TestNamed(t *testing.T) {
	d := start(t,
		route{"POST /v1/keys/{name}/label", named(valued(func(_ context.Context, _ agent.Caller, name, value string) (string, error) {
			return name + "=" + value, nil
		}))},
		route{"DELETE /v1/keys/{name}/password", bare(func(_ context.Context, who agent.Caller, name string) (string, error) {
			return name, nil
		})})
	if status, body := d.post("/v1/keys/a%2Fb%20c/label", `{"value":"red"}`); status != 200 || body != `"a/b c=red"`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := d.post("/v1/keys/a/label", `{"label":"red"}`); status != 400 {
		t.Errorf("a misspelt field: %d %s", status, body)
	}
	if status, body := d.do("DELETE", "/v1/keys/red/password", nil); status != 200 || body != `"red"`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := d.do("DELETE", "/v1/keys/red/password?force=1", nil); status != 400 {
		t.Errorf("an unknown parameter: %d %s", status, body)
	}
	if status, body := d.do("DELETE", "/v1/keys/red/password?x=1&x=2", nil); status != 400 {
		t.Errorf("%d %s", status, body)
	}
}

func TestRemove(t *testing.T) {
	d := start(t, route{"DELETE /v1/accounts/{name}", remove(func(_ context.Context, _ agent.Caller, account, key string, force bool) (api.Report, error) {
		return api.Report{Warnings: []string{account, key}, Complete: force}, nil
	}, func(_ context.Context, _ agent.Caller, account string) (api.Report, error) {
		return api.Report{Warnings: []string{"kept " + account}}, nil
	})})
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/accounts/x", 200, `"complete":false,"warnings":["x",""]`},
		{"/v1/accounts/x?key=red&force=true", 200, `"complete":true,"warnings":["x","red"]`},
		{"/v1/accounts/x?keep=true", 200, `"warnings":["kept x"]`},
		{"/v1/accounts/x?keep=true&force=true", 400, "keep stands alone"},
		{"/v1/accounts/x?keep=true&key=red", 400, "keep stands alone"},
		{"/v1/accounts/x?keep=some", 400, "keep is"},
		{"/v1/accounts/x?force=0", 200, `"complete":false`},
		{"/v1/accounts/x?force=", 400, "force is"},
		{"/v1/accounts/x?force=maybe", 400, "force is"},
		{"/v1/accounts/x?forec=true", 400, "did you mean force?"},
		{"/v1/accounts/x?a=%zz", 400, "invalid URL escape"},
	} {
		if status, body := d.do("DELETE", test.path, nil); status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s", test.path, status, body)
		}
	}
}

// TestUnwantedBody: options in a body would be overlooked.
func TestUnwantedBody(t *testing.T) {
	d := start(t, hello, route{"GET /v1/nothing", get(func(*http.Request) (string, error) { return "", nil })})
	status, body := d.do("GET", "/v1/nothing", strings.NewReader(`{"query":"x"}`), "Content-Type", api.JSONType)
	if e := refusal(t, body); status != 400 || !strings.Contains(e.Message, "this route takes none") {
		t.Errorf("%d %s", status, body)
	}
}

// hands are the soft keys of a test.
type hands map[uint32]bool

func (h hands) List() []api.SoftKey {
	var keys []api.SoftKey
	for serial, plugged := range h {
		keys = append(keys, api.SoftKey{Serial: serial, Plugged: plugged})
	}
	return keys
}

func (h hands) Move(serial uint32, move api.SoftMove) error {
	if _, ok := h[serial]; !ok {
		return &api.Error{Code: api.CodeNotFound, Message: "cannot find it"}
	}
	h[serial] = move != api.SoftPull
	return nil
}

func TestSoft(t *testing.T) {
	d := start(t, softRoutes(hands{1000001: true})...)
	if status, body := d.do("GET", "/v1/soft", nil); status != 200 || !strings.Contains(body, `"plugged":true`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := d.post("/v1/soft/1000001/pull", "{}"); status != 200 || !strings.Contains(body, `"plugged":false`) {
		t.Errorf("pull: %d %s", status, body)
	}
	if status, body := d.post("/v1/soft/1000002/pull", "{}"); status != 404 {
		t.Errorf("another one: %d %s", status, body)
	}
	if status, body := d.post("/v1/soft/red/pull", "{}"); status != 400 {
		t.Errorf("no serial: %d %s", status, body)
	}
	if status, body := d.post("/v1/soft/1000001/smash", "{}"); status != 404 {
		t.Errorf("no such move: %d %s", status, body)
	}
}

// Who completes a name says whether it is an account's or a key's.
func TestNamesOfWhat(t *testing.T) {
	d := start(t, route{"GET /v1/names", get(names(nil), "account", "key")})
	for _, query := range []string{"", "?account=a&key=b", "?name=a"} {
		if status, body := d.do("GET", "/v1/names"+query, nil); status != 400 {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
}

// TestRoutes holds the table against the routes that clients use.
func TestRoutes(t *testing.T) {
	s := New(Options{Agent: new(agent.Agent), Soft: hands{}, Log: quiet.Log})
	for _, route := range []string{
		"GET /v1/status", "GET /v1/keys", "GET /v1/accounts", "GET /v1/names", "GET /v1/coverage", "GET /v1/audit", "GET /v1/events", "GET /v1/soft",
		"POST /v1/code", "POST /v1/accounts", "POST /v1/verify", "POST /v1/resume",
		"POST /v1/accounts/x/rename", "DELETE /v1/accounts/x", "POST /v1/accounts/x/rotate", "POST /v1/accounts/x/rotate/end", "POST /v1/accounts/x/runbook", "POST /v1/accounts/x/runbook/show",
		"GET /v1/escrow", "POST /v1/escrow/init", "POST /v1/escrow/recipients", "POST /v1/escrow/recipients/remove",
		"POST /v1/escrow/drill", "POST /v1/escrow/backup", "POST /v1/escrow/open", "POST /v1/restore", "POST /v1/export", "POST /v1/keys/x/lost",
		"POST /v1/keys/x/adopt", "POST /v1/keys/x/label", "POST /v1/keys/x/site", "POST /v1/keys/x/holder", "POST /v1/keys/x/reset",
		"POST /v1/keys/x/unlock", "POST /v1/keys/x/password", "DELETE /v1/keys/x/password",
		"POST /v1/soft/1/pull", "POST /v1/soft/1/plug", "POST /v1/soft/1/touch",
	} {
		method, path, _ := strings.Cut(route, " ")
		if _, pattern := s.mux.Handler(httptest.NewRequest(method, path, nil)); pattern == "/" || pattern == "" {
			t.Errorf("%s is not routed", route)
		}
	}
	hard := New(Options{Agent: new(agent.Agent), Log: quiet.Log})
	if _, pattern := hard.mux.Handler(httptest.NewRequest("GET", "/v1/soft", nil)); pattern != "/" {
		t.Error("GET /v1/soft is routed without soft keys")
	}
}

// TestCodesDoorIsShut tries every route of the table at the door for lists and codes. The agent behind it is an
// empty one: what reached it would panic.
func TestCodesDoorIsShut(t *testing.T) {
	o := Options{Agent: new(agent.Agent), Soft: hands{1000001: true}, CodesOnly: true, Log: quiet.Log, StopTimeout: patience}
	path, l := listenOn(t)
	d := serveOn(t, l, path, New(o))
	for _, r := range append(writings(o.Agent), softRoutes(o.Soft)...) {
		method, path, _ := strings.Cut(strings.ReplaceAll(r.pattern, "{name}", "1000001"), " ")
		status, body := d.do(method, path, strings.NewReader("{}"), "Content-Type", api.JSONType)
		if e := refusal(t, body); status != 403 || e.Code != api.CodeForbidden || !strings.Contains(e.Message, "lists and codes alone") {
			t.Errorf("%s: %d %s", r.pattern, status, body)
		}
	}
	if o.Soft.List()[0].Plugged != true {
		t.Error("a soft key was pulled")
	}
	for unknown, want := range map[string]int{
		"GET /": 404, "GET /v1": 404, "GET /v2/accounts": 404, "DELETE /v1/code": 405, "POST /v1/status": 405, "PUT /v1/accounts": 405,
	} {
		method, path, _ := strings.Cut(unknown, " ")
		if status, body := d.do(method, path, nil); status != want {
			t.Errorf("%s: %d %s, and not %d", unknown, status, body, want)
		}
	}
	open := []string{}
	for _, r := range readings(o.Agent, newCodes(o.Agent)) {
		open = append(open, r.pattern)
	}
	if got := strings.Join(open, ", "); got != "GET /v1/status, GET /v1/keys, GET /v1/accounts, GET /v1/names, POST /v1/code" {
		t.Errorf("the door for lists and codes is open for %s", got)
	}
}
