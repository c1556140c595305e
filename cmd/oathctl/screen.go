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

	"github.com/spf13/cobra"
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

// pictureFlags say which picture of QR codes is meant.
type pictureFlags struct {
	file              string
	screen, clipboard bool
}

func (p *pictureFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.file, "qr", "", "read the QR codes in the picture FILE")
	completes(c, map[string]completion{"qr": completeFiles})
	p.addGrabs(c)
}

// addGrabs adds those that need no name.
func (p *pictureFlags) addGrabs(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&p.screen, "screen", false, "read the QR codes on the screen")
	f.BoolVar(&p.clipboard, "clipboard", false, "read the QR codes in the picture in the clipboard")
}

// grabs lists what oathctl-grab is to take.
func (p *pictureFlags) grabs() (list []string) {
	if p.screen {
		list = append(list, grabScreen)
	}
	if p.clipboard {
		list = append(list, grabClipboard)
	}
	return list
}

// count counts the pictures that are meant.
func (p *pictureFlags) count() int {
	if p.file != "" {
		return 1 + len(p.grabs())
	}
	return len(p.grabs())
}

// readPicture reads the URIs of the QR codes in the one picture that is meant.
func (a *app) readPicture(ctx context.Context, p pictureFlags, change func(*oath.Account)) ([]otpauth.Entry, error) {
	if p.file != "" {
		return a.readQR(ctx, p.file, change)
	}
	picture, err := a.grab(ctx, p.grabs()[0])
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
