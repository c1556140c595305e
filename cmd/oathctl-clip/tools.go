package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tool is a way to the clipboard.
type tool struct {
	name string
	// needs is the variable that is set wherever the tool can work; "" where it needs none.
	needs string
	// copies are tried in turn; paste prints what is in the clipboard, clear empties it. Where these are nil, it cannot be
	// known whose the content is, and it stays.
	copies       [][]string
	paste, clear []string
	// holds says that a process of ours holds the clipboard, and lets it go by itself.
	holds bool
}

// tools are tried in this order, but see inOrder.
var tools = []tool{
	{name: "wayland", needs: "WAYLAND_DISPLAY", holds: true},
	{
		name: "wl-copy", needs: "WAYLAND_DISPLAY",
		// --sensitive (wl-clipboard 2.3) sets x-kde-passwordManagerHint, on which clipboard managers keep no history.
		copies: [][]string{{"wl-copy", "--sensitive", "--type", "text/plain"}, {"wl-copy", "--type", "text/plain"}},
		paste:  []string{"wl-paste", "--no-newline"},
		clear:  []string{"wl-copy", "--clear"},
	},
	{
		name: "xclip", needs: "DISPLAY",
		copies: [][]string{{"xclip", "-selection", "clipboard", "-in"}},
		paste:  []string{"xclip", "-selection", "clipboard", "-out"},
		clear:  []string{"xclip", "-selection", "clipboard", "-in", "/dev/null"},
	},
	{
		name: "xsel", needs: "DISPLAY",
		copies: [][]string{{"xsel", "--clipboard", "--input"}},
		paste:  []string{"xsel", "--clipboard", "--output"},
		clear:  []string{"xsel", "--clipboard", "--clear"},
	},
	{
		// By default tmux drops OSC 52, but copies to the terminal's clipboard by itself.
		name: "tmux", needs: "TMUX",
		copies: [][]string{{"tmux", "load-buffer", "-w", "-"}},
		paste:  []string{"tmux", "save-buffer", "-"},
		clear:  []string{"tmux", "delete-buffer"},
	},
	{name: "terminal"},
}

func named(name string) (tool, error) {
	i := slices.IndexFunc(tools, func(t tool) bool { return t.name == name })
	if i < 0 {
		return tool{}, fmt.Errorf("cannot clear the clipboard with %q: there is no such tool", name)
	}
	return tools[i], nil
}

// inOrder puts the ways of X11 first on GNOME, whose shell gives the clipboard of Wayland only to who has the focus: wl-copy and
// wl-paste take it from the person's window for a moment, to copy and again to empty the clipboard. By Xwayland nothing is taken.
func inOrder(ways []tool) []tool {
	if !slices.Contains(strings.Split(os.Getenv("XDG_CURRENT_DESKTOP"), ":"), "GNOME") {
		return ways
	}
	first, rest := []tool{}, []tool{}
	for _, t := range ways {
		if t.needs == "DISPLAY" {
			first = append(first, t)
		} else {
			rest = append(rest, t)
		}
	}
	return append(first, rest...)
}

// copyText puts text into the clipboard with the first of the ways that can. One that holds it lets it go at the moment until, in
// Unix seconds; 0 is never.
func copyText(text []byte, until int64, ways []tool) (tool, error) {
	var failures []string
	for _, t := range ways {
		if t.needs != "" && os.Getenv(t.needs) == "" {
			continue
		}
		err := t.take(text, until)
		if err == nil {
			return t, nil
		}
		failures = append(failures, err.Error())
	}
	if len(failures) == 0 {
		return tool{}, errors.New("cannot copy: no desktop is known")
	}
	return tool{}, fmt.Errorf("cannot copy: %s", strings.Join(failures, "; "))
}

func (t tool) take(text []byte, until int64) error {
	switch {
	case t.holds:
		if err := detach(text, "-hold", "-until", strconv.FormatInt(until, 10)); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		return nil
	case t.copies == nil:
		return tellTerminal(text)
	}
	var err error
	for _, command := range t.copies {
		if _, err = t.runFor(patience, command, text); err == nil {
			return nil
		}
	}
	return err
}

// patience is how long a tool may take to copy: one for Wayland may wait for a window that never gets the focus. Tests have more.
var patience = 3 * time.Second

// leisure is how long one may take to empty the clipboard, for which nobody waits: on a busy machine, a code is not to stay.
const leisure = time.Minute

// runFor runs a command of the tool's for so long at most.
func (t tool) runFor(limit time.Duration, command []string, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return t.run(ctx, command, text)
}

// run runs a command of the tool's and returns what it prints. The tools leave processes behind that serve the
// clipboard and keep what they inherit, so that what they print goes to files in memory, and not to pipes, which
// would never end.
func (t tool) run(ctx context.Context, command []string, text []byte) ([]byte, error) {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir = "/"
	var files [3]*os.File
	for i := range files {
		f, err := memoryFile()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files[i] = f
	}
	in, out, complaint := files[0], files[1], files[2]
	if _, err := in.WriteAt(text, 0); err != nil {
		return nil, fmt.Errorf("cannot hand over what to copy: %w", err)
	}
	c.Stdin, c.Stdout, c.Stderr = in, out, complaint
	err := c.Run()
	if err != nil {
		said := firstLine(complaint)
		if errors.Is(err, exec.ErrNotFound) || said == "" {
			said = err.Error()
		}
		return nil, fmt.Errorf("%s: %s", command[0], said)
	}
	return content(out)
}

func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("oathctl-clip", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

func content(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, maxText+1))
}

func firstLine(f *os.File) string {
	text, _ := content(f)
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(line)
}

// tellTerminal has the terminal copy (OSC 52). It does not answer, so nobody knows whether it did.
func tellTerminal(text []byte) error {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return errors.New("there is neither a desktop nor a terminal")
	}
	defer tty.Close()
	if _, err = fmt.Fprintf(tty, "\x1b]52;c;%s\a", base64.StdEncoding.EncodeToString(text)); err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	return nil
}
