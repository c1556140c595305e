package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

const (
	// maxPassword is as many bytes as the socket takes.
	maxPassword = 1 << 10
	// passwordTimeout is how long a program may take to write what it has called for.
	passwordTimeout = 10 * time.Second
)

// unlock answers Key.Unlock.
func (s *session) unlock(c call) ([]any, error) {
	file, ok := c.body[0].(*os.File)
	if !ok {
		return nil, badRequest("no file came with the call")
	}
	password, err := readPassword(c.ctx, file, passwordTimeout)
	if err != nil {
		return nil, err
	}
	_, err = s.agent.Unlock(c.ctx, c.who(), c.object.value.(api.Key).ID, password)
	return nil, err
}

// readPassword reads a file to its end into a Secret, which is the caller's to wipe. It takes what a program can
// hand a password over with and what cannot block for ever: a pipe or a socket, whose other end the program
// closes, or a file.
func readPassword(ctx context.Context, file *os.File, timeout time.Duration) (*oath.Secret, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the password: %w", err)
	}
	switch info.Mode().Type() {
	case 0, fs.ModeNamedPipe, fs.ModeSocket:
	default:
		return nil, badRequest("a password comes in a pipe, a socket or a file")
	}
	_ = file.SetReadDeadline(time.Now().Add(timeout)) // a file on a disk has none, and needs none
	defer context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(1, 0)) })()

	room := oath.NewSecret(maxPassword + 1)
	defer room.Wipe()
	n, err := io.ReadFull(file, room.Bytes())
	switch {
	case err == nil:
		return nil, &api.Error{Code: api.CodeTooLarge, Message: fmt.Sprintf("cannot read the password: it is longer than %d bytes", maxPassword)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, badRequest("the password did not end within %v; close the other end when it is written", timeout)
	case errors.Is(err, io.EOF):
		return nil, badRequest("the password is empty")
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, badRequest("the password cannot be read: %v", err)
	}
	return oath.CopySecret(room.Bytes()[:n]), nil
}
