package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"oathd": main, "hardened": hardened, "settled": settled, "tuned": tuned})
}

// hardened is a program that tells what harden does to it.
func hardened() {
	if err := harden(); err != nil {
		fmt.Println(err)
	}
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	var core unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	fmt.Printf("dumpable %d, core %d %d, umask %03o\n", dumpable, core.Cur, core.Max, unix.Umask(0))
}

// settled is a program that tells with which settings of the runtime settle has it run, and as what.
func settled() {
	if err := settle(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(os.Args, os.Getenv("GODEBUG"))
}

// tuned is a program that tells on how many processors at a time tune has it run.
func tuned() {
	tune()
	fmt.Println(runtime.GOMAXPROCS(0))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setup,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "status": status, "eventually": eventually},
	})
}

// notifications is where a script's daemons tell that they are ready.
type notifications struct{}

// setup gives a script directories of its own, and a service manager to whom daemons report.
func setup(env *testscript.Env) error {
	for variable, dir := range map[string]string{"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"} {
		path := filepath.Join(env.WorkDir, dir)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		env.Setenv(variable, path)
	}
	env.Setenv("SOCKET", filepath.Join(env.WorkDir, "run/oathd/oathd.sock"))
	env.Setenv("CODES", filepath.Join(env.WorkDir, "run/oathd/codes.sock"))
	env.Setenv("LEDGER", filepath.Join(env.WorkDir, "state/oathd/ledger.db"))
	env.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system/bus")
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	notify := filepath.Join(env.WorkDir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return err
	}
	env.Setenv("NOTIFY_SOCKET", notify)
	env.Values[notifications{}] = conn
	env.Defer(func() { _ = conn.Close() })
	return nil
}

// ready waits until the daemon that the script has started says that it is ready.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	conn := ts.Value(notifications{}).(*net.UnixConn)
	ts.Check(conn.SetReadDeadline(time.Now().Add(patience)))
	var message [256]byte
	for {
		n, err := conn.Read(message[:])
		ts.Check(err)
		if string(message[:n]) == "READY=1" {
			return
		}
	}
}

// status N PROGRAM… runs a program and wants its exit status to be N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// eventually REGEXP PROGRAM… repeats a program until its output matches: keys are found some time after
// the daemon is ready.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("no match for %s", want)
}

// TestSocketActivation starts the daemon as systemd does: with its sockets as file descriptors 3 and 4.
func TestSocketActivation(t *testing.T) {
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path, codes := filepath.Join(dir, "passed.sock"), filepath.Join(dir, "codes.sock")

	// LISTEN_PID is known only once the process is there.
	daemon := exec.Command("sh", "-c", `LISTEN_PID=$$ exec oathd --soft-keys 1 --socket "$0"`, filepath.Join(dir, "not.sock"))
	daemon.ExtraFiles = []*os.File{listening(t, codes), listening(t, path)}
	daemon.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=codes:api", "GORACE=atexit_sleep_ms=0", "XDG_CONFIG_HOME="+dir, "NOTIFY_SOCKET=")
	var log bytes.Buffer
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	// The connections wait in the sockets until the daemon is there.
	for _, socket := range []string{path, codes} {
		got, err := (&client.Client{Socket: socket}).Status(t.Context())
		if err != nil || got.PID != daemon.Process.Pid {
			t.Errorf("%s: %+v, %v", socket, got, err)
		}
	}
	if _, err := (&client.Client{Socket: codes}).Audit(t.Context()); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("the audit log at the door for codes: %v", err)
	}
	_ = daemon.Process.Signal(os.Interrupt)
	if waitErr := daemon.Wait(); waitErr != nil {
		t.Errorf("it ended with %v: %s", waitErr, &log)
	}
	for _, socket := range []string{path, codes} {
		if _, err := os.Lstat(socket); err != nil {
			t.Errorf("systemd's socket is gone: %v", err)
		}
	}
	if strings.Contains(log.String(), "not.sock") {
		t.Errorf("it listens on a socket of its own: %s", &log)
	}
}

// listening is a socket that is listened on, as systemd would pass it.
func listening(t *testing.T, path string) *os.File {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}
