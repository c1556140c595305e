package socket

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// askCode is the route over o.
func askCode(o *oracle) route { return route{"POST /v1/code", newCodes(o).handle} }

func TestCode(t *testing.T) {
	o := &oracle{}
	d := start(t, askCode(o))
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
	d := start(t, askCode(o))
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

func TestQuestionsAreBounded(t *testing.T) {
	c := newCodes(&oracle{})
	for i := range 3*maxQuestions + 1 {
		if q, err := c.question(fmt.Appendf(nil, `{"account":"%d"}`, i)); err != nil || q.Account != fmt.Sprint(i) {
			t.Fatalf("question %d: %+v, %v", i, q, err)
		}
	}
	if n := len(c.asked); n != 1 {
		t.Errorf("%d questions are kept, want 1", n)
	}
	long := fmt.Appendf(nil, `{"account":%q}`, strings.Repeat("x", maxQuestion))
	if q, err := c.question(long); err != nil || len(q.Account) != maxQuestion || len(c.asked) != 1 {
		t.Errorf("a long one: %v, and %d are kept", err, len(c.asked))
	}
	if _, err := c.question([]byte(`{"acount":"x"}`)); err == nil || len(c.asked) != 1 {
		t.Errorf("a wrong one: %v, and %d are kept", err, len(c.asked))
	}
}

// quietWriter takes an answer and keeps nothing.
type quietWriter struct{ header http.Header }

func (w quietWriter) Header() http.Header         { return w.header }
func (w quietWriter) WriteHeader(int)             {}
func (w quietWriter) Write(b []byte) (int, error) { return len(b), nil }

// TestCodeFromMemoryIsCheap counts what a remembered code costs beyond net/http, once it was asked for: no name of a caller,
// no parsing, no encoding.
func TestCodeFromMemoryIsCheap(t *testing.T) {
	const body = `{"account":"GitHub"}`
	s := newServer(quiet, []route{askCode(&oracle{remembers: map[string]*api.Code{"GitHub": {Code: "123456"}}})})
	r := onConn(httptest.NewRequest("POST", "/v1/code", strings.NewReader(body)))
	r.Host = "oathd"
	r.Header.Set("Content-Type", api.JSONType)
	connOf(r).latest = []byte("POST /v1/code HTTP/1.1\r\nHost: oathd\r\n\r\n" + body)
	w := quietWriter{http.Header{}}
	s.guarded(w, r) // reads the body; the others see that it is the same
	allocations := testing.AllocsPerRun(1000, func() { s.guarded(w, r) })
	if w.header.Get("Content-Type") != api.JSONType {
		t.Fatal("there is no answer")
	}
	if allocations > 1 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestPeek(t *testing.T) {
	const header = "POST /v1/code HTTP/1.1\r\nHost: oathd\r\n\r\n"
	for _, test := range []struct {
		name, latest string
		length       int64
		want         string
	}{
		{"in one piece", header + "{}", 2, "{}"},
		{"a part of the body", header + "{", 2, ""},
		{"no body yet", header, 2, ""},
		{"the end of a header", "oathd\r\n\r\n{}", 2, "{}"},
		{"a part of the header", "POST /v1/code HTTP/1.1\r\nHost", 2, ""},
		{"the next request too", header + "{}" + header + "{}", 2, ""},
		{"the body alone", "{}", 2, ""},
		{"of unknown length", header + "2\r\n{}\r\n0\r\n\r\n", -1, ""},
		{"nothing", "", 0, ""},
	} {
		if got := (&conn{latest: []byte(test.latest)}).peek(test.length); string(got) != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

// TestCodeHoweverItIsSent sends the same request in one piece, in two, and two at once; it is answered alike.
func TestCodeHoweverItIsSent(t *testing.T) {
	o := &oracle{remembers: map[string]*api.Code{"GitHub": {Code: "111111"}, "GitLab": {Code: "222222"}}}
	d := start(t, askCode(o))
	request := func(account string) string {
		return fmt.Sprintf("POST /v1/code HTTP/1.1\r\nHost: oathd\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"account\":%q}", account)
	}
	c := d.dial()
	answers := bufio.NewReader(c)
	expect := func(codes ...string) {
		t.Helper()
		for _, code := range codes {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(body), code) {
				t.Errorf("answered %s, %v; want %s", body, err, code)
			}
		}
	}
	whole := request("GitHub")
	for range 3 {
		fmt.Fprint(c, whole)
		expect("111111")
		fmt.Fprint(c, request("GitLab"))
		expect("222222")
	}
	for i := range whole {
		fmt.Fprint(c, whole[:i])
		fmt.Fprint(c, whole[i:])
		expect("111111")
	}
	fmt.Fprint(c, whole+request("GitLab")+whole)
	expect("111111", "222222", "111111")
}
