package socket

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestReadJSON(t *testing.T) {
	d := start(t, echo, route{"POST /v1/nothing", named(func(context.Context, agent.Caller, string, struct{}) (string, error) {
		return "done", nil
	})})
	for _, test := range []struct {
		path, body    string
		message, hint string // parts of the refusal; "" where there is none
	}{
		{"/v1/echo", `{"account":"GitHub","min_validity":5}`, "", ""},
		{"/v1/echo", " \n{} \n", "", ""},
		{"/v1/nothing", `{}`, "", ""},
		{"/v1/echo", ``, "not a JSON object", "account, key, fresh, pair, min_validity"},
		{"/v1/echo", `null`, "not a JSON object", ""},
		{"/v1/echo", `[]`, "not a JSON object", ""},
		{"/v1/echo", `"x"`, "not a JSON object", ""},
		{"/v1/nothing", ``, "not a JSON object", "known fields: none"},
		{"/v1/echo", `{"acount":"GitHub"}`, `unknown field "acount"`, "did you mean account?"},
		{"/v1/echo", `{"minvalidity":1}`, `unknown field "minvalidity"`, "did you mean min_validity?"},
		{"/v1/echo", `{"a\"b":1}`, `unknown field "a\"b"`, ""},
		{"/v1/nothing", `{"x":1}`, `unknown field "x"`, "known here: none"},
		{"/v1/echo", `{"account":7}`, `"account" is not to be a JSON number`, ""},
		{"/v1/echo", `{"account":"x"`, "has no end", ""},
		{"/v1/echo", `{"account":x}`, "invalid character", ""},
		{"/v1/echo", `{"account":"x"} {}`, "something follows", ""},
		{"/v1/echo", `{"account":"x"}]`, "something follows", ""},
	} {
		status, body := d.post(test.path, test.body)
		if test.message == "" {
			if status != 200 {
				t.Errorf("%s: %d %s", test.body, status, body)
			}
			continue
		}
		e := refusal(t, body)
		if e.Code != api.CodeBadRequest || !strings.Contains(e.Message, test.message) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: %+v; want %q and the hint %q", test.body, e, test.message, test.hint)
		}
	}
}

func TestBodyEndsTooEarly(t *testing.T) {
	d := start(t, echo)
	c := d.dial()
	fmt.Fprint(c, "POST /v1/echo HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"acc")
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	status, body := d.answerOn(c)
	if e := refusal(t, body); status != 400 || !strings.Contains(e.Message, "ends too early") {
		t.Errorf("%d %s", status, body)
	}
}

func TestPasswords(t *testing.T) {
	var held []byte
	d := start(t, route{"POST /v1/keys/{name}/unlock", func(w http.ResponseWriter, r *http.Request) error {
		err := secret(func(_ context.Context, _ agent.Caller, key string, password *oath.Secret) (string, error) {
			defer password.Wipe()
			return key + " " + string(password.Bytes()), nil
		})(w, r)
		held = bytes.Clone(connOf(r).buffer)
		return err
	}})
	post := func(body, contentType string) (int, string) {
		return d.do("POST", "/v1/keys/my%20key/unlock", strings.NewReader(body), "Content-Type", contentType)
	}
	if status, body := post("correct horse", api.RawType); status != 200 || body != "\"my key correct horse\"\n" {
		t.Errorf("%d %s", status, body)
	}
	if len(held) == 0 || bytes.Contains(held, []byte("horse")) {
		t.Errorf("net/http's buffer of %d bytes is not wiped", len(held))
	}
	for name, test := range map[string]struct {
		body, contentType string
		status            int
	}{
		"empty":    {"", api.RawType, 400},
		"too long": {strings.Repeat("x", maxPassword+1), api.RawType, 413},
		"as JSON":  {`{"password":"x"}`, api.JSONType, 400},
	} {
		if status, body := post(test.body, test.contentType); status != test.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	chunked := struct{ *strings.Reader }{strings.NewReader("x")} // hides its length
	status, body := d.do("POST", "/v1/keys/k/unlock", chunked, "Content-Type", api.RawType)
	if e := refusal(t, body); status != 400 || !strings.Contains(e.Message, "Content-Length") {
		t.Errorf("chunked: %d %s", status, body)
	}
}

// loose is a connection at whose other end is nobody.
var loose = sync.OnceValue(func() *net.UnixConn {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	f := os.NewFile(uintptr(pair[0]), "loose")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		panic(err)
	}
	return c.(*net.UnixConn)
})

// onConn gives a request that came by no connection one.
func onConn(r *http.Request) *http.Request {
	return r.WithContext(withConn(r.Context(), newConn(loose())))
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"account":"a"}`, `{"acount":1}`, `null`, `{"a":{"b":[1,2]}}`, `{"account":"a"}x`, "\xff", `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := onConn(httptest.NewRequest("POST", "/v1/code", bytes.NewReader(body)))
		r.Header.Set("Content-Type", api.JSONType)
		_, err := readJSON[api.CodeRequest](httptest.NewRecorder(), r)
		if err != nil && api.CodeOf(err) != api.CodeBadRequest && api.CodeOf(err) != api.CodeTooLarge {
			t.Errorf("%q: %v", body, err)
		}
	})
}

// FuzzRequest sends anything: what net/http takes for a request has an answer, and none without a good reason.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET /v1/hello HTTP/1.1\r\nHost: oathd\r\n\r\n",
		"GET /v1/hello?x=%zz HTTP/1.0\r\nOrigin: null\r\n\r\n",
		"POST /v1/echo HTTP/1.1\r\nHost:\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"account\":\"a\"}",
		"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"CONNECT oathd:80 HTTP/1.1\r\nHost: oathd\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: oathd\r\n\r\n",
		"GET /v1/%2e%2e/hello HTTP/1.1\r\nHost: oathd\r\n\r\n",
		"GET http://evil.example/v1/hello HTTP/1.1\r\nHost: oathd\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	s := newServer(quiet, []route{{"GET /v1/hello", func(w http.ResponseWriter, _ *http.Request) error {
		return answer(w, "hello", nil)
	}}, echo})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		s.guarded(w, onConn(r))
		hello := r.URL.Path == "/v1/hello" && (r.Method == "GET" || r.Method == "HEAD")
		welcome := slices.Contains([]string{"", "oathd", "localhost", "unix", "127.0.0.1", "[::1]"}, strings.ToLower(r.Host)) && r.Header["Origin"] == nil && r.Header["Referer"] == nil
		switch {
		case w.Code == http.StatusOK:
			if !welcome || !hello && (r.Method != "POST" || r.URL.Path != "/v1/echo") {
				t.Errorf("%q has an answer: %s", raw, w.Body)
			}
		case w.Code < 400 || w.Code >= 500:
			t.Errorf("%q: %d %s", raw, w.Code, w.Body)
		}
	})
}
