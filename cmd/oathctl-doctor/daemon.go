package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
)

// soft is what the daemon calls a bay of soft keys.
const soft = "soft"

// daemon is what the daemon says of itself, or err why it says nothing.
type daemon struct {
	socket    string
	status    api.Status
	keys      []api.Key
	escrow    api.Escrow
	reminders []string
	err       error
}

// askDaemon asks for what is in the daemon's memory: no card is opened for it.
func askDaemon(ctx context.Context, socket string) (d daemon) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.socket = cmp.Or(socket, client.DefaultSocket())
	c := client.Client{Socket: d.socket}
	var coverage api.Coverage
	if d.status, d.err = c.Status(ctx); d.err != nil {
		return d
	}
	if d.keys, d.err = c.Keys(ctx); d.err != nil {
		return d
	}
	if d.escrow, d.err = c.Escrow(ctx); d.err != nil {
		return d
	}
	coverage, d.err = c.Coverage(ctx)
	d.reminders = coverage.Reminders
	return d
}

func checkProgram(s sight) []kin.Finding {
	const means = "its settings, its ledger and pcscd could not be looked at"
	switch {
	case s.selfErr == nil:
		return fine("oathd " + s.self.Version + " is installed")
	case errors.Is(s.selfErr, exec.ErrNotFound) && s.daemon.err == nil:
		return none("oathd is not installed here, but it answers: " + means)
	case errors.Is(s.selfErr, exec.ErrNotFound):
		return broken("oathd is not installed", "", "install the package oathd, or put the program where PATH leads")
	case strings.Contains(s.selfErr.Error(), "libpcsclite"):
		return broken(s.selfErr.Error(), "oathd cannot start", "sudo apt install libpcsclite1 (Fedora: sudo dnf install pcsc-lite-libs; Arch: sudo pacman -S pcsclite)")
	}
	return broken(s.selfErr.Error(), means, "see what it says: oathd check")
}

// checkSettings has nothing to say where the program could not be asked; so have the other checks of what it sees.
func checkSettings(s sight) []kin.Finding {
	switch {
	case s.selfErr != nil:
		return nil
	case s.self.Settings != nil:
		return broken(s.self.Settings.Message, "oathd starts with no other settings than those it was given", cmp.Or(s.self.Settings.Hint, "change it, then: oathd check"))
	}
	return fine("the settings can be used")
}

func checkDaemon(s sight) []kin.Finding {
	d := s.daemon
	const means = "no code can be had, and nothing can be done to keys"
	switch api.CodeOf(d.err) {
	case "":
		return fine(fmt.Sprintf("oathd answers at %s, process %d", d.socket, d.status.PID))
	case api.CodeCanceled:
		return broken(fmt.Sprintf("something listens at %s and does not answer", d.socket), means, s.restart())
	case api.CodeNoDaemon:
		if other := s.self.Socket; other != "" && other != d.socket {
			return broken(fmt.Sprintf("nothing listens at %s, and the daemon's settings say %s", d.socket, other), means, "export OATHD_SOCKET="+other)
		}
		return broken(d.err.Error(), means, s.start())
	}
	hint := ""
	if e, ok := errors.AsType[*api.Error](d.err); ok {
		hint = e.Hint
	}
	return broken(d.err.Error(), means, cmp.Or(hint, s.restart()))
}

// start and restart say how the daemon is started here: by systemd, if it knows it.
func (s sight) start() string {
	if s.session.unit != "" {
		return "systemctl --user start oathd.socket"
	}
	return "oathd"
}

func (s sight) restart() string {
	if s.session.unit != "" {
		return "systemctl --user restart oathd.service"
	}
	return "end oathd, and start it again"
}

func checkVersion(s sight) []kin.Finding {
	running := s.daemon.status.Version
	switch {
	case s.daemon.err != nil:
		return nil
	case s.selfErr == nil && s.self.Version != running:
		return warning(fmt.Sprintf("oathd %s runs, and %s is installed", running, s.self.Version), "what the new one mends is not mended yet", s.restart())
	case s.version != "devel" && s.version != running:
		return warning(fmt.Sprintf("oathctl is %s, and oathd %s", s.version, running), "one may not know what the other speaks of", "install both in one version")
	}
	return fine("oathd and oathctl fit together")
}
