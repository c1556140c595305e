package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

const (
	// maxInput bounds what is read from standard input: some hundred accounts.
	maxInput = 256 << 10
	// firstRead is what is made ready for an input, which may be longer.
	firstRead = 1 << 10
	// maxPassword bounds a password in bytes.
	maxPassword = 1024
	// qrPatience bounds the look at a picture: a picture can be made such that it takes for ever.
	qrPatience = 20 * time.Second
)

// readAll reads r to its end into locked memory, of which it takes no more than it needs: it is scarce.
func readAll(r io.Reader, limit int) (*oath.Secret, error) {
	buf := oath.NewSecret(min(limit, firstRead) + 1)
	defer func() { buf.Wipe() }()
	for n := 0; ; {
		m, err := io.ReadFull(r, buf.Bytes()[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return oath.CopySecret(buf.Bytes()[:n]), nil
		case err != nil:
			return nil, err
		case n > limit:
			return nil, fmt.Errorf("it is longer than %d bytes", limit)
		}
		more := oath.NewSecret(min(limit+1, 8*n))
		copy(more.Bytes(), buf.Bytes())
		buf.Wipe()
		buf = more
	}
}

// readSecret asks for a secret at the terminal, or reads standard input where that is none.
func (a *app) readSecret(ctx context.Context, what string, limit int) (*oath.Secret, error) {
	if a.term.asks {
		return a.term.askSecret(ctx, what+" (not shown):")
	}
	text, err := readAll(a.term.in, limit)
	if err != nil {
		return nil, badInput("", "cannot read standard input: %w", err)
	}
	defer text.Wipe()
	return oath.CopySecret(trimLineEnd(text.Bytes())), nil
}

// readURIs reads otpauth URIs, one a line, from standard input; empty lines and those that begin with
// '#' are skipped. At a terminal it asks for one, as for any secret.
func (a *app) readURIs(ctx context.Context, change func(*oath.Account)) ([]otpauth.Entry, error) {
	text, err := a.readSecret(ctx, "otpauth URI", maxInput)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	return parseLines(text.Bytes(), "line", change)
}

// parseLines reads a URI a line. An error names the line, not its text.
func parseLines(text []byte, what string, change func(*oath.Account)) (entries []otpauth.Entry, err error) {
	defer func() {
		if err != nil {
			wipe(entries)
			entries = nil
		}
	}()
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		entry, err := otpauth.ParseAs(line, change)
		if err != nil {
			return entries, badInput(uriHint(err), "%s %d: %w", what, number, err)
		}
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return nil, badInput("oathctl add --help tells the ways to name an account", "cannot add anything: there is no otpauth URI")
	}
	return entries, nil
}

// readQR reads the URIs of the QR codes in a picture.
func (a *app) readQR(ctx context.Context, path string, change func(*oath.Account)) ([]otpauth.Entry, error) {
	picture, err := os.Open(path)
	if err != nil {
		return nil, badInput("", "cannot read the picture: %w", err)
	}
	defer picture.Close()
	return a.readCodes(ctx, picture, change)
}

// readCodes reads the URIs of the QR codes in an open picture.
func (a *app) readCodes(ctx context.Context, picture *os.File, change func(*oath.Account)) ([]otpauth.Entry, error) {
	text, err := a.runQR(ctx, picture)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	return parseLines(text.Bytes(), "QR code", change)
}

// runQR runs oathctl-qr on the picture and returns the lines that it prints.
func (a *app) runQR(ctx context.Context, picture *os.File) (*oath.Secret, error) {
	reader, err := kin.Find("oathctl-qr")
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, qrPatience)
	defer cancel()
	var complaint bytes.Buffer
	c := exec.CommandContext(limited, reader)
	c.Stdin, c.Stderr = picture, &complaint
	text, err := output(c)
	said := strings.TrimSpace(complaint.String())
	switch {
	case ctx.Err() != nil:
		err = interrupted()
	case limited.Err() != nil:
		err = badInput("", "cannot use the picture: it takes more than %s to look at", qrPatience)
	case err != nil && said != "":
		err = badInput("", "%s", said)
	}
	if err != nil {
		text.Wipe()
		return nil, err
	}
	if said != "" {
		a.term.warn(said)
	}
	return text, nil
}

// output runs a program and returns what it prints, in locked memory.
func output(c *exec.Cmd) (*oath.Secret, error) {
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Path, err)
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Path, err)
	}
	text, readErr := readAll(out, maxInput)
	_, _ = io.Copy(io.Discard, out) // so that it ends, if it said too much
	if err := errors.Join(readErr, c.Wait()); err != nil {
		return text, fmt.Errorf("cannot use what %s says: %w", c.Path, err)
	}
	return text, nil
}

func wipe(entries []otpauth.Entry) {
	for _, e := range entries {
		e.Wipe()
	}
}

// badInput is the error of something that the user gave and that can't be used.
func badInput(hint, format string, args ...any) error {
	return &api.Error{Code: api.CodeBadRequest, Message: fmt.Errorf(format, args...).Error(), Hint: hint}
}

// uriHint is the next step for somebody whose URI can't be used.
func uriHint(err error) string {
	switch {
	case errors.Is(err, oath.ErrNameLong), errors.Is(err, oath.ErrName):
		return "--issuer and --name give the account another name"
	case errors.Is(err, otpauth.ErrMigration):
		return "oathctl import reads it, several at once"
	}
	return ""
}
