package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// sessionVariables lead to a desktop, and say which it is. Desktops tell them to the user's service manager when they start.
var sessionVariables = []string{"WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP"}

// managerPatience is how long the service manager may take to answer.
const managerPatience = 2 * time.Second

// enterSession makes this process's environment that of the session that is on the screen, and returns the ways to the clipboard
// that there are then: not those of a terminal, which may be where the service was tried out. A service may have been started before the session, or in an earlier one; so what the service manager says now
// counts more than what was inherited. Without a manager, or one that knows of no desktop, it stays as it was.
func enterSession(ctx context.Context) []tool {
	if found := managerEnvironment(ctx); found["WAYLAND_DISPLAY"] != "" || found["DISPLAY"] != "" {
		for _, name := range sessionVariables {
			if value, there := found[name]; there {
				_ = os.Setenv(name, value)
			} else {
				_ = os.Unsetenv(name)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(tools), func(t tool) bool { return t.needs != "WAYLAND_DISPLAY" && t.needs != "DISPLAY" })
}

// managerEnvironment asks the user's service manager what it would start programs with. What it quotes is no display.
func managerEnvironment(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, managerPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "show-environment").Output()
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for line := range bytes.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
		if slices.Contains(sessionVariables, name) && !strings.HasPrefix(value, "$'") {
			found[name] = value
		}
	}
	return found
}
