package line

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

func TestSockets(t *testing.T) {
	for address, want := range map[string][]string{
		"unix:path=/run/user/1000/bus":                       {"/run/user/1000/bus"},
		"unix:path=/run/user/1000/bus,guid=0123":             {"/run/user/1000/bus"},
		"unix:guid=0123,path=/a%20b":                         {"/a b"},
		"unix:abstract=/tmp/dbus-x,guid=1;unix:path=/run/b":  {"@/tmp/dbus-x", "/run/b"},
		"tcp:host=localhost,port=1;unix:path=/run/b;unix:":   {"/run/b"},
		"unix:path=relative;unix:path=%zz;unix:path=/run/b;": {"/run/b"},
	} {
		if got, err := sockets(address); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", address, got, err, want)
		}
	}
	for _, address := range []string{"on", "unix:", "/run/user/1000/bus", "tcp:host=localhost,port=1", "unixexec:path=/bin/sh", "unix:tmpdir=/tmp", "autolaunch:", "unix:abstract="} {
		_, err := New("bus", address, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", address)) || hw.Hint(err) == "" {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

func TestSessionBus(t *testing.T) {
	for _, test := range []struct{ address, runtime, want string }{
		{"unix:path=/x", "/run/user/1", "unix:path=/x"},
		{"", "/run/user/1", "unix:path=/run/user/1/bus"},
		{"", "/a b;c", "unix:path=/a%20b%3bc/bus"},
		{"", "relative", ""},
		{"", "", ""},
	} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", test.address)
		t.Setenv("XDG_RUNTIME_DIR", test.runtime)
		if got := Session(); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

func TestSystemBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "")
	if got := System(); got != "unix:path=/var/run/dbus/system_bus_socket" {
		t.Errorf("got %s", got)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/x")
	if got := System(); got != "unix:path=/x" {
		t.Errorf("got %s", got)
	}
}
