package socket

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// coder gives codes: the agent.
type coder interface {
	// Remembered returns a code that no key need be asked for, or nil. The same pointer is the same code.
	Remembered(r api.CodeRequest) *api.Code
	Code(ctx context.Context, who agent.Caller, r api.CodeRequest) (api.Code, error)
}

const (
	// maxQuestions is how many requests are kept as they came, maxQuestion how long one may be, in bytes.
	maxQuestions = 256
	maxQuestion  = 512
)

// codes answers the request that is made the most. Programs repeat themselves, so a request that was answered from
// memory is kept, byte by byte. What comes again is answered before net/http has seen it: for a code that is
// remembered, that would be most of the work.
type codes struct {
	coder coder

	mu sync.Mutex
	// asked holds requests as they came.
	asked map[string]*question
}

// question is a request for a code, and what was last answered to it.
type question struct {
	api.CodeRequest
	plain bool
	last  atomic.Pointer[answered]
}

// answered is the whole answer that a code is.
type answered struct {
	code *api.Code
	wire []byte
}

func newCodes(c coder) *codes { return &codes{coder: c, asked: map[string]*question{}} }

// handle answers POST /v1/code; with Accept: text/plain, with the bare code.
func (c *codes) handle(w http.ResponseWriter, r *http.Request) error {
	req, err := readJSON[api.CodeRequest](w, r)
	if err != nil {
		return err
	}
	q := &question{CodeRequest: req, plain: mediaType(r.Header.Get("Accept")) == "text/plain"}
	code := c.coder.Remembered(req)
	if code != nil {
		c.keep(connOf(r).whole(r), q)
	} else {
		computed, err := c.coder.Code(r.Context(), connOf(r).caller(), req)
		if err != nil {
			return err
		}
		code = &computed
	}
	contentType, body := q.answer(code)
	write(w, http.StatusOK, contentType, body)
	return nil
}

// answer is a code as the question wants it: as JSON, or bare, on a line of its own.
func (q *question) answer(code *api.Code) (contentType []string, body []byte) {
	if !q.plain {
		return jsonType, encode(code)
	}
	body = []byte(code.Code + "\n")
	if code.Next != "" {
		body = append(body, code.Next+"\n"...)
	}
	return textType, body
}

// keep remembers a request as it came. When there are too many, all are forgotten: those that are made often come again.
func (c *codes) keep(raw []byte, q *question) {
	if len(raw) == 0 || len(raw) > maxQuestion {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) == maxQuestions {
		clear(c.asked)
	}
	c.asked[string(raw)] = q
}

// again returns the whole answer to a request that came before and whose code is remembered; else nil.
func (c *codes) again(raw []byte) []byte {
	c.mu.Lock()
	q := c.asked[string(raw)]
	c.mu.Unlock()
	if q == nil {
		return nil
	}
	code := c.coder.Remembered(q.CodeRequest)
	if code == nil {
		return nil
	}
	last := q.last.Load()
	if last == nil || last.code != code {
		contentType, body := q.answer(code)
		last = &answered{code, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s",
			contentType[0], time.Now().UTC().Format(http.TimeFormat), len(body), body)}
		q.last.Store(last)
	}
	return last.wire
}
