// Package e2e tests the programs as people run them: oathd and oathctl as they are built, against a real pcscd, with programs
// of others as referees. What a package can test by itself is tested there. Tests have daemons, buses and a pcscd of their own, and wait for them
// more than they work; so they run beside each other.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// patience is how long anything that is waited for may take: a passphrase with the race detector half a minute, where the machine is busy.
const patience = 5 * time.Minute

// built holds the programs, with the race detector if the test has it, and released those that people get.
var built, released string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "oathd-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built, released = filepath.Join(dir, "built"), filepath.Join(dir, "released")
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

var buildOnce, releaseOnce sync.Once

// build makes the programs with the race detector, if this test has it, and returns their directory.
func build(t testing.TB) string {
	t.Helper()
	buildOnce.Do(func() {
		compile(t, built, raceFlags, "CGO_ENABLED=1", append(clients(t), "./cmd/oathd")...)
	})
	return built
}

// clients are oathctl and its kin.
func clients(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("../cmd/oathctl*")
	if err != nil || len(found) < 2 {
		t.Fatalf("the programs are %q, %v", found, err)
	}
	for i := range found {
		found[i] = "./cmd/" + filepath.Base(found[i])
	}
	return found
}

// release makes the programs as scripts/build does and returns their directory.
func release(t testing.TB) string {
	t.Helper()
	releaseOnce.Do(func() {
		compile(t, released, []string{"-trimpath", "-ldflags=-s -w"}, "CGO_ENABLED=1", "./cmd/oathd")
		compile(t, released, []string{"-trimpath", "-ldflags=-s -w"}, "CGO_ENABLED=0", clients(t)...)
	})
	return released
}

func compile(t testing.TB, dir string, flags []string, cgo string, packages ...string) {
	t.Helper()
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", dir + "/"}, flags, packages)...)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %v: %v\n%s", packages, err, out)
	}
}

// daemon is a running oathd with a ledger and a socket of its own.
type daemon struct {
	t        testing.TB
	bin, dir string
	env      []string
	// group has the process killed together with its children.
	group   bool
	process *exec.Cmd
	log     transcript
	ended   chan error
	client  *client.Client
}

// transcript is what a process says on stderr, to be read while it runs.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs oathd from bin with the environment and arguments, and returns when it is ready. It ends with the test.
func start(t testing.TB, bin string, env []string, args ...string) *daemon {
	t.Helper()
	d := prepare(t, bin, env)
	d.run(args)
	return d
}

// prepare makes a place for an oathd that does not run yet.
func prepare(t testing.TB, bin string, env []string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, bin: bin, dir: dir, ended: make(chan error, 1)}
	d.env = append(slices.DeleteFunc(env, func(s string) bool { return strings.HasPrefix(s, "OATHD_") }),
		"XDG_RUNTIME_DIR="+dir, "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir, "DBUS_SESSION_BUS_ADDRESS=", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/system/bus", "GORACE=atexit_sleep_ms=0")
	d.client = &client.Client{Socket: filepath.Join(dir, "oathd", "oathd.sock")}
	t.Cleanup(func() {
		d.stop(syscall.SIGTERM)
		_ = os.RemoveAll(dir)
	})
	return d
}

// run starts the process and waits until it says, as to a service manager, that it is ready.
func (d *daemon) run(args []string) {
	d.t.Helper()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(d.dir, "notify"), Net: "unixgram"})
	if err != nil {
		d.t.Fatal(err)
	}
	defer manager.Close()
	defer os.Remove(manager.LocalAddr().String())
	d.process = exec.Command(filepath.Join(d.bin, "oathd"), args...)
	d.process.Env = append(d.env, "NOTIFY_SOCKET="+manager.LocalAddr().String())
	d.process.Stderr = &d.log
	d.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: d.group}
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		d.ended <- d.process.Wait()
		_ = manager.Close() // nobody is going to say anything
	}()
	said := make([]byte, 64)
	if n, err := manager.Read(said); err != nil || string(said[:n]) != "READY=1" {
		d.t.Fatalf("oathd is not ready: %q, %v\n%s", said[:n], err, &d.log)
	}
}

// stop ends the process with a signal and returns what it wrote to stderr. Any but SIGTERM is a crash;
// after that it ends in good order, or the test fails.
func (d *daemon) stop(signal syscall.Signal) string {
	d.t.Helper()
	if d.process == nil {
		return d.log.String()
	}
	_ = d.process.Process.Signal(signal)
	if d.group && signal == syscall.SIGKILL {
		_ = syscall.Kill(-d.process.Process.Pid, signal)
	}
	err := <-d.ended
	d.process = nil
	if signal == syscall.SIGTERM && err != nil {
		d.t.Errorf("oathd ended with %v\n%s", err, &d.log)
	}
	return d.log.String()
}

// ctl runs oathctl and returns what it prints and its exit status.
func (d *daemon) ctl(args ...string) (stdout, stderr string, status int) {
	d.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(d.bin, "oathctl"), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			d.t.Fatal(err)
		}
		status = exit.ExitCode()
	}
	return out.String(), errs.String(), status
}

// do is ctl for what has to work; it returns what is printed, without the last line's end.
func (d *daemon) do(args ...string) string {
	d.t.Helper()
	stdout, stderr, status := d.ctl(args...)
	if status != 0 {
		d.t.Fatalf("oathctl %v: exit status %d\n%s%s\noathd said:\n%s", args, status, stdout, stderr, &d.log)
	}
	return strings.TrimSuffix(stdout, "\n")
}

// until waits for something that an event follows.
func (d *daemon) until(what string, reached func() bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	events, err := d.client.Events(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	if reached() {
		return
	}
	for _, err := range events {
		if err != nil {
			d.t.Fatalf("waiting for %s: %v\noathd said:\n%s", what, err, &d.log)
		}
		if reached() {
			return
		}
	}
}

// present waits until the keys with these labels or serials, and no others, are plugged in and known.
func (d *daemon) present(want ...string) {
	d.t.Helper()
	d.until(fmt.Sprintf("the keys %v", want), func() bool {
		keys, err := d.client.Keys(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		keys = slices.DeleteFunc(keys, func(k api.Key) bool { return !k.Present })
		return len(keys) == len(want) && !slices.ContainsFunc(keys, func(k api.Key) bool {
			return !slices.Contains(want, k.Label) && !slices.Contains(want, fmt.Sprint(k.Serial))
		})
	})
}
