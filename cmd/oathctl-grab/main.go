// Command oathctl-grab writes a picture of the screen, or the picture in the clipboard, to standard output. oathctl starts it
// for "oathctl add --screen" and "--clipboard", and has oathctl-qr read what it says.
//
// It is a program of its own because asking the desktop takes a D-Bus library, which would cost every start of oathctl a
// part of its millisecond. A picture of a QR code is a seed: it goes through memory only, and where the desktop insists on
// a file, that is deleted at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// maxPicture bounds a picture in bytes; tests have less patience.
var maxPicture = 64 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var picture []byte
	var err error
	switch {
	case len(args) == 1 && args[0] == "screen":
		picture, err = screen(ctx)
	case len(args) == 1 && args[0] == "clipboard":
		picture, err = clipboard(ctx)
	default:
		return errors.New("usage: oathctl-grab screen|clipboard > PICTURE")
	}
	if err != nil {
		return err
	}
	if _, err := out.Write(picture); err != nil {
		return fmt.Errorf("cannot hand over the picture: %w", err)
	}
	return nil
}
