package awstest

import (
	"net/url"
	"slices"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind int

// The faults.
const (
	none FaultKind = iota
	// LoseAnswer does what was asked for and cuts the connection before the answer.
	LoseAnswer
	// Cut cuts the connection before anything is done.
	Cut
	// Throttle answers that too many requests came. Clients try again by themselves.
	Throttle
	// Break answers that the service failed. Clients try again by themselves.
	Break
	// RefuseCode refuses the code, or the pair of codes, whatever it is; it does not count as used.
	RefuseCode
)

// Fault goes wrong at the next requests for an action.
type Fault struct {
	// Action is the one it waits for, any if it is empty.
	Action string
	// Kind is what happens.
	Kind FaultKind
	// Times is how often, once if it is 0.
	Times int
}

// Fault adds one to those that wait for their request.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(f.Times, 1)
	s.faults = append(s.faults, f)
}

// takeFault uses up the first fault that waits for an action.
func (s *Server) takeFault(action string) Fault {
	i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.Action == "" || f.Action == action })
	if i < 0 {
		return Fault{}
	}
	f := s.faults[i]
	if s.faults[i].Times--; s.faults[i].Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return f
}

// Request is one that came, and what became of it.
type Request struct {
	// Service is "iam" or "sts", "" if the action is unknown.
	Service string
	// Action is what was asked for, Params with what.
	Action string
	Params url.Values
	// Caller is the ARN of who signed it, "" if the signature was refused; MFA tells whether by a session made with a code.
	Caller string
	MFA    bool
	// At is when it came, by the service's clock.
	At time.Time
	// Status and Code are the answer's; Code is "" where it was done.
	Status int
	Code   string
	// Lost tells that the caller never got the answer.
	Lost bool

	id     string
	answer []byte
}

// answered keeps the answer to a request.
func (x *Request) answered(result any, refused *refusal) {
	if refused != nil {
		x.Status, x.Code, x.answer = refused.status(), refused.code, refused.xml(x.Service, x.id)
		return
	}
	x.Status, x.answer = 200, success(x.Service, x.Action, x.id, result)
}

// Requests lists what came, in order; for one action, or for all if it is "".
func (s *Server) Requests(action string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.log), func(x Request) bool { return action != "" && x.Action != action })
}

// Refused lists the requests that were answered with one of the codes, or with any if none is named.
func (s *Server) Refused(codes ...string) []Request {
	return slices.DeleteFunc(s.Requests(""), func(x Request) bool {
		return x.Code == "" || len(codes) > 0 && !slices.Contains(codes, x.Code)
	})
}
