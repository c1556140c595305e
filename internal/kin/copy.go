package kin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Copied says what became of a text that was copied.
type Copied struct {
	// Tool is what took it: "wayland", "wl-copy", "xclip", "xsel", "tmux", or "terminal", which does not say whether it did.
	Tool string
	// Clears says that it is taken out of the clipboard again, unless something else is in there by then.
	Clears bool
}

// Copy has oathctl-clip put text into the clipboard, to be taken out at the moment until. The program gets it by a
// pipe: arguments and environments are for everybody to read.
func Copy(ctx context.Context, text string, until time.Time) (Copied, error) {
	return runClip(ctx, text, until)
}

// CopyInSession is Copy for a program that has no desktop and no terminal of its own: the session that is on the screen gets it.
func CopyInSession(ctx context.Context, text string, until time.Time) (Copied, error) {
	return runClip(ctx, text, until, "-session")
}

func runClip(ctx context.Context, text string, until time.Time, flags ...string) (Copied, error) {
	path, err := Find("oathctl-clip")
	if err != nil {
		return Copied{}, err
	}
	c := exec.CommandContext(ctx, path, append(flags, "-until", strconv.FormatInt(until.Unix(), 10))...)
	var out, complaint bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(text), &out, &complaint
	if err := c.Run(); err != nil {
		if said := strings.TrimSpace(complaint.String()); said != "" {
			return Copied{}, errors.New(said)
		}
		return Copied{}, fmt.Errorf("cannot copy: %s: %w", path, err)
	}
	tool, end, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
	return Copied{Tool: tool, Clears: end == "clears"}, nil
}
