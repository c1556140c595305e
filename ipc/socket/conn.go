package socket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/peer"
	"github.com/oathd/oathd/oath"
)

// listener accepts connections as conns, as many as the gate lets in.
type listener struct {
	*net.UnixListener
	gate *gate
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
}

func newConn(c *net.UnixConn) *conn {
	client, err := credentials(c)
	if err != nil {
		return &conn{UnixConn: c, refused: forbidden("%v", err)}
	}
	return &conn{
		UnixConn: c,
		refused:  peer.Admit(client.Uid, uint32(os.Getuid())),
		caller: sync.OnceValue(func() agent.Caller {
			return agent.Caller{Name: peer.Name(client.Pid), UID: client.Uid, PID: client.Pid}
		}),
	}
}

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
// passes is the whole of it.
func (c *conn) Read(p []byte) (int, error) {
	if c.buffer == nil && len(p) > 1 {
		c.buffer = p[:cap(p)]
	}
	return c.UnixConn.Read(p)
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
