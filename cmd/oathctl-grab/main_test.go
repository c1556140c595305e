package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	encoder "rsc.io/qr"

	"github.com/oathd/oathd/importer/qr"
	"github.com/oathd/oathd/internal/need"
)

// shown is what the codes in these pictures say.
const shown = "otpauth://totp/GitHub:alice?secret=JBSWY3DPEHPK3PXP"

// TestMain hides the desktop of whoever runs the tests.
func TestMain(m *testing.M) {
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY"} {
		os.Unsetenv(name)
	}
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/session/bus")
	os.Exit(m.Run())
}

// picture is a file with a PNG of a code.
func picture(t *testing.T) (file string, data []byte) {
	t.Helper()
	code, err := encoder.Encode(shown, encoder.M)
	if err != nil {
		t.Fatal(err)
	}
	file, data = filepath.Join(t.TempDir(), "code.png"), code.PNG()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, data
}

// grabbed runs what oathctl runs.
func grabbed(t *testing.T, what string) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), []string{what}, &out)
	return out.Bytes(), err
}

// shows wants a picture with our code.
func shows(t *testing.T, picture []byte) {
	t.Helper()
	texts, err := qr.Read(picture)
	if err != nil || !slices.Equal(texts, []string{shown}) {
		t.Errorf("%q, %v", texts, err)
	}
}

// stopAtEnd starts a server and ends it with the test.
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

func do(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	if err := c.Run(); err != nil { // without pipes, which the tools' servers would keep
		t.Fatalf("%s %q: %v", name, args, err)
	}
}

func TestX11(t *testing.T) {
	need.Program(t, "Xvfb", "xvfb")
	need.Program(t, "xclip", "xclip")
	need.Program(t, "import", "imagemagick")
	need.Program(t, "display", "imagemagick")
	ready, number, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command("Xvfb", "-displayfd", "3", "-nolisten", "tcp", "-screen", "0", "300x300x24")
	server.ExtraFiles = []*os.File{number}
	stopAtEnd(t, server)
	number.Close()
	display, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(display))
	file, data := picture(t)

	_ = exec.Command("display", "-window", "root", file).Run() // its status is 1 when it has done so
	screen, err := grabbed(t, "screen")
	if err != nil {
		t.Fatal(err)
	}
	shows(t, screen)

	if got, err := grabbed(t, "clipboard"); err == nil {
		t.Errorf("out of an empty clipboard came %d bytes", len(got))
	}
	do(t, "xclip", "-selection", "clipboard", "-target", "image/png", "-in", file)
	if got, err := grabbed(t, "clipboard"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes, %v", len(got), len(data), err)
	}
	do(t, "xclip", "-selection", "clipboard", "-in", file)
	if _, err := grabbed(t, "clipboard"); err == nil || err.Error() != "cannot read the clipboard's picture: there is no picture in it" {
		t.Errorf("of a text: %v", err)
	}
}

// TestWayland runs a real compositor without a screen; sway refuses to be root.
func TestWayland(t *testing.T) {
	need.Program(t, "sway", "sway")
	need.Program(t, "grim", "grim")
	need.Program(t, "wl-copy", "wl-clipboard")
	dir, err := os.MkdirTemp("", "wayland")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("xwayland disable\nexec echo ready $WAYLAND_DISPLAY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	compositor := exec.Command("sway", "-c", config)
	compositor.Env = append(os.Environ(), "WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman")
	if os.Getuid() == 0 {
		const nobody = 65534
		compositor.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, name := range []string{dir, config} {
			if err := os.Chown(name, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := compositor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, compositor)
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Fatal("sway ended before it was ready")
		}
		if display, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			t.Setenv("WAYLAND_DISPLAY", display)
			break
		}
	}
	if screen, err := grabbed(t, "screen"); err != nil || !qr.Is(screen) {
		t.Errorf("%d bytes, %v", len(screen), err)
	}
	file, data := picture(t)
	copied, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	c := exec.Command("wl-copy", "--type", "image/png")
	c.Stdin = copied
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := grabbed(t, "clipboard"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes, %v", len(got), len(data), err)
	}
}

// fake puts a program of that name, and no other, into PATH.
func fake(t *testing.T, name, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return dir
}

// TestIntoFiles has the programs that write files only, and wants nothing of the files to stay.
func TestIntoFiles(t *testing.T) {
	file, data := picture(t)
	for name, script := range map[string]string{
		"gnome-screenshot": `exec /bin/cp '` + file + `' "${1#--file=}"`,
		"spectacle":        `exec /bin/cp '` + file + `' "$5"`,
	} {
		fake(t, name, script)
		t.Setenv("DISPLAY", ":99")
		dir := t.TempDir()
		t.Setenv("XDG_RUNTIME_DIR", dir)
		if got, err := grabbed(t, "screen"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(data), err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %v stays, %v", name, left, err)
		}
	}
}

func TestFailures(t *testing.T) {
	defer func(was int) { maxPicture = was }(maxPicture)
	maxPicture = 1 << 20
	for _, test := range []struct{ what, display, name, script, want string }{
		{what: "", want: "usage: "},
		{what: "screen", want: "cannot take a picture of the screen: session bus: "},
		{what: "clipboard", want: "cannot read the clipboard's picture: there is no desktop here"},
		{what: "screen", display: ":99", name: "import", script: "echo 'unable to open :99' >&2; exit 1", want: "import: unable to open :99"},
		{what: "screen", display: ":99", name: "gnome-screenshot", script: `echo text >"${1#--file=}"`, want: "screen.png is neither PNG nor JPEG"},
		{what: "clipboard", display: ":99", name: "xclip", script: "exit 3", want: "xclip: exit status 3"},
		{what: "clipboard", display: ":99", name: "xclip", script: "echo image/webp; /usr/bin/head -c 2000000 /dev/zero", want: "xclip: it is larger than 1 MiB"},
	} {
		t.Run(fmt.Sprint(test.what, test.name), func(t *testing.T) {
			t.Setenv("DISPLAY", test.display)
			fake(t, test.name+"x", "")
			if test.name != "" {
				fake(t, test.name, test.script)
			}
			got, err := grabbed(t, test.what)
			if err == nil || !strings.Contains(err.Error(), test.want) || len(got) > 0 {
				t.Errorf("%d bytes, %v, want %q", len(got), err, test.want)
			}
		})
	}
}
