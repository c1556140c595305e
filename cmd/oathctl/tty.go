package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/oath"
)

// maxLine is the longest line that a terminal hands over in one piece (termios(3), canonical mode).
const maxLine = 4096

// errNothingTyped is the end of the input (Ctrl-D) where an answer was asked for.
var errNothingTyped = errors.New("cannot go on: the question was not answered")

// tty is the terminal that controls the process, whatever its standard streams are.
type tty struct{ *os.File }

func openTTY() (*tty, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot ask anything: %w", err)
	}
	return &tty{f}, nil
}

// echo says whether what is typed is shown.
type echo bool

const (
	echoed echo = true
	hidden echo = false
)

// readLine shows the prompt and reads one line without its end. It breaks off when ctx ends.
func (t *tty) readLine(ctx context.Context, prompt string, show echo) (*oath.Secret, error) {
	stop := context.AfterFunc(ctx, func() { _ = t.SetReadDeadline(time.Now()) })
	defer stop()
	if show == hidden {
		restore, err := t.hide()
		if err != nil {
			return nil, err
		}
		defer restore()
	}
	if _, err := io.WriteString(t, prompt); err != nil {
		return nil, err
	}
	line, err := t.line()
	if ctx.Err() != nil {
		line.Wipe()
		fmt.Fprintln(t)
		return nil, interrupted()
	}
	return line, err
}

// line reads a line into locked memory. The terminal delivers it whole, so it takes one Read.
func (t *tty) line() (*oath.Secret, error) {
	buf := oath.NewSecret(maxLine)
	defer buf.Wipe()
	n, err := t.Read(buf.Bytes())
	if n == 0 {
		if errors.Is(err, io.EOF) || err == nil {
			err = errNothingTyped
		}
		return nil, err
	}
	return oath.CopySecret(trimLineEnd(buf.Bytes()[:n])), nil
}

// hide switches the echo off and returns what switches it on again.
func (t *tty) hide() (restore func(), err error) {
	var was *unix.Termios
	err = t.control(func(fd int) (err error) {
		if was, err = unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return err
		}
		quiet := *was
		quiet.Lflag &^= unix.ECHO
		quiet.Lflag |= unix.ICANON | unix.ISIG
		quiet.Iflag |= unix.ICRNL
		return unix.IoctlSetTermios(fd, unix.TCSETS, &quiet)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot hide what is typed: %w", err)
	}
	return func() {
		fmt.Fprintln(t) // the user's own line end was not shown either
		_ = t.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, was) })
	}, nil
}

func (t *tty) control(f func(fd int) error) error {
	raw, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// trimLineEnd takes off one line end, of any system.
func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}
