package line

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw"
)

// Session returns the address of the session bus (D-Bus Specification, "Well-known Message Bus Instances";
// sd_bus_open_user(3) for where it is when nobody says), "" for a session without one, as over ssh or in
// cron. Nothing need be there yet.
func Session() string {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return address
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
	}
	return ""
}

// System returns the address of the bus on which the system's services are ("Well-known Message Bus Instances").
func System() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/var/run/dbus/system_bus_socket"
}

// sockets returns the Unix sockets of an address ("Server Addresses"), as package net names them: a path, or
// "@name" for an abstract one. Other transports are left out: on them nobody can tell who calls.
func sockets(address string) (names []string, err error) {
	for one := range strings.SplitSeq(address, ";") {
		options, isUnix := strings.CutPrefix(one, "unix:")
		for option := range strings.SplitSeq(options, ",") {
			key, escaped, _ := strings.Cut(option, "=")
			value, err := dbus.UnescapeBusAddressValue(escaped)
			switch {
			case !isUnix || err != nil:
			case key == "path" && filepath.IsAbs(value):
				names = append(names, value)
			case key == "abstract" && value != "":
				names = append(names, "@"+value)
			}
		}
	}
	if names == nil {
		return nil, hw.WithHint(fmt.Errorf("cannot use the bus address %q: it names no Unix socket", address),
			"an address is like unix:path=/run/user/1000/bus")
	}
	return names, nil
}

// paths are those of the sockets that are files, so that one can wait for them.
func paths(sockets []string) (files []string) {
	for _, name := range sockets {
		if filepath.IsAbs(name) {
			files = append(files, name)
		}
	}
	return files
}
