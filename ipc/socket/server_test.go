package socket

import (
	"bufio"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

func TestGuards(t *testing.T) {
	d := start(t, hello, echo)
	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
		code               api.ErrorCode
	}{
		{"plain", "GET", "/v1/hello", nil, 200, ""},
		{"localhost", "GET", "/v1/hello", []string{"Host", "localhost"}, 200, ""},
		{"in capitals", "GET", "/v1/hello", []string{"Host", "LocalHost"}, 200, ""},
		{"as Go programs say", "GET", "/v1/hello", []string{"Host", "unix"}, 200, ""},
		{"as axios says", "GET", "/v1/hello", []string{"Host", "[::1]"}, 200, ""},
		{"another address", "GET", "/v1/hello", []string{"Host", "127.0.0.2"}, 403, api.CodeForbidden},
		{"a browser's script", "GET", "/v1/hello", []string{"Origin", "https://example.org"}, 403, api.CodeForbidden},
		{"an opaque origin", "GET", "/v1/hello", []string{"Origin", "null"}, 403, api.CodeForbidden},
		{"an empty origin", "GET", "/v1/hello", []string{"Origin", ""}, 403, api.CodeForbidden},
		{"a browser's link", "GET", "/v1/hello", []string{"Referer", "http://oathd/"}, 403, api.CodeForbidden},
		{"a rebound name", "GET", "/v1/hello", []string{"Host", "evil.example"}, 403, api.CodeForbidden},
		{"a port", "GET", "/v1/hello", []string{"Host", "localhost:80"}, 403, api.CodeForbidden},
		{"the guards come before the route", "GET", "/nowhere", []string{"Origin", "x"}, 403, api.CodeForbidden},
		{"no such route", "GET", "/v1/nowhere", nil, 404, api.CodeNotFound},
		{"no such method", "PUT", "/v1/hello", nil, 405, api.CodeNotFound},
		{"an unclean path", "GET", "/v1//hello", nil, 404, api.CodeNotFound},
		{"dots", "GET", "/v1/../v1/hello", nil, 404, api.CodeNotFound},
		{"a form", "POST", "/v1/echo", []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, api.CodeBadRequest},
		{"no content type", "POST", "/v1/echo", nil, 400, api.CodeBadRequest},
		{"text", "POST", "/v1/echo", []string{"Content-Type", "text/plain"}, 400, api.CodeBadRequest},
		{"a parameter", "POST", "/v1/echo?key=1", []string{"Content-Type", api.JSONType}, 400, api.CodeBadRequest},
		{"json", "POST", "/v1/echo", []string{"Content-Type", api.JSONType}, 200, ""},
		{"json with a charset", "POST", "/v1/echo", []string{"Content-Type", "application/json; charset=utf-8"}, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var body io.Reader
			if test.method == "POST" {
				body = strings.NewReader(`{"account":"GitHub"}`)
			}
			status, answer := d.do(test.method, test.path, body, test.header...)
			if status != test.status {
				t.Fatalf("status %d, want %d: %s", status, test.status, answer)
			}
			if test.code != "" && refusal(t, answer).Code != test.code {
				t.Errorf("got %s, want the code %s", answer, test.code)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	d := start(t, hello, echo)
	for request, want := range map[string]string{
		"PUT /v1/hello": "GET, HEAD", "OPTIONS /v1/hello": "GET, HEAD", "GET /v1/echo": "POST", "HEAD /v1/echo": "POST",
		"PUT /v1/nowhere": "", "OPTIONS /": "",
	} {
		c := d.dial()
		fmt.Fprint(c, request+" HTTP/1.1\r\nHost: oathd\r\nConnection: close\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		status := map[bool]int{true: 404, false: 405}[want == ""]
		if got := answer.Header.Get("Allow"); got != want || answer.StatusCode != status {
			t.Errorf("%s: %s, which allows %q, and not %d and %q", request, answer.Status, got, status, want)
		}
	}
}

func TestRefusalEndsConnection(t *testing.T) {
	d := start(t, hello)
	c := d.dial()
	fmt.Fprint(c, "GET /v1/hello HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	if status, body := d.answerOn(c); status != 403 {
		t.Fatalf("status %d: %s", status, body)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestWithoutHost(t *testing.T) {
	d := start(t, hello)
	for _, head := range []string{"GET /v1/hello HTTP/1.0\r\n\r\n", "GET /v1/hello HTTP/1.1\r\nHost:\r\n\r\n"} {
		c := d.dial()
		fmt.Fprint(c, head)
		if status, body := d.answerOn(c); status != 200 {
			t.Errorf("%q: status %d: %s", head, status, body)
		}
	}
}

func TestUnknownMethodNamesKnownOnes(t *testing.T) {
	d := start(t, hello)
	_, body := d.do("DELETE", "/v1/hello", nil)
	if hint := refusal(t, body).Hint; hint != "this route takes GET, HEAD" {
		t.Errorf("hint %q", hint)
	}
	if hint := func() string { _, b := d.do("GET", "/v1/nowhere", nil); return refusal(t, b).Hint }(); hint != "" {
		t.Errorf("hint %q for a path without routes", hint)
	}
}

func TestInternalErrorIsAnswered(t *testing.T) {
	d := start(t, route{"GET /v1/broken", func(http.ResponseWriter, *http.Request) error { return errors.New("broken") }})
	status, body := d.do("GET", "/v1/broken", nil)
	if e := refusal(t, body); status != 500 || e.Code != api.CodeInternal || e.Message != "broken" {
		t.Errorf("%d %s", status, body)
	}
}

func TestBigHeaderIsRefused(t *testing.T) {
	d := start(t, hello)
	status, _ := d.do("GET", "/v1/hello", nil, "X-Big", strings.Repeat("x", 64<<10))
	if status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", status)
	}
}

func TestShutdownCancelsRequests(t *testing.T) {
	begun, left := make(chan struct{}), make(chan struct{}, 1)
	d := start(t, waits(begun, nil, left))
	d.dial() // an idle connection must not hold it up
	answered := make(chan string)
	go func() {
		_, body := d.do("GET", "/v1/wait", nil)
		answered <- body
	}()
	await(t, "the request", begun)
	if err := d.stop(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	await(t, "the end of the request", left)
	if e := refusal(t, <-answered); e.Code != api.CodeCanceled {
		t.Errorf("answered %v", e)
	}
	if _, err := os.Lstat(d.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestShutdownAnswersWhoIsConnected wants a request to be answered that arrives just after the daemon was told to end, on a connection
// that it had taken: with a service manager's socket, the next daemon would never see it.
func TestShutdownAnswersWhoIsConnected(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	path, l := listenOn(t)
	server := newServer(quiet, []route{hello, waits(begun, release, nil)})
	server.farewell = patience
	d := serveOn(t, l, path, server)
	go d.do("GET", "/v1/wait", nil) // keeps the door in its frame
	await(t, "the request", begun)
	late := d.dial()
	if status, _ := d.do("GET", "/v1/hello", nil); status != 200 { // a later connection, so the other one is taken too
		t.Fatalf("status %d", status)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.stop() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, err := os.Lstat(path); err == nil; _, err = os.Lstat(path) {
		<-tick.C
	}
	fmt.Fprint(late, "GET /v1/hello HTTP/1.1\r\nHost: oathd\r\n\r\n")
	if status, body := d.answerOn(late); status != 200 {
		t.Errorf("status %d: %s", status, body)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServeReportsBrokenSocket(t *testing.T) {
	l, err := Listen(filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := newServer(quiet, nil).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed socket: %v", err)
	}
}

func TestForeignUser(t *testing.T) {
	need.That(t, os.Getuid() == 0, "root, to become another user")
	curl := need.Program(t, "curl", "curl")
	setpriv := need.Program(t, "setpriv", "util-linux")
	for name, s := range map[string]*Server{
		"the user's own door":          newServer(quiet, []route{hello}),
		"the door for lists and codes": New(Options{CodesOnly: true, Agent: new(agent.Agent), Log: quiet.Log, StopTimeout: patience}),
	} {
		t.Run(name, func(t *testing.T) {
			path, l := listenOn(t)
			d := serveOn(t, l, path, s)
			// Only the check of the peer's uid stands between nobody and the daemon now.
			for path, mode := range map[string]fs.FileMode{d.path: 0o666, filepath.Dir(d.path): 0o755, filepath.Dir(filepath.Dir(d.path)): 0o755} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range []string{"hello", "status", "accounts"} {
				out, err := exec.Command(setpriv, "--reuid", "65534", "--clear-groups",
					curl, "-sS", "--unix-socket", d.path, "http://oathd/v1/"+path).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if e := refusal(t, string(out)); e.Code != api.CodeForbidden || !strings.Contains(e.Message, "not user 65534") {
					t.Errorf("%s is answered %s", path, out)
				}
			}
		})
	}
}

func TestCurl(t *testing.T) {
	curl := need.Program(t, "curl", "curl")
	d := start(t, hello, echo)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(curl, append([]string{"-sS", "--unix-socket", d.path}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := run("http://oathd/v1/hello"); !strings.HasPrefix(out, `{"name":"curl ← `) {
		t.Errorf("hello: %s", out)
	}
	if out := run("--json", `{"account":"<GitHub> & Söhne"}`, "http://oathd/v1/echo"); out != `{"account":"<GitHub> & Söhne"}`+"\n" {
		t.Errorf("echo: %s", out)
	}
	if out := run("-e", "http://example.org", "-w", "%{http_code}", "-o", "/dev/null", "http://oathd/v1/hello"); out != "403" {
		t.Errorf("with a referer: %s", out)
	}
}

// TestEveryCodeHasAStatus reads the codes from the source of ipc/api, so that none can be forgotten.
func TestEveryCodeHasAStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../api/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "ErrorCode" {
			return true
		}
		codes++
		literal := spec.Values[0].(*ast.BasicLit).Value
		code, _ := strconv.Unquote(literal)
		if s := statuses[api.ErrorCode(code)]; s < 400 || s == http.StatusRequestTimeout || http.StatusText(s) == "" {
			t.Errorf("%s has the status %d", code, s)
		}
		return true
	})
	if codes != len(statuses) {
		t.Errorf("%d codes, but %d statuses", codes, len(statuses))
	}
	if s := status("unheard of"); s != http.StatusInternalServerError {
		t.Errorf("an unknown code has the status %d", s)
	}
}
