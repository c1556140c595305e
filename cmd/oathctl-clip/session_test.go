package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inService makes a service's environment: stale, and with programs that say what they were called with.
func inService(t *testing.T, manager string) (dir string) {
	t.Helper()
	dir = fakeTool(t, "systemctl", manager)
	for _, name := range []string{"wl-copy", "xclip", "xsel"} {
		script := "#!/bin/sh\n[ -n \"$WAYLAND_DISPLAY$DISPLAY\" ] || exit 1\n{ echo $0 $WAYLAND_DISPLAY,$DISPLAY,$XAUTHORITY; cat; } >" + dir + "/copied\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"PATH": dir + ":/usr/bin:/bin", "TMUX": "/tmp/tmux", "WAYLAND_DISPLAY": "", "DISPLAY": "", "XAUTHORITY": "/stale", "XDG_CURRENT_DESKTOP": "", asProgram: "1"} {
		t.Setenv(name, value)
	}
	return dir
}

// TestSession has a service copy: in the session that the service manager knows of, whatever the service was started in.
func TestSession(t *testing.T) {
	for name, test := range map[string]struct{ manager, own, want string }{
		"wayland":              {"echo WAYLAND_DISPLAY=wayland-7; echo DISPLAY=:7; echo XAUTHORITY=/a", "", "wl-copy wayland-7,:7,/a\n755224"},
		"gnome":                {"echo WAYLAND_DISPLAY=wayland-7; echo DISPLAY=:7; echo XDG_CURRENT_DESKTOP=ubuntu:GNOME", "", "xclip wayland-7,:7,\n755224"},
		"gnome without x11":    {"echo WAYLAND_DISPLAY=wayland-7; echo XDG_CURRENT_DESKTOP=GNOME", "", "wl-copy wayland-7,,\n755224"},
		"x11":                  {"echo PATH=/no; echo DISPLAY=:7", "", "xclip ,:7,\n755224"},
		"a stale one":          {"echo DISPLAY=:7", "wayland-1", "xclip ,:7,\n755224"},
		"no manager":           {"exit 1", "wayland-1", "wl-copy wayland-1,,/stale\n755224"},
		"no desktop":           {"echo LANG=C; echo XAUTHORITY=/b", "wayland-1", "wl-copy wayland-1,,/stale\n755224"},
		"what is no display":   {`printf "%s\n" "WAYLAND_DISPLAY=\$'a\\nb'" "DISPLAY=:7"`, "", "xclip ,:7,\n755224"},
		"asked for its user's": {`[ "$*" = "--user show-environment" ] && echo DISPLAY=:7`, "", "xclip ,:7,\n755224"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := inService(t, test.manager)
			t.Setenv("WAYLAND_DISPLAY", test.own)
			if _, err := copyText([]byte("755224"), 0, inOrder(enterSession(t.Context()))); err != nil {
				t.Fatal(err)
			}
			copied, err := os.ReadFile(filepath.Join(dir, "copied"))
			if got := strings.TrimPrefix(string(copied), dir+"/"); err != nil || got != test.want {
				t.Errorf("copied %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestNoSession has nothing copied where there is no desktop: a terminal that the service was started from is not asked for.
func TestNoSession(t *testing.T) {
	dir := inService(t, "echo LANG=C")
	used, err := copyText([]byte("755224"), 0, inOrder(enterSession(t.Context())))
	if err == nil || err.Error() != "cannot copy: no desktop is known" {
		t.Errorf("copied with %s, %v", used.name, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "copied")); err == nil {
		t.Error("something was copied")
	}
}
