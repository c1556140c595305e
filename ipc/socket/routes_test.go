package socket

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

func TestCode(t *testing.T) {
	d := start(t, route{"POST /v1/code", code(func(_ context.Context, _ agent.Caller, r api.CodeRequest) (api.Code, error) {
		switch r.Account {
		case "":
			return api.Code{}, &api.Error{Code: api.CodeAmbiguous, Message: "cannot choose", Candidates: []api.Candidate{{ID: "a", Label: "A"}}}
		case "pair":
			return api.Code{Code: "123456", Next: "654321"}, nil
		}
		return api.Code{Code: "123456", Label: r.Account}, nil
	})})
	for _, test := range []struct {
		body, accept string
		status       int
		want         string
	}{
		{`{"account":"GitHub"}`, "", 200, `{"account":"","label":"GitHub","code":"123456","key":"","key_label":"","proved":false,"soft":false,"touch":false}` + "\n"},
		{`{"account":"GitHub"}`, "text/plain", 200, "123456\n"},
		{`{"account":"GitHub"}`, "text/plain;q=0.9, */*", 200, "123456\n"},
		{`{"account":"pair"}`, "text/plain", 200, "123456\n654321\n"},
		{`{}`, "text/plain", 409, `{"error":{"code":"ambiguous","message":"cannot choose","candidates":[{"id":"a","label":"A"}]}}` + "\n"},
	} {
		status, body := d.do("POST", "/v1/code", strings.NewReader(test.body), "Content-Type", api.JSONType, "Accept", test.accept)
		if status != test.status || body != test.want {
			t.Errorf("%s: %d %s", test.body, status, body)
		}
	}
	if status, body := d.post("/v1/code", "x"); status != 400 {
		t.Errorf("no JSON: %d %s", status, body)
	}
}

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
}

func TestRemove(t *testing.T) {
	d := start(t, route{"DELETE /v1/accounts/{name}", remove(func(_ context.Context, _ agent.Caller, account, key string, force bool) (api.Report, error) {
		return api.Report{Warnings: []string{account, key}, Complete: force}, nil
	})})
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/accounts/x", 200, `"complete":false,"warnings":["x",""]`},
		{"/v1/accounts/x?key=red&force=true", 200, `"complete":true,"warnings":["x","red"]`},
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
		"POST /v1/accounts/x/rename", "DELETE /v1/accounts/x",
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
