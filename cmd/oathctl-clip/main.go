// Command oathctl-clip puts what it reads from standard input into the clipboard, and takes it out again at a given moment
// unless something else is in there by then. oathctl and oathctl-watch start it for a code that is copied, and oathd for one that
// somebody has searched for on the desktop.
//
// It is a program of its own because somebody has to wait for that moment: a small process without a terminal, which
// gets the code by a pipe, so that it stands in no argument and no environment. Where it can, that process also holds the clipboard.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxText bounds what is copied; a code has ten characters at most.
const maxText = 4096

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run copies, and says on out with what, and whether that is cleared: "xclip clears", "terminal keeps". With
// -hold or -clear it is the process that waits.
func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("oathctl-clip", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	until := flags.Int64("until", 0, "when the text is to be taken out of the clipboard, in Unix seconds; 0 is never")
	session := flags.Bool("session", false, "copy in the session that is on the screen, wherever this was started")
	with := flags.String("with", "", "copy with this tool alone")
	hold := flags.Bool("hold", false, "hold Wayland's clipboard until then")
	clear := flags.String("clear", "", "wait until then, and take it out with this tool")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errors.New("usage: oathctl-clip [-session] [-with TOOL] [-until SECONDS] < TEXT")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxText+1))
	switch {
	case err != nil:
		return fmt.Errorf("cannot read what to copy: %w", err)
	case len(text) == 0 || len(text) > maxText:
		return fmt.Errorf("cannot copy %d bytes: it is 1 to %d", len(text), maxText)
	case *hold:
		return holdUntil(time.Unix(*until, 0), text)
	case *clear != "":
		t, err := named(*clear)
		if err == nil {
			err = wait()
		}
		if err != nil {
			return err
		}
		return clearAt(time.Unix(*until, 0), t, text)
	}
	ways := tools
	if *session {
		ways = enterSession(context.Background())
	}
	if *with != "" {
		ways = slices.DeleteFunc(slices.Clone(ways), func(t tool) bool { return t.name != *with })
	}
	return copyUntil(text, *until, inOrder(ways), out)
}

// copyUntil copies with the first tool that can, and has a process wait to clear what the tool does not by itself.
func copyUntil(text []byte, until int64, ways []tool, out io.Writer) error {
	used, err := copyText(text, until, ways)
	if err != nil {
		return err
	}
	end := "keeps"
	if until > 0 && used.clear != nil {
		if err := detach(text, "-clear", used.name, "-until", strconv.FormatInt(until, 10)); err != nil {
			return fmt.Errorf("copied, but it stays in the clipboard: %w", err)
		}
	}
	if until > 0 && (used.holds || used.clear != nil) {
		end = "clears"
	}
	_, err = fmt.Fprintln(out, used.name, end)
	return err
}

// detach starts the process that waits, in a session of its own, so that it outlives the terminal, and returns when that has begun to
// wait: it then complains no more.
func detach(text []byte, args ...string) error {
	in, feed, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer feed.Close()
	defer in.Close()
	complaints, complain, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer complaints.Close()
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = filepath.Base(os.Args[0])
	c.Stdin, c.Stderr, c.Dir = in, complain, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = c.Start()
	complain.Close()
	if err != nil {
		return fmt.Errorf("cannot start a process that waits: %w", err)
	}
	if _, err := feed.Write(text); err != nil {
		return fmt.Errorf("cannot hand the text to the process that waits: %w", err)
	}
	feed.Close()
	said, err := io.ReadAll(complaints)
	switch {
	case err != nil:
		return err
	case len(said) > 0:
		_ = c.Wait() // it has said why
		return errors.New(strings.TrimSpace(string(said)))
	}
	return c.Process.Release()
}

// wait has who started this process go on, while it waits itself.
func wait() error {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer nowhere.Close()
	return unix.Dup3(int(nowhere.Fd()), int(os.Stderr.Fd()), 0)
}

// holdUntil holds Wayland's clipboard until the moment, or until somebody else copies. It is empty then.
func holdUntil(moment time.Time, text []byte) error {
	w, err := dialWayland()
	if err != nil {
		return err
	}
	defer w.conn.Close()
	if err := w.take(); err != nil {
		return err
	}
	if err := wait(); err != nil {
		return err
	}
	return w.hold(text, moment)
}

// clearAt waits for the moment and empties the clipboard, if the text is still what is in there.
func clearAt(moment time.Time, t tool, text []byte) error {
	time.Sleep(time.Until(moment))
	now, err := t.runFor(leisure, t.paste, nil)
	if err != nil {
		return err // nothing is in there, or the desktop is gone
	}
	if !bytes.Equal(bytes.TrimSuffix(now, []byte("\n")), text) {
		return nil // somebody has copied something else
	}
	_, err = t.runFor(leisure, t.clear, nil)
	return err
}
