package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// serve answers on a socket where the zero Client looks for the daemon.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "oathd"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", DefaultSocket())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(answer)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return new(Client)
}

// always answers the same.
func always(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestRequests(t *testing.T) {
	secret := oath.CopySecret([]byte("correct horse"))
	defer secret.Wipe()
	for _, test := range []struct {
		call         func(context.Context, *Client) error
		request      string
		contentType  string
		body, answer string
	}{
		{func(ctx context.Context, c *Client) error { return failed(c.Status(ctx)) }, "GET /v1/status", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Keys(ctx)) }, "GET /v1/keys", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Key(ctx, "my key")) }, "GET /v1/keys?select=my+key", "", "", `{"keys":[{}]}`},
		{func(ctx context.Context, c *Client) error { return failed(c.AccountsPage(ctx, "", "x", 10)) }, "GET /v1/accounts?after=x&limit=10&query=", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.AccountsPage(ctx, "q", "", 10)) }, "GET /v1/accounts?limit=10&query=q", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Accounts(ctx, "a&b")) }, "GET /v1/accounts?query=a%26b", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Account(ctx, "")) }, "GET /v1/accounts?select=", "", "", `{"accounts":[{}]}`},
		{func(ctx context.Context, c *Client) error { return failed(c.AccountNames(ctx, "a b")) }, "GET /v1/names?account=a+b", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.KeyNames(ctx, "")) }, "GET /v1/names?key=", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Coverage(ctx)) }, "GET /v1/coverage", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Audit(ctx)) }, "GET /v1/audit", "", "", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Code(ctx, api.CodeRequest{Account: "GitHub", Fresh: true}))
		}, "POST /v1/code", api.JSONType, `{"account":"GitHub","fresh":true}`, ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Rename(ctx, "a/b c", api.RenameRequest{Issuer: "i", Name: "n"}))
		}, "POST /v1/accounts/a%2Fb%20c/rename", api.JSONType, `{"issuer":"i","name":"n"}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetAlias(ctx, "x", "gh")) }, "POST /v1/accounts/x/alias", api.JSONType, `{"value":"gh"}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Remove(ctx, "x", "", false)) }, "DELETE /v1/accounts/x", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Remove(ctx, "x", "red", true)) }, "DELETE /v1/accounts/x?force=true&key=red", "", "", ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Adopt(ctx, "7", api.AdoptRequest{Label: "red"}))
		}, "POST /v1/keys/7/adopt", api.JSONType, `{"label":"red"}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetLabel(ctx, "7", "red")) }, "POST /v1/keys/7/label", api.JSONType, `{"value":"red"}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetSite(ctx, "7", "safe")) }, "POST /v1/keys/7/site", api.JSONType, `{"value":"safe"}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetHolder(ctx, "7", "")) }, "POST /v1/keys/7/holder", api.JSONType, `{"value":""}`, ""},
		{func(ctx context.Context, c *Client) error {
			return failed(c.Reset(ctx, "7", api.ResetRequest{Force: true}))
		}, "POST /v1/keys/7/reset", api.JSONType, `{"force":true}`, ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SetPassword(ctx, "7", secret)) }, "POST /v1/keys/7/password", api.RawType, "correct horse", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Unlock(ctx, "7", secret)) }, "POST /v1/keys/7/unlock", api.RawType, "correct horse", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.ClearPassword(ctx, "7")) }, "DELETE /v1/keys/7/password", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.Remember(ctx, "7")) }, "POST /v1/keys/7/remember", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.ForgetPassword(ctx, "7")) }, "POST /v1/keys/7/forget", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.SoftKeys(ctx)) }, "GET /v1/soft", "", "", ""},
		{func(ctx context.Context, c *Client) error { return failed(c.MoveSoft(ctx, "1000001", api.SoftPull)) }, "POST /v1/soft/1000001/pull", api.JSONType, "{}", ""},
	} {
		t.Run(test.request, func(t *testing.T) {
			var got, body string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got, body = r.Method+" "+r.RequestURI, string(b)
				if r.Header.Get("Content-Type") != test.contentType || r.Host != "oathd" {
					t.Errorf("Content-Type %q, host %q", r.Header.Get("Content-Type"), r.Host)
				}
				if test.answer == "" {
					test.answer = "{}"
				}
				fmt.Fprintln(w, test.answer)
			})
			if err := test.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got != test.request || body != test.body {
				t.Errorf("sent %s with %s", got, body)
			}
		})
	}
}

// failed drops an answer, for calls that only matter by what they send.
func failed[T any](_ T, err error) error { return err }

func TestAnswerIsDecoded(t *testing.T) {
	c := serve(t, always(200, `{"account":"x","code":"123456","a_field_of_a_newer_daemon":1}`))
	code, err := c.Code(t.Context(), api.CodeRequest{})
	if err != nil || code.Code != "123456" {
		t.Errorf("%+v, %v", code, err)
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		code   api.ErrorCode
		text   string
	}{
		{"of the daemon", 409, `{"error":{"code":"key_absent","message":"cannot compute","hint":"plug it in"}}`, api.CodeKeyAbsent, "cannot compute"},
		{"of something else", 404, "404 page not found", api.CodeInternal, "404 Not Found"},
		{"without a code", 500, `{"error":{}}`, api.CodeInternal, "500"},
		{"with another JSON", 500, `{}`, api.CodeInternal, "500"},
		{"a redirect", 307, "", api.CodeInternal, "307"},
		{"an answer that is none", 200, "hello", api.CodeInternal, "cannot understand"},
		{"an answer of another type", 200, `{"code":7}`, api.CodeInternal, "cannot understand"},
		{"an empty answer", 200, "", api.CodeNoDaemon, "went away"},
		{"half an answer", 200, `{"code":"12`, api.CodeNoDaemon, "went away"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, always(test.status, test.body))
			_, err := c.Code(t.Context(), api.CodeRequest{})
			if api.CodeOf(err) != test.code || !strings.Contains(fmt.Sprint(err), test.text) {
				t.Errorf("%v (%s), want %q (%s)", err, api.CodeOf(err), test.text, test.code)
			}
		})
	}
}

func TestErrorKeepsItsParts(t *testing.T) {
	c := serve(t, always(409, `{"error":{"code":"ambiguous","message":"m","hint":"h","candidates":[{"id":"a","label":"A"}]}}`))
	_, err := c.Account(t.Context(), "x")
	wire, ok := errors.AsType[*api.Error](err)
	if !ok || wire.Hint != "h" || len(wire.Candidates) != 1 || wire.Candidates[0].Label != "A" {
		t.Errorf("%#v", err)
	}
}

func TestSelectionOfNothing(t *testing.T) {
	c := serve(t, always(200, `{"keys":[],"accounts":[]}`))
	if _, err := c.Key(t.Context(), "x"); api.CodeOf(err) != api.CodeInternal {
		t.Errorf("key: %v", err)
	}
	if _, err := c.Account(t.Context(), "x"); api.CodeOf(err) != api.CodeInternal {
		t.Errorf("account: %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, err := (&Client{Socket: path}).Status(t.Context())
	wire, ok := errors.AsType[*api.Error](err)
	if !ok || wire.Code != api.CodeNoDaemon || !strings.Contains(wire.Message, path) || !strings.Contains(wire.Hint, "oathd") {
		t.Errorf("%#v", err)
	}
}

func TestClosedDoors(t *testing.T) {
	strange := errors.New("strange")
	for _, test := range []struct {
		err  error
		code api.ErrorCode
	}{
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ENOENT)}, api.CodeNoDaemon},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, api.CodeNoDaemon},
		{&net.OpError{Err: os.NewSyscallError("connect", syscall.EACCES)}, api.CodeForbidden},
		{strange, api.CodeInternal},
	} {
		if err := closed("/run/s", test.err); api.CodeOf(err) != test.code {
			t.Errorf("%v became %v", test.err, err)
		}
	}
	c := &Client{Dial: func(context.Context) (net.Conn, error) { return nil, strange }}
	if _, err := c.Status(t.Context()); api.CodeOf(err) != api.CodeNoDaemon || !errors.Is(err, strange) {
		t.Errorf("a failing Dial: %v", err)
	}
}

func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Code(ctx, api.CodeRequest{})
	if api.CodeOf(err) != api.CodeCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDefaultSocket(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got := DefaultSocket(); got != "/run/user/7/oathd/oathd.sock" {
		t.Errorf("%q", got)
	}
	for _, useless := range []string{"", "run"} {
		t.Setenv("XDG_RUNTIME_DIR", useless)
		if got, want := DefaultSocket(), fmt.Sprintf("/run/user/%d/oathd/oathd.sock", os.Getuid()); got != want {
			t.Errorf("with %q: %q, want %q", useless, got, want)
		}
	}
}

func TestStartHint(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	unit := filepath.Join(t.TempDir(), "oathd.socket")
	if err := os.WriteFile(unit, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, unit, want string }{
		{DefaultSocket(), unit, "systemctl --user restart oathd.socket"},
		{DefaultSocket(), unit + ".not", "with: oathd"},
		{"/run/other.sock", unit, "with: oathd"},
	} {
		if got := startHint(c.path, c.unit); !strings.Contains(got, c.want) {
			t.Errorf("nobody at %s, unit %s: %q", c.path, c.unit, got)
		}
	}
}
