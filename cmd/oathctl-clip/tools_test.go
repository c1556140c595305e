package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

// only returns a PATH with these programs and no others.
func only(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + dir
}

// stopAtEnd ends a server with the test.
func stopAtEnd(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
}

func TestX11(t *testing.T) {
	need.Program(t, "Xvfb", "xvfb")
	need.Program(t, "xclip", "xclip")
	need.Program(t, "xsel", "xsel")
	ready, number, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command("Xvfb", "-displayfd", "3", "-nolisten", "tcp", "-screen", "0", "320x200x8")
	server.ExtraFiles = []*os.File{number}
	stopAtEnd(t, server)
	number.Close()
	display, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"xclip", "xsel"} {
		t.Run(name, func(t *testing.T) {
			tool, err := named(name)
			if err != nil {
				t.Fatal(err)
			}
			desktop{t, tool, []string{"DISPLAY=:" + strings.TrimSpace(display), only(t, name)}}.check()
		})
	}
}

// screen is a tmux server of the test's own.
type screen struct {
	t      *testing.T
	socket string
}

func newScreen(t *testing.T) screen {
	t.Helper()
	need.Program(t, "tmux", "tmux")
	dir, err := os.MkdirTemp("", "tmux") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s := screen{t, filepath.Join(dir, "s")}
	s.do("new-session", "-d", "-x", "80", "-y", "24", "cat")
	t.Cleanup(func() {
		s.do("kill-server")
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s screen) do(args ...string) string {
	s.t.Helper()
	c := exec.Command("tmux", append([]string{"-S", s.socket, "-f", "/dev/null"}, args...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func TestTmux(t *testing.T) {
	s := newScreen(t)
	tool, err := named("tmux")
	if err != nil {
		t.Fatal(err)
	}
	d := desktop{t, tool, []string{"TMUX=" + s.socket + ",1,0", only(t, "tmux")}}
	d.check()
	d.checkTime()
}

// Where there is nothing else, the terminal is told. Here tmux is the terminal, and takes it into a buffer.
func TestTerminal(t *testing.T) {
	s := newScreen(t)
	s.do("set", "-s", "set-clipboard", "on", ";", "set-hook", "-g", "pane-set-clipboard", "wait-for -S copied")
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(in, []byte("755224"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("env -i %s=1 '%s' -until 4000000000 <'%s' >'%s' 2>&1", asProgram, os.Args[0], in, out)
	s.do("new-window", program+"; tmux wait-for -S ended")
	s.do("wait-for", "ended")
	if said, _ := os.ReadFile(out); string(said) != "terminal keeps\n" {
		t.Fatalf("it says %q", said)
	}
	s.do("wait-for", "copied")
	if got := s.do("show-buffer"); got != "755224" {
		t.Errorf("the terminal's clipboard holds %q", got)
	}
}

// fakeTool is a program that keeps the clipboard in a file, and its arguments in another.
func fakeTool(t *testing.T, name, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho \"$@\" >>"+dir+"/args\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The wl-copy that Debian has knows no --sensitive; a newer one is told that it is a secret, for the clipboard
// managers that keep a history.
func TestSecretHint(t *testing.T) {
	for name, test := range map[string]struct{ script, args string }{
		"newer": {"cat >$0.text", "--sensitive --type text/plain\n"},
		"older": {"[ $1 != --sensitive ] || { echo unknown option >&2; exit 1; }; cat >$0.text", "--sensitive --type text/plain\n--type text/plain\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fakeTool(t, "wl-copy", test.script)
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			t.Setenv("WAYLAND_DISPLAY", "wayland-9")
			used, err := copyText([]byte("755224"), 0, tools[1:])
			args, _ := os.ReadFile(filepath.Join(dir, "args"))
			text, _ := os.ReadFile(filepath.Join(dir, "wl-copy.text"))
			if err != nil || used.name != "wl-copy" || string(args) != test.args || string(text) != "755224" {
				t.Errorf("%s, %v: called with %q, given %q", used.name, err, args, text)
			}
		})
	}
}

// A desktop that cannot be reached is no reason not to try the next.
func TestNextTool(t *testing.T) {
	dir := fakeTool(t, "xclip", `echo "Error: Can't open display: :9" >&2; exit 1`)
	t.Setenv("PATH", dir)
	t.Setenv("XDG_RUNTIME_DIR", "/nonexistent")
	t.Setenv("WAYLAND_DISPLAY", "wayland-9")
	t.Setenv("DISPLAY", ":9")
	t.Setenv("TMUX", "")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), asProgram+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
	c.Stdin = strings.NewReader("755224")
	var complaint bytes.Buffer
	c.Stderr = &complaint
	if err := c.Run(); err == nil {
		t.Error("it copied into nowhere")
	}
	const want = "cannot copy: wayland: dial unix /nonexistent/wayland-9: connect: no such file or directory; wl-copy: exec: \"wl-copy\": executable file not found in $PATH; xclip: Error: Can't open display: :9; " +
		"xsel: exec: \"xsel\": executable file not found in $PATH; there is neither a desktop nor a terminal\n"
	if complaint.String() != want {
		t.Errorf("got %q\nwant %q", complaint.String(), want)
	}
	if strings.Contains(complaint.String(), base64.StdEncoding.EncodeToString([]byte("755224"))) {
		t.Error("the error tells the code")
	}
}

// TestBusyMachine has a tool take longer than anybody would wait for it to copy: the code goes out of the clipboard all the same.
func TestBusyMachine(t *testing.T) {
	dir := fakeTool(t, "xclip", `case "$*" in
*-out*) sleep 4; printf 755224;;
*/dev/null*) : >`+"$0.cleared"+`;;
esac`)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	xclip, err := named("xclip")
	if err != nil {
		t.Fatal(err)
	}
	if err := clearAt(time.Unix(1, 0), xclip, []byte("755224")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "xclip.cleared")); err != nil {
		t.Error("it stays:", err)
	}
}
