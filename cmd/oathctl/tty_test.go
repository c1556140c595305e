package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/ipc/api"
)

// openPTY returns the two ends of a terminal: what the user does and sees, and what the program has (pty(7)).
func openPTY(t *testing.T) (user *os.File, program *tty) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return user, &tty{f}
}

// echoes reports whether the terminal shows what is typed.
func echoes(t *testing.T, p *tty) bool {
	t.Helper()
	var flags uint32
	err := p.control(func(fd int) error {
		termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			flags = termios.Lflag
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.ECHO != 0
}

// typing waits for the prompt, types the text, and returns all that the user has seen up to then.
func typing(t *testing.T, user *os.File, prompt, text string) <-chan string {
	t.Helper()
	seen := make(chan string, 1)
	go func() {
		shown, _ := bufio.NewReader(user).ReadString(prompt[len(prompt)-1])
		_, _ = user.WriteString(text)
		seen <- shown
	}()
	return seen
}

func TestReadLine(t *testing.T) {
	for _, test := range []struct {
		show  echo
		typed string
		want  string
		err   error
	}{
		{echoed, "hello\n", "hello", nil},
		{hidden, "correct horse\r", "correct horse", nil},
		{hidden, "typo\x7f\x7f\x7f\x7fright\n", "right", nil},
		{hidden, "\n", "", nil},
		{echoed, "\x04", "", errNothingTyped},
		{hidden, "\x04", "", errNothingTyped},
	} {
		user, program := openPTY(t)
		seen := typing(t, user, "Name:", test.typed)
		line, err := program.readLine(t.Context(), "Name:", test.show)
		if !errors.Is(err, test.err) || string(line.Bytes()) != test.want {
			t.Errorf("%q: got %q, %v", test.typed, line.Bytes(), err)
		}
		line.Wipe()
		if got := <-seen; got != "Name:" {
			t.Errorf("%q: the prompt was %q", test.typed, got)
		}
		if !echoes(t, program) {
			t.Errorf("%q: the echo was not switched on again", test.typed)
		}
	}
}

func TestHiddenIsNotShown(t *testing.T) {
	user, program := openPTY(t)
	restore, err := program.hide()
	if err != nil {
		t.Fatal(err)
	}
	if echoes(t, program) {
		t.Fatal("the terminal still echoes")
	}
	if _, err := user.WriteString("correct horse\n"); err != nil {
		t.Fatal(err)
	}
	line, err := program.line()
	if err != nil {
		t.Fatal(err)
	}
	line.Wipe()
	restore()
	if _, err := program.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	screen := bufio.NewScanner(user)
	for screen.Scan() && !strings.HasPrefix(screen.Text(), "end") {
		if strings.Contains(screen.Text(), "horse") {
			t.Errorf("the screen shows %q", screen.Text())
		}
	}
}

// Ctrl-C in the middle of a question gives the terminal back as it was.
func TestReadLineInterrupted(t *testing.T) {
	user, program := openPTY(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = bufio.NewReader(user).ReadString(':')
		cancel()
	}()
	line, err := program.readLine(ctx, "Password:", hidden)
	if api.CodeOf(err) != api.CodeCanceled || line != nil {
		t.Errorf("got %q, %v", line.Bytes(), err)
	}
	if !echoes(t, program) {
		t.Error("the echo was not switched on again")
	}
}

func TestNoTerminalToAsk(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := (&tty{file}).hide(); err == nil || !strings.HasPrefix(err.Error(), "cannot hide what is typed: ") {
		t.Errorf("got %v", err)
	}
}
