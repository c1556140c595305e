package hwtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Ykman is Yubico's own program, as the distribution packages it, with the key in one slot. It is the
// referee: what it does to a soft key, a real one takes as well.
type Ykman struct {
	t      testing.TB
	reader string
	env    []string
}

// Ykman returns a ykman for the key in a slot. What it remembers lies in a HOME of its own. Never run it with an empty
// slot: where it cannot connect it kills the user's scdaemon (ykman/pcsc, kill_scdaemon).
func (p *PCSCD) Ykman(t testing.TB, slot int) *Ykman {
	t.Helper()
	if _, err := exec.LookPath("ykman"); err != nil {
		Missing(t, "ykman", "sudo apt install yubikey-manager")
	}
	home := filepath.Join(p.home, strconv.Itoa(slot))
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return &Ykman{t: t, reader: p.Reader(slot), env: append(p.Env(), "HOME="+home)}
}

// Try runs ykman and returns what it prints on stdout. The error holds what it prints on stderr.
func (y *Ykman) Try(args ...string) (string, error) {
	return y.run("", append([]string{"--reader", y.reader}, args...))
}

// Answer is Run with input for ykman's questions.
func (y *Ykman) Answer(input string, args ...string) string {
	y.t.Helper()
	return y.must(y.run(input, append([]string{"--reader", y.reader}, args...)))
}

// Everywhere is Run without the reader.
func (y *Ykman) Everywhere(args ...string) string {
	y.t.Helper()
	return y.must(y.run("", args))
}

func (y *Ykman) run(input string, args []string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.Command("ykman", args...)
	command.Env, command.Stdin, command.Stdout, command.Stderr = y.env, strings.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("ykman %q: %w\n%s%s", args, err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// Run is Try that ends the test if ykman fails.
func (y *Ykman) Run(args ...string) string {
	y.t.Helper()
	return y.must(y.Try(args...))
}

func (y *Ykman) must(out string, err error) string {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
	return out
}

// Lines is Run, split into lines.
func (y *Ykman) Lines(args ...string) []string {
	y.t.Helper()
	return strings.FieldsFunc(y.Run(args...), func(r rune) bool { return r == '\n' })
}
