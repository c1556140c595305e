package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

// privateBus starts a dbus-daemon of the test's own and returns its address.
func privateBus(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd-bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	err = os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=`+dir+`/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need.Program(t, "dbus-daemon", "dbus"), "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// TestOnTheBus has two adopted soft keys and a bus: gdbus gets the code that oathctl gets, and then, while nobody asks,
// the daemon sleeps: at most 10 voluntary context switches a minute, over all its threads.
func TestOnTheBus(t *testing.T) {
	t.Parallel()
	gdbus := need.Program(t, "gdbus", "libglib2.0-bin")
	address := privateBus(t)
	d := prepare(t, release(t), os.Environ())
	d.env = append(d.env, "DBUS_SYSTEM_BUS_ADDRESS="+address) // a client of both buses, which are one here
	d.run([]string{"--soft-keys", "2", "--dbus", address})
	d.present("1000001", "1000002")
	d.do("key", "adopt", "1000001", "--label", "main")
	d.do("key", "adopt", "1000002", "--label", "spare")
	d.do("add", "--qr", picture)
	bus := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), gdbus, args...)
		cmd.Env = []string{"DBUS_SESSION_BUS_ADDRESS=" + address}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("gdbus %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	call := func(path, method string, args ...string) string {
		return bus(append([]string{"call", "--session", "--dest", api.BusName, "--object-path", path, "--method", method}, args...)...)
	}
	bus("wait", "--session", "--timeout", "20", api.BusName)
	path, _ := strings.CutPrefix(call(api.BusPath, api.BusManager+".Find", "amazon"), "(objectpath '")
	path, _ = strings.CutSuffix(path, "',)\n")
	sameCode(t, pictureSeed,
		func() string { return d.do("code", "amazon") },
		func() string { return call(path, api.BusAccount+".GetCode", "{}")[2:8] })

	const quiet = 12 * time.Second
	before := d.asleep()
	<-time.After(quiet)
	if n := d.switches() - before; n > 2 {
		t.Errorf("%d voluntary context switches in %v of quiet", n, quiet)
	}
}

// asleep waits until nothing happens any more, for the runtime gives memory back some seconds after work, and returns switches.
func (d *daemon) asleep() int {
	late := time.After(patience)
	for last := d.switches(); ; {
		select {
		case <-late:
			d.t.Fatal("the daemon never rests")
		case <-time.After(6 * time.Second):
		}
		now := d.switches()
		if now == last {
			return now
		}
		last = now
	}
}

var voluntary = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s+(\d+)`)

// switches sums the voluntary context switches of the daemon's threads.
func (d *daemon) switches() (sum int) {
	d.t.Helper()
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(d.process.Process.Pid) + "/task/*/status")
	if err != nil || len(tasks) == 0 {
		d.t.Fatalf("the daemon has no threads: %v", err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			d.t.Fatal(err)
		}
		if m := voluntary.FindSubmatch(text); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			sum += n
		}
	}
	return sum
}
