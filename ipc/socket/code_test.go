package socket

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// oracle gives codes without keys, and counts how often it is asked for one that it does not remember.
type oracle struct {
	remembers map[string]*api.Code
	asked     int
	callers   []string
}

func (o *oracle) Remembered(r api.CodeRequest) *api.Code { return o.remembers[r.Account] }

func (o *oracle) Code(_ context.Context, who agent.Caller, r api.CodeRequest) (api.Code, error) {
	o.asked++
	o.callers = append(o.callers, who.Name)
	switch r.Account {
	case "":
		return api.Code{}, &api.Error{Code: api.CodeAmbiguous, Message: "cannot choose", Candidates: []api.Candidate{{ID: "a", Label: "A"}}}
	case "pair":
		return api.Code{Code: "123456", Next: "654321"}, nil
	}
	return api.Code{Code: "123456", Label: r.Account}, nil
}

// startCodes serves o's codes.
func startCodes(t testing.TB, o *oracle) (*daemon, *codes) {
	t.Helper()
	c := newCodes(o)
	s := newServer(quiet, []route{{"POST /v1/code", c.handle}})
	s.again = c.again
	path, l := listenOn(t)
	return serveOn(t, l, path, s), c
}

func TestCode(t *testing.T) {
	o := &oracle{}
	d, _ := startCodes(t, o)
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
	if o.asked != 5 || o.callers[0] == "" {
		t.Errorf("asked %d times by %q", o.asked, o.callers)
	}
}

func TestCodeFromMemory(t *testing.T) {
	first := &api.Code{Account: "a", Label: "GitHub", Code: "111111", ValidUntil: time.Unix(1750000030, 0).UTC(), Warnings: []string{"<superseded>"}}
	second := &api.Code{Account: "a", Label: "GitHub", Code: "222222"}
	o := &oracle{remembers: map[string]*api.Code{"GitHub": first}}
	d, _ := startCodes(t, o)
	ask := func(want *api.Code) {
		t.Helper()
		for range 3 {
			status, body := d.post("/v1/code", `{"account":"GitHub"}`)
			if status != 200 || body != string(encode(want)) {
				t.Errorf("%d %s, want %s", status, body, encode(want))
			}
		}
	}
	ask(first)
	o.remembers["GitHub"] = second
	ask(second)
	if status, body := d.do("POST", "/v1/code", strings.NewReader(`{"account":"GitHub"}`), "Content-Type", api.JSONType, "Accept", "text/plain"); status != 200 || body != "222222\n" {
		t.Errorf("bare: %d %s", status, body)
	}
	if o.asked != 0 {
		t.Errorf("a key was asked %d times", o.asked)
	}
	delete(o.remembers, "GitHub")
	if status, _ := d.post("/v1/code", `{"account":"GitHub"}`); status != 200 || o.asked != 1 {
		t.Errorf("forgotten: %d, asked %d times", status, o.asked)
	}
}

// codeRequest is a request for an account's code, as a program sends it.
func codeRequest(account string, header ...string) string {
	body := fmt.Sprintf(`{"account":%q}`, account)
	return fmt.Sprintf("POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		len(body), strings.Join(header, ""), body)
}

// raw is a connection on which requests are sent as they are.
type raw struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (d *daemon) raw(t *testing.T) raw {
	c := d.dial()
	return raw{t, c, bufio.NewReader(c)}
}

// expect reads an answer for each of the codes and wants it to have that code.
func (c raw) expect(codes ...string) {
	c.t.Helper()
	for _, code := range codes {
		resp, err := http.ReadResponse(c.answers, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), code) || resp.Header.Get("Date") == "" {
			c.t.Errorf("answered %s %v %s, %v; want %s", resp.Status, resp.Header, body, err, code)
		}
	}
}

// TestCodeHoweverItIsSent sends the same request in one piece, in two, and several at once: what is answered before
// net/http sees it, and what is not, is answered alike.
func TestCodeHoweverItIsSent(t *testing.T) {
	o := &oracle{remembers: map[string]*api.Code{"GitHub": {Code: "111111"}, "GitLab": {Code: "222222"}}}
	d, codes := startCodes(t, o)
	hub, lab := codeRequest("GitHub"), codeRequest("GitLab", "Accept: text/plain\r\n")
	// Each has a connection of its own: after an answer by net/http, its watch for the client's leaving may still
	// take a next request's first byte, and what came in two pieces is not kept.
	for request, code := range map[string]string{hub: "111111", lab: "222222"} {
		c := d.raw(t)
		fmt.Fprint(c, request)
		c.expect(code)
	}
	if len(codes.asked) != 2 {
		t.Errorf("%d requests are kept, want 2", len(codes.asked))
	}
	c := d.raw(t)
	for range 3 {
		fmt.Fprint(c, hub)
		c.expect("111111")
		fmt.Fprint(c, lab)
		c.expect("222222")
	}
	for i := range hub {
		fmt.Fprint(c, hub[:i])
		fmt.Fprint(c, hub[i:])
		c.expect("111111")
	}
	fmt.Fprint(c, hub+lab+hub)
	c.expect("111111", "222222", "111111")
	fmt.Fprint(c, codeRequest("elsewhere"))
	c.expect("123456")
	o.remembers["GitHub"] = &api.Code{Code: "333333"}
	fmt.Fprint(c, hub)
	c.expect("333333")
	delete(o.remembers, "GitHub")
	fmt.Fprint(c, hub)
	c.expect("123456")
}

// TestCodeInABody: what looks like a request for a code is none inside of another request's body.
func TestCodeInABody(t *testing.T) {
	o := &oracle{remembers: map[string]*api.Code{"GitHub": {Code: "111111"}}}
	d, codes := startCodes(t, o)
	c := d.raw(t)
	hub := codeRequest("GitHub")
	fmt.Fprint(c, hub)
	c.expect("111111")
	head := fmt.Sprintf("POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(hub))
	// The first of the two ends with the header of the second, so that the buffer is empty when its body comes.
	fmt.Fprint(c, hub+head)
	c.expect("111111")
	fmt.Fprint(c, hub)
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil || resp.StatusCode != 400 {
		t.Errorf("answered %+v, %v", resp, err)
	}
	if len(codes.asked) != 1 {
		t.Errorf("%d requests are kept", len(codes.asked))
	}
}

// TestWhatIsKept: only requests that are whole, and after which the connection goes on.
func TestWhatIsKept(t *testing.T) {
	o := &oracle{remembers: map[string]*api.Code{"GitHub": {Code: "111111"}}}
	for name, test := range map[string]struct {
		request string
		kept    int
	}{
		"an ordinary one":          {codeRequest("GitHub"), 1},
		"the last of a connection": {codeRequest("GitHub", "Connection: close\r\n"), 0},
		"a long one":               {codeRequest("GitHub", "X-Long: "+strings.Repeat("x", maxQuestion)+"\r\n"), 0},
		"one of HTTP/1.0":          {strings.Replace(codeRequest("GitHub"), "HTTP/1.1", "HTTP/1.0", 1), 0},
		"in chunks":                {"POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"account\":\"GitHub\"}\r\n0\r\n\r\n", 0},
		"not remembered":           {codeRequest("GitLab"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, codes := startCodes(t, o)
			c := d.raw(t)
			fmt.Fprint(c, test.request)
			c.expect("1")
			if len(codes.asked) != test.kept {
				t.Errorf("%d requests are kept, want %d", len(codes.asked), test.kept)
			}
		})
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	c := newCodes(&oracle{remembers: map[string]*api.Code{"": {Code: "111111"}}})
	for i := range 3*maxQuestions + 1 {
		c.keep(fmt.Append(nil, "request ", i), &question{})
	}
	if n := len(c.asked); n != 1 {
		t.Errorf("%d requests are kept, want 1", n)
	}
	if answer := c.again([]byte("request 0")); answer != nil {
		t.Errorf("a forgotten one is answered %s", answer)
	}
	if answer := c.again(fmt.Append(nil, "request ", 3*maxQuestions)); !strings.Contains(string(answer), "111111") {
		t.Errorf("the last one is answered %s", answer)
	}
}

// TestAgainIsCheap counts what a repeated request costs.
func TestAgainIsCheap(t *testing.T) {
	c := newCodes(&oracle{remembers: map[string]*api.Code{"": {Code: "111111"}}})
	c.keep([]byte("request"), &question{})
	if n := testing.AllocsPerRun(1000, func() { c.again([]byte("request")) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
