// Package client speaks to oathd over its Unix socket. It owns the requests and the rebuilding of answers and
// errors; what they mean is in ipc/api.
//
// The zero Client works: it finds the socket where the daemon puts it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// A Client is a connection to the daemon, opened when it is needed. It may be used by several goroutines
// and must not be copied. Its methods return *api.Error for what the daemon refuses, and for what keeps
// them from reaching it.
type Client struct {
	// Socket is the path of the daemon's socket; DefaultSocket if empty.
	Socket string
	// Dial connects in place of Socket: the seam for tests and tunnels.
	Dial func(ctx context.Context) (net.Conn, error)

	once      sync.Once
	transport *http.Transport
}

const (
	// idleTimeout is well below the daemon's, so that it is never the daemon that closes a connection on
	// which a request is just being sent.
	idleTimeout = 5 * time.Second

	// maxError bounds the body of an answer that is an error.
	maxError = 1 << 20
)

// DefaultSocket is where the daemon listens unless it is told otherwise: oathd/oathd.sock in
// $XDG_RUNTIME_DIR, or in /run/user/UID where that is of no use (as in a cron job).
func DefaultSocket() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		dir = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	return filepath.Join(dir, "oathd", "oathd.sock")
}

// Close closes the connections that are idle; the Client may still be used.
func (c *Client) Close() {
	c.roundTripper().CloseIdleConnections()
}

func (c *Client) roundTripper() *http.Transport {
	c.once.Do(func() {
		c.transport = &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
			DisableCompression: true,
			IdleConnTimeout:    idleTimeout,
		}
	})
	return c.transport
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	path := c.Socket
	if path == "" {
		path = DefaultSocket()
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, closed(path, err)
	}
	return conn, nil
}

// closed says why nobody opens the door.
func closed(path string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &api.Error{
			Code:    api.CodeNoDaemon,
			Message: "cannot reach oathd: nothing listens on " + path,
			Hint:    "start the daemon with: oathd",
		}
	case errors.Is(err, os.ErrPermission):
		return &api.Error{
			Code:    api.CodeForbidden,
			Message: fmt.Sprintf("cannot reach oathd: %s is not open to this user", path),
			Hint:    "each user runs a daemon of their own; run this as the user who started it",
		}
	}
	return err
}

// request is what is sent to the daemon.
type request struct {
	method, path string
	// contentType and body are empty where there is no body; length is the body's.
	contentType string
	body        io.Reader
	length      int64
}

// withJSON adds v as the request's body.
func (r request) withJSON(v any) request {
	b := marshal(v)
	r.contentType, r.body, r.length = api.JSONType, bytes.NewReader(b), int64(len(b))
	return r
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ipc/api has a type that JSON cannot hold: " + err.Error())
	}
	return b
}

// call sends r and decodes the answer.
func call[T any](ctx context.Context, c *Client, r request) (answer T, err error) {
	body, err := c.send(ctx, r)
	if err != nil {
		return answer, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return answer, unreadable(ctx, err)
	}
	return answer, nil
}

// send sends r and returns the body of the answer, to be closed; an answer that is an error is returned as one.
func (c *Client) send(ctx context.Context, r request) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, "http://oathd"+r.path, r.body)
	if err != nil {
		return nil, fmt.Errorf("cannot make a request: %w", err)
	}
	req.ContentLength = r.length
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	// RoundTrip rather than http.Client: the daemon never redirects, and nobody should follow if it seemed to.
	resp, err := c.roundTripper().RoundTrip(req)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp.Body, nil
}

// refusal rebuilds the error that the daemon answered.
func refusal(resp *http.Response) error {
	var body api.ErrorBody
	err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&body)
	if err != nil || body.Error == nil || body.Error.Code == "" {
		return &api.Error{
			Code:    api.CodeInternal,
			Message: fmt.Sprintf("cannot understand the daemon's answer: HTTP status %s without an error of oathd's", resp.Status),
			Hint:    "is it oathd that listens on this socket?",
		}
	}
	return body.Error
}

// unreachable says why a request got no answer.
func unreachable(ctx context.Context, err error) error {
	if wire, ok := errors.AsType[*api.Error](err); ok {
		return wire
	}
	if ctx.Err() != nil {
		return givenUp(ctx)
	}
	return fmt.Errorf("%w: %w", &api.Error{Code: api.CodeNoDaemon, Message: "cannot reach oathd"}, err)
}

// unreadable says why an answer that had begun did not end as it should.
func unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return givenUp(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return &api.Error{Code: api.CodeNoDaemon, Message: "cannot read the answer to its end: the daemon went away"}
	}
	return fmt.Errorf("%w: %w", &api.Error{Code: api.CodeInternal, Message: "cannot understand the daemon's answer"}, err)
}

// givenUp is the error of a caller whose context ended; it is both an api.Error and the context's error.
func givenUp(ctx context.Context) error {
	return fmt.Errorf("%w: %w", &api.Error{Code: api.CodeCanceled, Message: "given up waiting for oathd"}, context.Cause(ctx))
}
