package hwtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

// Ykman is Yubico's own program, as the distribution packages it, with the key in one slot. It is the
// referee: what it does to a soft key, a real one takes as well.
type Ykman struct {
	// Major is its major version: 4 on Debian 12, 5 on Debian 13.
	Major int

	t      testing.TB
	reader string
	env    []string
}

// ykmanPatience is how long one command may take.
const ykmanPatience = 2 * time.Minute

// keyringModule is where ykman 5 keeps the key to the passwords that it remembers, instead of a desktop's
// Secret Service.
const keyringModule = `
import keyring.backend, os, pathlib

class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    file = pathlib.Path(os.environ["HOME"]) / "keyring"

    def get_password(self, service, username):
        return self.file.read_text() if self.file.exists() else None

    def set_password(self, service, username, password):
        self.file.write_text(password)
`

// Ykman returns a ykman for the key in a slot. What it remembers lies in a HOME of its own. Never run it with an empty
// slot: where it cannot connect it kills the user's scdaemon (ykman/pcsc, kill_scdaemon).
func (p *PCSCD) Ykman(t testing.TB, slot int) *Ykman {
	t.Helper()
	need.Program(t, "ykman", "yubikey-manager")
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "hwtest_keyring.py"), []byte(keyringModule), 0o600); err != nil {
		t.Fatal(err)
	}
	y := &Ykman{t: t, reader: p.Reader(slot), env: append(p.Env(), "HOME="+home, "XDG_DATA_HOME="+filepath.Join(home, ".local", "share"),
		"PYTHONPATH="+home, "PYTHON_KEYRING_BACKEND=hwtest_keyring.Keyring")}
	y.Major = y.major()
	return y
}

// major reads "YubiKey Manager (ykman) version: 5.6.1".
func (y *Ykman) major() int {
	y.t.Helper()
	version := y.Everywhere("--version")
	_, number, _ := strings.Cut(version, "version: ")
	major, err := strconv.Atoi(strings.SplitN(number, ".", 2)[0])
	if err != nil {
		y.t.Fatalf("ykman calls itself %q", version)
	}
	return major
}

// Home is the environment in which another program finds what ykman remembers.
func (y *Ykman) Home() []string {
	return slices.DeleteFunc(slices.Clone(y.env), func(entry string) bool {
		return !strings.HasPrefix(entry, "HOME=") && !strings.HasPrefix(entry, "XDG_DATA_HOME=")
	})
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
	ctx, cancel := context.WithTimeout(y.t.Context(), ykmanPatience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "ykman", args...)
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
