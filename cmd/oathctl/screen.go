package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// What oathctl-grab can take a picture of.
const (
	grabScreen    = "screen"
	grabClipboard = "clipboard"
)

// readGrabbed reads the URIs of the QR codes on the screen, or in the clipboard's picture.
func (a *app) readGrabbed(ctx context.Context, what string, change func(*oath.Account)) ([]otpauth.Entry, error) {
	picture, err := a.grab(ctx, what)
	if err != nil {
		return nil, err
	}
	defer picture.Close()
	return a.readCodes(ctx, picture, change)
}

// grab has oathctl-grab take a picture, into memory: it may show seeds.
func (a *app) grab(ctx context.Context, what string) (*os.File, error) {
	path, err := kin.Find("oathctl-grab")
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("oathctl-picture", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, badInput("", "cannot make a file in memory: %w", err)
	}
	picture := os.NewFile(uintptr(fd), what)
	var complaint bytes.Buffer
	c := exec.CommandContext(ctx, path, what)
	c.Stdout, c.Stderr = picture, &complaint
	// It takes back what it has asked the desktop.
	c.Cancel, c.WaitDelay = func() error { return c.Process.Signal(syscall.SIGTERM) }, 5*time.Second
	err = c.Run()
	if err == nil {
		_, err = picture.Seek(0, 0)
	}
	if said := strings.TrimSpace(complaint.String()); err != nil && said != "" {
		err = errors.New(said)
	}
	switch {
	case ctx.Err() != nil:
		err = interrupted()
	case err != nil:
		err = badInput("save the picture as a file, and give it with --qr FILE", "%w", err)
	}
	if err != nil {
		picture.Close()
		return nil, err
	}
	return picture, nil
}
