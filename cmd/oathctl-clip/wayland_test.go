package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/need"
)

// startSway starts a real compositor without a screen, and returns the environment that leads to it. It refuses to be root.
func startSway(t *testing.T) (env []string) {
	t.Helper()
	need.Program(t, "sway", "sway")
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
	env = []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + dir}
	compositor := exec.Command("sway", "-c", config)
	compositor.Env = append(env, "WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman")
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
			return append(env, "WAYLAND_DISPLAY="+display)
		}
	}
}

func TestWayland(t *testing.T) {
	env := startSway(t)
	wlCopy, err := named("wl-copy")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("wl-copy", func(t *testing.T) { desktop{t, wlCopy, env}.check() })
	t.Run("wayland", func(t *testing.T) {
		others := wlCopy
		others.name = "wayland"
		desktop{t, others, env}.checkHeld()
	})
}

// checkHeld has the clipboard held by ourselves, with the hint for clipboard managers, until somebody else copies, or for a time.
func (d desktop) checkHeld() {
	t := d.t
	t.Helper()
	defer dismissWaiters(t)
	code := fmt.Sprint(800000000 + os.Getpid())
	if got := d.copies(code, time.Hour); got != "wayland clears" {
		t.Fatalf("it says %q", got)
	}
	nobodyTells(t, code)
	d.holds(code)
	if hint, err := d.command("wl-paste", "--no-newline", "--type", secretHint).Output(); string(hint) != "secret" {
		t.Errorf("the hint is %q, %v", hint, err)
	}
	if n := len(waiters(t)); n != 1 {
		t.Errorf("%d processes wait", n)
	}
	d.others("somebody else's")
	awaitWaiters(t)
	d.holds("somebody else's")
	for span := 3 * time.Second; ; span *= 2 { // on a busy machine it may be over before anybody has looked
		d.copies(code, span)
		if d.content() == code {
			break
		}
		if awaitWaiters(t); span > leisure {
			t.Fatal("what is copied for a time is not there at all")
		}
	}
	awaitWaiters(t)
	d.holds("")
	if got := d.copies(code, 0); got != "wayland keeps" || len(waiters(t)) != 1 {
		t.Errorf("for ever: it says %q", got)
	}
}

// TestOtherCompositors meets some that do not give the clipboard away.
func TestOtherCompositors(t *testing.T) {
	seatOnly := message(registry, 0, "\x01\x00\x00\x00\x08\x00\x00\x00wl_seat\x00\x01\x00\x00\x00")
	for name, test := range map[string]struct{ says, want string }{
		"for windows alone":     {seatOnly + message(listed, 0, "\x00\x00\x00\x00"), "to windows alone"},
		"an error":              {message(display, 0, "\x02\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00oops\x00\x00\x00\x00"), "the compositor: oops"},
		"another language":      {"\x01\x00\x00\x00\x00\x00\x04\x00", "another language"},
		"a string without end":  {message(registry, 0, "\x01\x00\x00\x00\xff\xff\xff\xff") + message(listed, 0, ""), "to windows alone"},
		"an end in the middle":  {seatOnly[:10], "EOF"},
		"nothing but a goodbye": {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := net.Listen("unix", filepath.Join(dir, "w"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = io.ReadFull(conn, make([]byte, 24)) // two requests: the registry, and to be called back
				_, _ = io.WriteString(conn, test.says)
			}()
			t.Setenv("WAYLAND_DISPLAY", filepath.Join(dir, "w"))
			if err := run([]string{"-hold", "-until", "1"}, strings.NewReader("755224"), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// message is an event of a compositor.
func message(object uint32, code uint16, body string) string {
	m := binary.NativeEndian.AppendUint32(nil, object)
	m = binary.NativeEndian.AppendUint32(m, uint32(8+len(body))<<16|uint32(code))
	return string(m) + body
}
