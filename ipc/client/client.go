// Package client speaks to oathd over its Unix socket. It owns the requests and the rebuilding of answers and
// errors; what they mean is in ipc/api.
//
// The zero Client works: it finds the socket where the daemon puts it.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/oathd/oathd/ipc/api"
)

// A Client knows where the daemon is. It may be used by several goroutines; each request has a connection of its
// own. Its methods return *api.Error for what the daemon refuses, and for what keeps them from reaching it.
type Client struct {
	// Socket is the path of the daemon's socket; DefaultSocket if empty.
	Socket string
	// Dial connects in place of Socket: the seam for tests and tunnels.
	Dial func(ctx context.Context) (net.Conn, error)
}

// DefaultSocket is where the daemon listens unless it is told otherwise: oathd/oathd.sock in
// $XDG_RUNTIME_DIR, or in /run/user/UID where that is of no use (as in a cron job).
func DefaultSocket() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		dir = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	return filepath.Join(dir, "oathd", "oathd.sock")
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
			Hint:    startHint(path, packaged),
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

// packaged is the unit that packages bring, by which systemd listens at the usual socket.
const packaged = "/usr/lib/systemd/user/oathd.socket"

// startHint says how to have somebody listen at path. systemd does not, though there is the unit, where it was switched off, and where
// the daemon could not be started several times in a row.
func startHint(path, unit string) string {
	if _, err := os.Stat(unit); err == nil && path == DefaultSocket() {
		return "why the daemon ended says journalctl --user -u oathd; to have systemd listen again: systemctl --user reset-failed oathd.service; systemctl --user restart oathd.socket"
	}
	return "start the daemon with: oathd"
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
