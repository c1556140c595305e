package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/client"
)

// Two builds of oathd: as it is, and one of another version from a far future.
var house string

const (
	futureBuild = "4102444800" // the year 2100, in Unix seconds
	otherBuild  = "-X main.version=v99.0.0 -X main.built=" + futureBuild
)

func TestMain(m *testing.M) {
	var err error
	if house, err = os.MkdirTemp("", "oathctl-doctor"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(house)
	os.Exit(status)
}

var builds = map[string]func() error{
	"now":   sync.OnceValue(func() error { return compile("now", "") }),
	"other": sync.OnceValue(func() error { return compile("other", otherBuild) }),
}

func compile(dir, flags string) error {
	out, err := exec.Command("go", "build", "-ldflags", flags, "-o", filepath.Join(house, dir)+"/", "../oathd").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build oathd: %w\n%s", err, out)
	}
	return nil
}

// oathd is the path of a build: "now" or "other".
func oathd(t *testing.T, build string) string {
	t.Helper()
	if err := builds[build](); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(house, build, "oathd")
}

// stage is a machine on which all is well but for a daemon and pcscd, which are not there, and D-Bus.
type stage struct {
	t *testing.T
	place
	state, config string
}

// newStage installs a build of oathd, and gives this test directories of its own. Such tests cannot run in parallel.
func newStage(t *testing.T, build string) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "doctor") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{t: t, place: place{root: filepath.Join(dir, "root")}, state: filepath.Join(dir, "state"), config: filepath.Join(dir, "config", "oathd")}
	t.Setenv("XDG_STATE_HOME", s.state)
	t.Setenv("XDG_CONFIG_HOME", filepath.Dir(s.config))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	t.Setenv("PATH", filepath.Dir(oathd(t, build))+":/usr/bin:/bin")
	t.Setenv("PCSCLITE_CSOCK_NAME", filepath.Join(dir, "pcscd.comm"))
	for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "OATHD_SOCKET", "SSH_CONNECTION"} {
		t.Setenv(name, "")
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "nowhere"))
	for _, path := range []string{s.root, s.state, s.config, filepath.Join(dir, "run")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ledger is where the daemon keeps its own.
func (s *stage) ledger() string { return filepath.Join(s.state, "oathd", "ledger.db") }

// daemon starts a build of oathd with soft keys and the ledger, and returns what ends it; it ends with the test anyhow.
func (s *stage) daemon(build string, args ...string) (c *client.Client, stop func()) {
	s.t.Helper()
	cmd := exec.Command(oathd(s.t, build), append([]string{"--soft-keys", "2", "--ledger", s.ledger()}, args...)...)
	log, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines, said := bufio.NewScanner(log), ""
	for !strings.Contains(said, "msg=ready") {
		if !lines.Scan() {
			s.t.Fatalf("oathd did not start: %s", said)
		}
		said += lines.Text() + "\n"
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, log)
	}()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-drained
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("oathd: %v", err)
		}
	})
	s.t.Cleanup(stop)
	c = &client.Client{}
	s.untilKeys(c, 2)
	return c, stop
}

// untilKeys returns when the daemon sees so many keys.
func (s *stage) untilKeys(c *client.Client, n int) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		status, err := c.Status(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if status.Keys == n {
			return
		}
	}
}

// find looks at everything and returns the findings of one check.
func (s *stage) find(name string) (found []kin.Finding) {
	s.t.Helper()
	for _, f := range examine(s.look(s.t.Context())) {
		if f.Check == name {
			found = append(found, f)
		}
	}
	return found
}

// want looks at everything, and wants a check to have the one finding of that state, its words and its remedy in it.
func (s *stage) want(name string, state kin.Verdict, words, mend string) {
	s.t.Helper()
	wantOne(s.t, s.find(name), state, words, mend)
}

func wantOne(t *testing.T, found []kin.Finding, state kin.Verdict, words, mend string) {
	t.Helper()
	if len(found) != 1 {
		t.Errorf("found %+v, want one", found)
		return
	}
	f := found[0]
	if f.State != state || !strings.Contains(f.Found+"; "+f.Means, words) || !strings.Contains(f.Mend, mend) || (mend == "") != (f.Mend == "") {
		t.Errorf("found %+v, want %s, %q and %q", f, state, words, mend)
	}
}

// newBus starts a bus and connects to it for services of the tests' own.
func newBus(t *testing.T) (address string, bus *dbus.Conn) {
	t.Helper()
	// Nothing is activatable, so that what the machine has installed plays no part.
	config := filepath.Join(t.TempDir(), "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">` +
		`<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(need.Program(t, "dbus-daemon", "dbus"), "--config-file", config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	if address, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	if bus, err = dbus.Connect(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	return address, bus
}

// serve puts an object on the bus under a well-known name.
func serve(t *testing.T, bus *dbus.Conn, name, path, iface string, object any) {
	t.Helper()
	if err := bus.Export(object, dbus.ObjectPath(path), iface); err != nil {
		t.Fatal(err)
	}
	if reply, err := bus.RequestName(name, 0); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("cannot be %s: %v, %v", name, reply, err)
	}
}

// replies are the lines of an Assuan server (Assuan manual, "Server responses").
type replies struct{ *bufio.Scanner }

func newReplies(r io.Reader) replies { return replies{bufio.NewScanner(r)} }

// next returns the next line that ends a response.
func (r replies) next(t *testing.T) string {
	t.Helper()
	for r.Scan() {
		if line := r.Text(); strings.HasPrefix(line, "OK") || strings.HasPrefix(line, "ERR") {
			return line
		}
	}
	t.Fatal("the server has ended")
	return ""
}
