package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// errNoBus is the error of a session that has no bus.
var errNoBus = errors.New("this session has no D-Bus")

// session is what is on the session's bus, or err why nobody could look.
type session struct {
	err error
	// secrets says that there is a Secret Service, or that one is started for who asks.
	secrets bool
	// unit is what the service manager says of oathd.socket ("enabled", "disabled", …), "" where it does not know it, or is not there.
	unit string
}

// sessionAddress is where the session's bus is, "" for nowhere (D-Bus Specification, "Well-known Message Bus Instances").
func sessionAddress() string {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return address
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if _, err := os.Stat(filepath.Join(dir, "bus")); err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
}

func systemAddress() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/var/run/dbus/system_bus_socket"
}

// connect connects to a bus until ctx ends, or the connection is closed.
func connect(ctx context.Context, address string) (*dbus.Conn, error) {
	if address == "" {
		return nil, errNoBus
	}
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // the connection was closed for it, as it now complains
	}
	return bus, err
}

func lookAtSession(ctx context.Context, address string) (s session) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	bus, err := connect(ctx, address)
	if err != nil {
		return session{err: err}
	}
	defer bus.Close()
	var activatable []string
	if err := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListActivatableNames", 0).Store(&activatable); err != nil {
		return session{err: err}
	}
	const secrets = "org.freedesktop.secrets"
	if err := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, secrets).Store(&s.secrets); err != nil {
		return session{err: err}
	}
	s.secrets = s.secrets || slices.Contains(activatable, secrets)
	manager := bus.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	call := manager.CallWithContext(ctx, "org.freedesktop.systemd1.Manager.GetUnitFileState", dbus.FlagNoAutoStart, "oathd.socket")
	if call.Store(&s.unit) != nil {
		s.unit = "" // no manager, or no such unit
	}
	return s
}

func checkBus(s sight) []kin.Finding {
	const means = "no search in the desktop, no notifications, no passwords in its keyring, and oathd is not on D-Bus"
	switch {
	case errors.Is(s.session.err, errNoBus):
		return warning(errNoBus.Error(), means, "log in at the desktop, or: sudo apt install dbus-user-session, and log in again")
	case s.session.err != nil:
		return warning(fmt.Sprintf("cannot use the session's D-Bus: %v", s.session.err), means, "log out and in again; without systemd: exec dbus-run-session $SHELL")
	}
	return fine("the session's D-Bus answers")
}

// checkUnit is content with every state in which the socket is started with the session.
func checkUnit(s sight) []kin.Finding {
	switch unit := s.session.unit; unit {
	case "":
		return none("systemd does not know oathd.socket in this session")
	case "enabled", "enabled-runtime", "static", "alias":
		return fine("oathd.socket is " + unit)
	case "masked", "masked-runtime":
		return warning("oathd.socket is "+unit, "oathd does not start by itself", "systemctl --user unmask oathd.socket oathd-codes.socket && systemctl --user enable --now oathd.socket oathd-codes.socket")
	default:
		return warning("oathd.socket is "+unit, "oathd does not start by itself", "systemctl --user enable --now oathd.socket oathd-codes.socket")
	}
}

// checkSecrets minds a missing Secret Service where there is a password that it could keep.
func checkSecrets(s sight) []kin.Finding {
	password := slices.ContainsFunc(s.daemon.keys, func(k api.Key) bool { return k.PasswordSet })
	switch {
	case s.session.err != nil:
		return nil // that was said
	case s.session.secrets:
		return fine("there is a Secret Service, which can remember the passwords of keys")
	case !password && s.daemon.err == nil:
		return none("there is no Secret Service; no key here has a password to remember")
	}
	return warning("there is no Secret Service", "the password of a key has to be typed after each start of oathd", "sudo apt install gnome-keyring (or KeePassXC, or KWallet with its Secret Service)")
}
