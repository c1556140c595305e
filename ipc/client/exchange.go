package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/oathd/oathd/ipc/api"
)

// This file speaks HTTP/1.0, each request on a connection of its own: an answer then ends where its connection
// does, so there are no chunks to put together and no connections to keep. net/http would do all that and more, but its
// start costs oathctl as much time as everything else that "oathctl code" does.

const (
	// maxHeaders bounds the header of an answer in lines, each of which must fit into bufio's buffer.
	maxHeaders = 64

	// maxError bounds the body of an answer that is an error.
	maxError = 1 << 20
)

// request is what is sent to the daemon.
type request struct {
	method, path string
	// contentType and body are empty where there is no body. Its parts are sent from where they lie, as
	// they may be secrets.
	contentType string
	body        net.Buffers
}

// withJSON adds v as the request's body.
func (r request) withJSON(v any) request {
	r.contentType, r.body = api.JSONType, net.Buffers{marshal(v)}
	return r
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("ipc/api has a type that JSON cannot hold: " + err.Error())
	}
	return b
}

// writeTo sends the request in one piece.
func (r request) writeTo(conn net.Conn) error {
	head := r.method + " " + r.path + " HTTP/1.0\r\nHost: oathd\r\n"
	if r.contentType != "" {
		length := 0
		for _, part := range r.body {
			length += len(part)
		}
		head += "Content-Type: " + r.contentType + "\r\nContent-Length: " + strconv.Itoa(length) + "\r\n"
	}
	pieces := append(net.Buffers{[]byte(head + "\r\n")}, r.body...)
	_, err := pieces.WriteTo(conn)
	return err
}

// body is what follows the header of an answer. Closing it closes the connection.
type body struct {
	*bufio.Reader
	conn net.Conn
	// release ends the watch over the caller's context.
	release func() bool
}

// Close closes the connection.
func (b body) Close() error {
	b.release()
	return b.conn.Close()
}

// wipe overwrites what the reader has buffered: it fills the buffer anew.
func (b body) wipe() {
	b.Reset(zeros{})
	_, _ = b.Peek(b.Size())
}

// zeros is a stream of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// call sends r and decodes the answer.
func call[T any](ctx context.Context, c *Client, r request) (answer T, err error) {
	b, err := c.send(ctx, r)
	if err != nil {
		return answer, err
	}
	defer b.Close()
	if err := json.NewDecoder(b).Decode(&answer); err != nil {
		return answer, unreadable(ctx, err)
	}
	return answer, nil
}

// send sends r and returns the body of the answer, to be closed; an answer that is an error is returned as one.
// The end of ctx ends the connection.
func (c *Client) send(ctx context.Context, r request) (body, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return body{}, unreachable(ctx, err)
	}
	b := body{bufio.NewReader(conn), conn, context.AfterFunc(ctx, func() { _ = conn.Close() })}
	// A request that is not read to its end may still be answered: it was too long, say.
	unsent := r.writeTo(conn)
	status, err := b.head()
	switch {
	case err == nil && strings.HasPrefix(status, "200 "):
		return b, nil
	case err == nil:
		err = refusal(status, b)
	case unsent != nil:
		err = unreachable(ctx, unsent)
	default:
		err = unreadable(ctx, err)
	}
	_ = b.Close()
	return body{}, err
}

// errNotHTTP is the error of an answer in another language.
var errNotHTTP = errors.New("it is not HTTP")

// head reads the header of an answer and returns its status, e.g. "200 OK". The rest is of no use: an
// answer of oathd's says by itself what it is.
func (b body) head() (status string, err error) {
	for range maxHeaders {
		line, err := b.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return "", errNotHTTP
		}
		if err != nil {
			return "", err
		}
		line = bytes.TrimRight(line, "\r\n")
		if status == "" {
			protocol, rest, _ := bytes.Cut(line, []byte(" "))
			if status = string(rest); !bytes.HasPrefix(protocol, []byte("HTTP/1.")) || status == "" {
				return "", errNotHTTP
			}
		}
		if len(line) == 0 {
			return status, nil
		}
	}
	return "", errNotHTTP
}

// refusal rebuilds the error that the daemon answered.
func refusal(status string, r io.Reader) error {
	var body api.ErrorBody
	err := json.NewDecoder(io.LimitReader(r, maxError)).Decode(&body)
	if err != nil || body.Error == nil || body.Error.Code == "" {
		return &api.Error{
			Code:    api.CodeInternal,
			Message: fmt.Sprintf("cannot understand the daemon's answer: HTTP status %q without an error of oathd's", status),
			Hint:    "is it oathd that listens on this socket?",
		}
	}
	return body.Error
}
