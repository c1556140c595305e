package desktop

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/need"
)

// dunst is a notification server that others wrote, on a screen that nobody sees.
type dunst struct {
	t       testing.TB
	bus     *testBus
	conn    *dbus.Conn
	display string
	process *exec.Cmd
	// shown are the notifications that it shows, as it prints them.
	shown chan string
}

// startX starts an X server, and returns its display.
func startX(t testing.TB) (display string) {
	t.Helper()
	server := exec.Command(need.Program(t, "Xvfb", "xvfb"), "-displayfd", "3", "-nolisten", "tcp", "-screen", "0", "320x200x8")
	ready, number, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	server.ExtraFiles = []*os.File{number}
	err = server.Start()
	number.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	line, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb says %q: %v", line, err)
	}
	return ":" + strings.TrimSpace(line)
}

// startDunst starts a dunst that takes markup, or does not.
func startDunst(t testing.TB, b *testBus, markup string) *dunst {
	t.Helper()
	need.Program(t, "dunst", "dunst")
	d := &dunst{t: t, bus: b, conn: b.dial(), display: startX(t)}
	config := fmt.Sprintf("[global]\nmarkup = %s\nicon_path = /nonexistent\n", markup)
	if err := os.WriteFile(filepath.Join(b.dir, "dunstrc"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	t.Cleanup(d.stop)
	return d
}

// start returns when dunst has its name on the bus.
func (d *dunst) start() {
	d.t.Helper()
	cmd := exec.Command("dunst", "-print", "-config", filepath.Join(d.bus.dir, "dunstrc"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.bus.dir, "XDG_RUNTIME_DIR=" + d.bus.dir, "DBUS_SESSION_BUS_ADDRESS=" + d.bus.address, "DISPLAY=" + d.display}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.process, d.shown = cmd, make(chan string, 100)
	go read(bufio.NewScanner(out), d.shown)
	until(d.t, "dunst is on the bus", func() bool {
		var there bool
		return d.conn.BusObject().Call(busName+".NameHasOwner", 0, notifyName).Store(&there) == nil && there
	})
}

func (d *dunst) stop() {
	_ = d.process.Process.Kill()
	for range d.shown { // until it has read everything
	}
	_ = d.process.Wait()
}

// read reads what dunst prints, one notification after the other: each ends with a brace of its own.
func read(out *bufio.Scanner, shown chan<- string) {
	defer close(shown)
	var text strings.Builder
	for out.Scan() {
		text.WriteString(out.Text() + "\n")
		if out.Text() == "}" {
			shown <- text.String()
			text.Reset()
		}
	}
}

// shows wants the next notification to be printed with these lines.
func (d *dunst) shows(lines ...string) {
	d.t.Helper()
	select {
	case text, ok := <-d.shown:
		for _, line := range lines { // each ends a line
			if !ok || !strings.Contains(text, line+"\n") {
				d.t.Errorf("it shows %s, without %s", text, line)
			}
		}
	case <-time.After(patience):
		d.t.Fatalf("it does not show %q", lines)
	}
}

// does what dunstctl does.
func (d *dunst) does(method string, args ...any) {
	d.t.Helper()
	if err := d.conn.Object(notifyName, notifyPath).Call("org.dunstproject.cmd0."+method, 0, args...).Err; err != nil {
		d.t.Fatal(err)
	}
}

// displays waits until so many notifications are on the screen.
func (d *dunst) displays(n uint32) {
	d.t.Helper()
	until(d.t, fmt.Sprintf("%d notifications are on the screen", n), func() bool {
		v, err := d.conn.Object(notifyName, notifyPath).GetProperty("org.dunstproject.cmd0.displayedLength")
		return err == nil && v.Value() == n
	})
}

// TestDunst has a real server show who waits for a touch, in one place, and take it away; its button stops the waiting.
func TestDunst(t *testing.T) {
	for _, markup := range []string{"full", "no"} {
		t.Run("markup "+markup, func(t *testing.T) {
			b, c := startBus(t), newCore()
			s := startDunst(t, b, markup)
			desk := run(t, Options{Session: b.address}, c)
			stopped := make(chan bool, 1)
			touch := wants("main", "A<b> & T&T:me", "zsh (uid 1000, pid 7)")
			touch.Stop = func() { stopped <- true }
			c.touch(touch)
			s.shows("summary: 'Touch main'", "A&lt;b&gt; &amp; T&amp;T:me, for zsh'", "timeout: 15000", "urgency: NORMAL", "transient: 1", `"stop": "Stop waiting"`)
			s.displays(1)
			touch.Waiting = append(touch.Waiting, "git (uid 1000, pid 8)")
			c.touch(touch)
			s.shows("summary: 'Touch main'", "me, for git, zsh'")
			s.displays(1)
			s.does("NotificationAction", uint32(0))
			<-stopped
			c.touch()
			s.displays(0)

			desk.Tell("Copied: GitHub:me", "Valid for 20 s.")
			s.shows("summary: 'Copied: GitHub:me'", "body: 'Valid for 20 s.'", "actions: {}")
			s.does("NotificationCloseLast") // as a person does
			s.displays(0)
			c.touch(touch)
			s.shows("summary: 'Touch main'")
			s.stop()
			s.start()
			s.shows("summary: 'Touch main'")
			s.displays(1)
		})
	}
}
