package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

const pasted = "otpauth://totp/GitHub:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=GitHub"

// world is a daemon with two adopted soft keys, and an oathctl to start beside it.
type world struct {
	*running
	env []string
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	w := &world{env: []string{"PATH=" + os.Getenv("PATH") + ":" + programs(t)}}
	dir := t.TempDir()
	if err := prepare(dir, func(name, value string) { w.env = append(w.env, name+"="+value) }); err != nil {
		t.Fatal(err)
	}
	var err error
	w.running, err = startDaemon(context.WithoutCancel(t.Context()), w.env, filepath.Join(dir, "run", "oathd", "oathd.sock"), append([]string{"--soft-keys", "2"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	for serial, label := range map[string]string{"1000001": "daily", "1000002": "spare"} {
		if _, err := w.client.Adopt(t.Context(), serial, api.AdoptRequest{Label: label}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) move(t *testing.T, serial string, move api.SoftMove) {
	t.Helper()
	if err := (&app{term: newTerminal(streams{nil, io.Discard, io.Discard}), client: w.client}).moveSoft(t.Context(), serial, move); err != nil {
		t.Fatal(err)
	}
}

// child is an oathctl that runs, and what it says.
type child struct {
	cmd *exec.Cmd
	out bytes.Buffer
	err *bufio.Scanner
}

func (w *world) start(t *testing.T, input string, args ...string) *child {
	t.Helper()
	c := w.command(t, input, args...)
	c.cmd.Stdout = &c.out
	c.start(t)
	return c
}

func (w *world) command(t *testing.T, input string, args ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	c := &child{cmd: exec.CommandContext(ctx, "oathctl", args...)}
	c.cmd.Env, c.cmd.Stdin = w.env, strings.NewReader(input)
	errOut, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.err = bufio.NewScanner(errOut)
	return c
}

func (c *child) start(t *testing.T) {
	t.Helper()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (c *child) interrupt(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// expect waits until oathctl says something that begins like this.
func (c *child) expect(t *testing.T, prefix string) {
	t.Helper()
	var said []string
	for c.err.Scan() {
		if strings.HasPrefix(c.err.Text(), prefix) {
			return
		}
		said = append(said, c.err.Text())
	}
	t.Fatalf("oathctl ended without %q, it said %q and %q", prefix, said, c.out.String())
}

// finish waits for the end and compares exit status and output.
func (c *child) finish(t *testing.T, status int, want ...string) {
	t.Helper()
	var rest []string
	for c.err.Scan() {
		rest = append(rest, c.err.Text())
	}
	_ = c.cmd.Wait() // its error is the exit status
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("exit status %d, want %d; it said %q", got, status, rest)
	}
	for _, line := range want {
		if !strings.Contains(c.out.String(), line) {
			t.Errorf("no %q in\n%s", line, c.out.String())
		}
	}
}

// One USB port: the keys come one after the other.
func TestAddWaitsForTheSecondKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.move(t, "1000002", api.SoftPull)
	c := w.start(t, pasted, "add", "-", "--wait", "forever")
	waitForBoth(t, c, "GitHub:alice on daily: proved", "plug in spare")
	w.move(t, "1000001", api.SoftPull)
	w.move(t, "1000002", api.SoftPlug)
	c.finish(t, exitDone, "GitHub:alice: 2 of 2 copies", "  daily (soft)  proved", "  spare (soft)  proved")
}

// Who has no second key at hand breaks off, and is told what there is.
func TestAddBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.move(t, "1000002", api.SoftPull)
	c := w.start(t, pasted, "add", "-", "--wait", "5m")
	waitForBoth(t, c, "GitHub:alice on daily: proved", "plug in spare")
	c.interrupt(t)
	c.finish(t, exitPartly, "GitHub:alice: 1 of 2 copies", "  daily  proved", "  missing: 1 copy", "  would be lost with: daily", "broken off")
}

// waitForBoth waits for two lines in any order.
func waitForBoth(t *testing.T, c *child, prefixes ...string) {
	t.Helper()
	left := map[string]bool{}
	for _, p := range prefixes {
		left[p] = true
	}
	for len(left) > 0 && c.err.Scan() {
		for p := range left {
			if strings.HasPrefix(c.err.Text(), p) {
				delete(left, p)
			}
		}
	}
	if len(left) > 0 {
		t.Fatalf("oathctl ended without %v", left)
	}
}

// Nothing written is not "done in part".
func TestAddBrokenOffBeforeTheFirstKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.move(t, "1000001", api.SoftPull)
	c := w.start(t, pasted, "add", "-", "--wait", "5m", "--to", "daily")
	c.expect(t, "plug in daily")
	c.interrupt(t)
	c.finish(t, exitError)
	if c.out.Len() > 0 {
		t.Errorf("got %q", c.out.String())
	}
}

// A request for a code waits for the key, if it may.
func TestCodeWaitsForAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(t, pasted, "add", "-", "--to", "daily").finish(t, exitDone)
	w.move(t, "1000001", api.SoftPull)
	w.start(t, "", "code", "GitHub").finish(t, exitKeyAbsent)
	w.start(t, "", "code", "GitHub", "--wait", "20ms").finish(t, exitKeyAbsent)

	c := w.start(t, "", "code", "GitHub", "--wait", "5m")
	c.expect(t, "waiting for a key")
	w.move(t, "1000001", api.SoftPlug)
	c.finish(t, exitDone)
	if got := strings.TrimSpace(c.out.String()); len(got) != 6 {
		t.Errorf("got %q", got)
	}

	w.move(t, "1000001", api.SoftPull)
	c = w.start(t, "", "code", "GitHub", "--wait", "forever")
	c.expect(t, "waiting for a key")
	c.interrupt(t)
	c.finish(t, exitKeyAbsent)
}

// Whoever waits is told which key to touch.
func TestTouch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--soft-touch", "manual")
	c := w.start(t, pasted, "add", "-", "--touch", "--to", "daily")
	c.expect(t, "touch daily: it blinks  (for GitHub:alice)")
	w.move(t, "1000001", api.SoftTouch)
	c.finish(t, exitDone, "GitHub:alice: 1 of 1 copy")

	c = w.start(t, "", "code", "GitHub")
	c.expect(t, "touch daily (soft): it blinks")
	w.move(t, "1000001", api.SoftTouch)
	c.finish(t, exitDone)

	w.start(t, "", "verify").finish(t, exitDone)
	c = w.start(t, "", "verify", "--touch")
	c.expect(t, "touch daily: it blinks")
	w.move(t, "1000001", api.SoftTouch)
	c.finish(t, exitDone, "GitHub:alice: 1 of 1 copy")
}

// A touch that never comes has an exit status of its own.
func TestNoTouch(t *testing.T) {
	if testing.Short() {
		t.Skip("a key waits 15 seconds for a touch: run without -short")
	}
	t.Parallel()
	w := newWorld(t, "--soft-touch", "never")
	w.start(t, pasted, "add", "-", "--touch", "--to", "daily").finish(t, exitTouch, "GitHub:alice: 0 of 1 copy")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.command(t, "", "events")
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.start(t)
	c.expect(t, "waiting for events")
	w.move(t, "1000001", api.SoftPull)
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), " daily: pulled out") {
	}
	if lines.Text() == "" {
		t.Error("the end of its words, and none that the key was pulled out")
	}
	c.interrupt(t)
	c.finish(t, exitDone)
}

// fakeReader puts a program in oathctl-qr's place.
func fakeReader(t *testing.T, script string) *os.File {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oathctl-qr"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	picture, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { picture.Close() })
	return picture
}

func TestReaderOfPictures(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"says why":      {"echo cannot use the picture: it is ugly >&2; exit 1", "cannot use the picture: it is ugly"},
		"dies silently": {"exit 3", "exit status 3"},
		"says too much": {"head -c 300000 /dev/zero", "it is longer than 262144 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			picture := fakeReader(t, test.script)
			term, _, _ := fakeTerminal()
			text, err := (&app{term: term}).runQR(t.Context(), picture)
			if err == nil || !strings.Contains(err.Error(), test.want) || text != nil {
				t.Errorf("got %v, %v", text, err)
			}
		})
	}
}

func TestReaderOfPicturesWarns(t *testing.T) {
	picture := fakeReader(t, "echo one left out >&2; echo otpauth://totp/x?secret=MY")
	term, _, errOut := fakeTerminal()
	text, err := (&app{term: term}).runQR(t.Context(), picture)
	if err != nil || string(text.Bytes()) != "otpauth://totp/x?secret=MY\n" || errOut.String() != "warning: one left out\n" {
		t.Errorf("got %q, %v, %q", text.Bytes(), err, errOut)
	}
	text.Wipe()
}

func TestReaderOfPicturesInterrupted(t *testing.T) {
	picture := fakeReader(t, "exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	term, _, _ := fakeTerminal()
	if _, err := (&app{term: term}).runQR(ctx, picture); api.CodeOf(err) != api.CodeCanceled {
		t.Errorf("got %v", err)
	}
}
