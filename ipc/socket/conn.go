package socket

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/peer"
	"github.com/oathd/oathd/oath"
)

// listener accepts connections as conns, as many as the gate lets in.
type listener struct {
	*net.UnixListener
	gate  *gate
	again func(raw []byte) []byte
}

// Accept waits for a connection, and finds out who made it.
func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	c := newConn(accepted)
	if err := l.gate.admit(c); err != nil && c.refused == nil {
		c.refused = err
	}
	if c.refused == nil {
		c.again = l.again
	}
	return c, nil
}

// conn is one connection and the process at its other end.
type conn struct {
	*net.UnixConn
	// caller names the process. It is found out when it is first asked for, as it costs some reads in /proc.
	caller func() agent.Caller
	// refused is the answer to every request of a connection that is not to be served; nil for others.
	refused error
	// buffer is where net/http keeps what it has read: the seeds of a request stay behind in it.
	buffer []byte
	// between says that the next byte begins a request. piece is what was read then, at the beginning of buffer.
	between bool
	piece   []byte
	// again may have the answer to a request that came in one piece; nil for nothing.
	again func(raw []byte) []byte
	// idle is what idleSince returns.
	idle atomic.Int64
	// patient says that writing may take for ever; else renewal is when the deadline of writing is to be moved.
	patient bool
	renewal time.Duration
}

// working stands in place of the time at which a connection began to rest, while it does not.
const working time.Duration = 0

var begun = time.Now()

// uptime is a clock that nobody sets; it is never 0.
func uptime() time.Duration { return time.Since(begun) + 1 }

func newConn(c *net.UnixConn) *conn {
	made := &conn{UnixConn: c, between: true}
	made.rest()
	client, err := credentials(c)
	if err != nil {
		made.refused = forbidden("%v", err)
		return made
	}
	made.refused = peer.Admit(client.Uid, uint32(os.Getuid()))
	made.caller = sync.OnceValue(func() agent.Caller {
		return agent.Caller{Name: peer.Name(client.Pid), UID: client.Uid, PID: client.Pid}
	})
	return made
}

// rest says that the connection has no request.
func (c *conn) rest() { c.idle.Store(int64(uptime())) }

// work says that a whole request has arrived.
func (c *conn) work() { c.idle.Store(int64(working)) }

// idleSince is the uptime at which it began to rest, or working.
func (c *conn) idleSince() time.Duration { return time.Duration(c.idle.Load()) }

// credentials asks the kernel who connected (unix(7), SO_PEERCRED).
func credentials(c *net.UnixConn) (client *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("cannot tell who connected: %w", err)
	}
	controlErr := raw.Control(func(fd uintptr) {
		client, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if controlErr != nil {
		err = controlErr
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell who connected: %w", err)
	}
	return client, nil
}

// Read remembers the buffer that net/http reads into: the first slice of more than one byte that it
// passes is the whole of it. (Single bytes are for noticing that the client leaves.) It answers by itself what
// it can, and hands on the rest.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 1 {
		return c.UnixConn.Read(p)
	}
	if c.buffer == nil {
		c.buffer = p[:cap(p)]
	}
	for {
		n, err := c.UnixConn.Read(p)
		answer := c.begin(p, n)
		if answer == nil {
			return n, err
		}
		if _, err := c.Write(answer); err != nil {
			return 0, err
		}
		c.rest()
	}
}

// begin notes what the first n bytes of p begin, and returns the answer if there is one already. Where p is not the whole
// buffer, something of the request is in it.
func (c *conn) begin(p []byte, n int) (answer []byte) {
	c.piece = nil
	if c.between && len(p) == len(c.buffer) {
		c.piece = p[:n]
		if c.again != nil {
			answer = c.again(c.piece)
		}
	}
	c.between = answer != nil
	return answer
}

var endOfHeader = []byte("\r\n\r\n")

// whole returns a request as it came, if that was in one piece with nothing behind it, and if the connection goes on
// afterwards; else nil.
func (c *conn) whole(r *http.Request) []byte {
	_, body, _ := bytes.Cut(c.piece, endOfHeader)
	if int64(len(body)) != r.ContentLength || r.Close || !r.ProtoAtLeast(1, 1) {
		return nil
	}
	return c.piece
}

// Write gives up on a client that takes nothing for answerTimeout, or somewhat longer: moving a deadline costs a
// timer, so it is not done for each answer.
func (c *conn) Write(p []byte) (int, error) {
	if now := uptime(); now > c.renewal && !c.patient {
		c.renewal = now + answerTimeout
		_ = c.UnixConn.SetWriteDeadline(time.Now().Add(2 * answerTimeout))
	}
	return c.UnixConn.Write(p)
}

// SetWriteDeadline does nothing. net/http would take Write's deadline away after every answer.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// waitForReader lets writing take as long as ctx lasts, and a little longer, for the end.
func (c *conn) waitForReader(ctx context.Context) (stop func() bool) {
	c.patient = true
	_ = c.UnixConn.SetWriteDeadline(time.Time{})
	return context.AfterFunc(ctx, func() { _ = c.UnixConn.SetWriteDeadline(time.Now().Add(farewell)) })
}

// wipe overwrites what net/http has buffered of this connection. It is called by a handler that has read
// its request's body to the end, while nobody else uses the buffer; the connection must then be closed,
// for the beginning of a next request may be gone with it.
func (c *conn) wipe() { oath.Wipe(c.buffer) }

type connKey struct{}

// withConn is the server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c.(*conn))
}

// connOf returns the connection that a request came by.
func connOf(r *http.Request) *conn { return r.Context().Value(connKey{}).(*conn) }
