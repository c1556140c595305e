// Package awstest stands in for AWS IAM and STS in tests. It speaks the Query protocol as the real services do and is stricter where
// they say little: it checks every signature, every code, and that a code is used once.
//
// Its tests hold it to the services' public model, with a client that is not ours, so that it cannot flatter those that are.
package awstest

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// Options say what there is before the first request. The zero value has one user, alice.
type Options struct {
	// Account is the number of the AWS account, 123456789012 if it is empty.
	Account string
	// Users are its IAM users. Each has one access key.
	Users []User
	// Roles can be assumed.
	Roles []Role
	// Now is the service's clock, time.Now if it is nil. Skew moves it.
	Now func() time.Time
	// Page is how many entries a list's answer holds at most, 100 if it is 0.
	Page int
}

// Server is the stand-in. It ends with the test.
type Server struct {
	// URL is the endpoint of both services.
	URL string

	t       testing.TB
	mu      sync.Mutex
	now     func() time.Time
	skew    time.Duration
	page    int
	account *account
	faults  []Fault
	log     []Request
}

// Start starts a stand-in on the loopback interface.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Users == nil {
		o.Users = []User{{Name: "alice"}}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Page == 0 {
		o.Page = 100
	}
	s := &Server{t: t, now: o.Now, page: o.Page}
	s.account = newAccount(o, s.now())
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	s.URL = listener.URL
	return s
}

// clock is what the service takes for the time.
func (s *Server) clock() time.Time { return s.now().Add(s.skew).UTC() }

// Skew puts the service's clock off by d.
func (s *Server) Skew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// Now is the time by the service's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

// ServeHTTP answers one request, or cuts the connection where a fault wants that.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	x := s.exchange(r, body)
	if x.Lost {
		s.hangUp(w)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Date", x.At.Format(http.TimeFormat))
	w.Header().Set("X-Amzn-Requestid", x.id)
	w.WriteHeader(x.Status)
	_, _ = w.Write(x.answer)
}

// exchange does what one request asks for, and remembers it.
func (s *Server) exchange(r *http.Request, body []byte) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	params, err := url.ParseQuery(string(body))
	x := Request{Action: params.Get("Action"), Params: params, At: s.clock(), id: requestID()}
	fault := s.takeFault(x.Action)
	if fault.Kind == Cut {
		x.Lost = true
		s.log = append(s.log, x)
		return x
	}
	var result any
	refused := refuse("MalformedQueryString", "The query string contains a syntax error.")
	if err == nil && r.Method == http.MethodPost {
		result, refused = s.perform(r, body, &x, fault)
	}
	x.answered(result, refused)
	x.Lost = fault.Kind == LoseAnswer
	s.log = append(s.log, x)
	return x
}

// perform finds the action, admits the caller and does it.
func (s *Server) perform(r *http.Request, body []byte, x *Request, fault Fault) (any, *refusal) {
	if fault.Kind == Throttle {
		return nil, refuse("Throttling", "Rate exceeded")
	}
	if fault.Kind == Break {
		return nil, refuse("ServiceFailure", "The request processing has failed because of an unknown error, exception or failure.")
	}
	version := x.Params.Get("Version")
	act, known := actions[x.Action]
	if !known || version != versions[act.service] {
		return nil, refuse("InvalidAction", "Could not find operation %s for version %s", x.Action, version)
	}
	x.Service = act.service
	who, refused := s.authenticate(r, body, act.service)
	if refused != nil {
		return nil, refused
	}
	x.Caller, x.MFA = s.account.arnOf(who), who.mfa
	c := &call{Server: s, account: s.account, who: who, action: x.Action, params: x.Params, now: x.At, refuseCode: fault.Kind == RefuseCode}
	if refused := s.check(c, act); refused != nil {
		return nil, refused
	}
	return act.run(c)
}

// check holds a request against what the action takes and what its caller may do.
func (s *Server) check(c *call, act action) *refusal {
	for name := range c.params {
		known := slices.ContainsFunc(act.params, func(p param) bool { return p.name == name })
		if !known && name != "Action" && name != "Version" {
			// AWS ignores it. A stand-in that did would hide that it does not do what was asked for.
			s.t.Errorf("awstest: %s came with %s, which the stand-in does not know", c.action, name)
		}
	}
	for _, p := range act.params {
		if refused := p.check(c.params); refused != nil {
			return refused
		}
	}
	return c.authorize(act)
}

// hangUp closes the connection without an answer.
func (s *Server) hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		s.t.Errorf("awstest: cannot cut the connection: %v", err)
		return
	}
	_ = conn.Close()
}

// requestID is a random UUID, as AWS gives one to each request.
func requestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
