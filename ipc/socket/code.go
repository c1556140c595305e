package socket

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// coder gives codes: the agent.
type coder interface {
	// Remembered returns a code that no key need be asked for, or nil.
	Remembered(r api.CodeRequest) *api.Code
	Code(ctx context.Context, who agent.Caller, r api.CodeRequest) (api.Code, error)
}

const (
	// maxQuestions is how many requests are kept as they came, maxQuestion how long one may be, in bytes.
	maxQuestions = 256
	maxQuestion  = 256
)

// codes answers the request that is made the most. Programs repeat themselves: a body that came before is not
// parsed again, and a code that was given before is not encoded again.
type codes struct {
	coder coder

	mu sync.Mutex
	// asked holds requests by their bodies.
	asked map[string]*question
}

// question is a request for a code, and what was last answered from memory.
type question struct {
	api.CodeRequest
	last atomic.Pointer[answered]
}

// answered is a code as JSON.
type answered struct {
	code *api.Code
	json []byte
}

func newCodes(c coder) *codes { return &codes{coder: c, asked: map[string]*question{}} }

// handle answers POST /v1/code; with Accept: text/plain, with the bare code.
func (c *codes) handle(w http.ResponseWriter, r *http.Request) error {
	if json := c.again(r); json != nil {
		write(w, http.StatusOK, jsonType, json)
		return nil
	}
	body, err := readDocument(w, r)
	if err != nil {
		return err
	}
	q, err := c.question(body)
	if err != nil {
		return err
	}
	code, encoded := c.coder.Remembered(q.CodeRequest), q.encoded
	if code == nil {
		computed, err := c.coder.Code(r.Context(), connOf(r).caller(), q.CodeRequest)
		if err != nil {
			return err
		}
		code, encoded = &computed, encodeCode
	}
	if mediaType(r.Header.Get("Accept")) == "text/plain" {
		write(w, http.StatusOK, textType, bareCode(code))
	} else {
		write(w, http.StatusOK, jsonType, encoded(code))
	}
	return nil
}

func encodeCode(code *api.Code) []byte { return encode(code) }

// again returns the answer to a request that came before, word by word, if its code is remembered; else nil. It does not read
// the body: having read one, net/http starts to watch whether the client leaves, which takes longer than this answer.
func (c *codes) again(r *http.Request) []byte {
	if len(r.Header["Accept"]) > 0 || r.Header.Get("Content-Type") != api.JSONType || r.URL.RawQuery != "" {
		return nil
	}
	c.mu.Lock()
	q := c.asked[string(connOf(r).peek(r.ContentLength))]
	c.mu.Unlock()
	if q == nil {
		return nil
	}
	code := c.coder.Remembered(q.CodeRequest)
	if code == nil {
		return nil
	}
	return q.encoded(code)
}

// bareCode is a code, or two, for a program that wants nothing else.
func bareCode(code *api.Code) []byte {
	lines := code.Code + "\n"
	if code.Next != "" {
		lines += code.Next + "\n"
	}
	return []byte(lines)
}

// question reads a request's body.
func (c *codes) question(body []byte) (*question, error) {
	c.mu.Lock()
	q := c.asked[string(body)]
	c.mu.Unlock()
	if q != nil {
		return q, nil
	}
	q = &question{}
	if err := unmarshal(body, &q.CodeRequest); err != nil {
		return nil, err
	}
	if len(body) <= maxQuestion {
		c.keep(string(body), q)
	}
	return q, nil
}

// keep remembers a question. When there are too many, all are forgotten: those that are asked often come again.
func (c *codes) keep(body string, q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) == maxQuestions {
		clear(c.asked)
	}
	c.asked[body] = q
}

// encoded returns the code as JSON. The core never changes a code, so the same pointer is the same answer.
func (q *question) encoded(code *api.Code) []byte {
	last := q.last.Load()
	if last == nil || last.code != code {
		last = &answered{code, encode(code)}
		q.last.Store(last)
	}
	return last.json
}
