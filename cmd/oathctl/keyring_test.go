package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// busConfig is that of a session bus which starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// scriptKeyring starts a bus of the script's own, and on it GNOME's keyring, unlocked; BUS is where it listens.
func scriptKeyring(ts *testscript.TestScript, _ bool, _ []string) {
	home := ts.MkAbs("keyring")
	config := filepath.Join(home, "bus.conf")
	ts.Check(os.Mkdir(home, 0o700))
	ts.Check(os.WriteFile(config, []byte(busConfig), 0o600))
	bus := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	out, err := bus.StdoutPipe()
	ts.Check(err)
	startFor(ts, bus)
	address, err := bufio.NewReader(out).ReadString('\n')
	ts.Check(err)
	ts.Setenv("BUS", strings.TrimSpace(address))
	keyring := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--control-directory="+home)
	keyring.Stdin = strings.NewReader("the keyring's password")
	wait := exec.Command("gdbus", "wait", "--session", "--timeout", "20", "org.freedesktop.secrets")
	keyring.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_RUNTIME_DIR=" + home, "DBUS_SESSION_BUS_ADDRESS=" + ts.Getenv("BUS")}
	wait.Env = keyring.Env
	startFor(ts, keyring)
	ts.Check(wait.Run())
}

// startFor starts a program that ends with the script.
func startFor(ts *testscript.TestScript, c *exec.Cmd) {
	ts.Check(c.Start())
	ts.Defer(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}
