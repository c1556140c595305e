package socket

import (
	"context"
	"fmt"
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

// TestCodeFromMemoryIsCheap counts what a remembered code costs beyond net/http: no name of a caller, no parsing, no
// encoding. What is left are the bytes of the body and how it is read.
func TestCodeFromMemoryIsCheap(t *testing.T) {
	s := newServer(quiet, []route{askCode(&oracle{remembers: map[string]*api.Code{"GitHub": {Code: "123456"}}})})
	body := strings.NewReader("")
	r := onConn(httptest.NewRequest("POST", "/v1/code", body))
	r.Host, r.ContentLength = "oathd", int64(len(`{"account":"GitHub"}`))
	r.Header.Set("Content-Type", api.JSONType)
	w := quietWriter{http.Header{}}
	allocations := testing.AllocsPerRun(1000, func() {
		body.Reset(`{"account":"GitHub"}`)
		s.guarded(w, r)
	})
	if w.header.Get("Content-Type") != api.JSONType {
		t.Fatal("there is no answer")
	}
	if allocations > 4 {
		t.Errorf("%v allocations", allocations)
	}
}
