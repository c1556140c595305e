package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
)

// manager is a service manager that knows one unit.
type manager struct{ state string }

// GetUnitFileState answers as systemd does (org.freedesktop.systemd1(5)).
func (m manager) GetUnitFileState(unit string) (string, *dbus.Error) {
	if unit != "oathd.socket" || m.state == "" {
		return "", dbus.NewError("org.freedesktop.DBus.Error.FileNotFound", []any{"Unit file " + unit + " does not exist."})
	}
	return m.state, nil
}

func TestUnits(t *testing.T) {
	for state, want := range map[string]struct {
		verdict kin.Verdict
		mend    string
	}{
		"":         {kin.VerdictNone, ""},
		"enabled":  {kin.VerdictOK, ""},
		"disabled": {kin.VerdictWarning, "systemctl --user enable --now oathd.socket"},
		"linked":   {kin.VerdictWarning, "systemctl --user enable --now oathd.socket"},
		"masked":   {kin.VerdictWarning, "systemctl --user unmask oathd.socket"},
	} {
		address, bus := newBus(t)
		serve(t, bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager{state})
		s := sight{session: lookAtSession(t.Context(), address)}
		wantOne(t, checkUnit(s), want.verdict, "oathd.socket", want.mend)
		wantOne(t, checkBus(s), kin.VerdictOK, "answers", "")
	}
}

func TestSecretService(t *testing.T) {
	address, bus := newBus(t)
	look := func(keys ...api.Key) []kin.Finding {
		return checkSecrets(sight{session: lookAtSession(t.Context(), address), daemon: daemon{keys: keys}})
	}
	wantOne(t, look(api.Key{}), kin.VerdictNone, "no key here has a password", "")
	wantOne(t, look(api.Key{PasswordSet: true}), kin.VerdictWarning, "no Secret Service", "gnome-keyring")
	if _, err := bus.RequestName("org.freedesktop.secrets", 0); err != nil {
		t.Fatal(err)
	}
	wantOne(t, look(api.Key{PasswordSet: true}), kin.VerdictOK, "Secret Service", "")
}

func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s := sight{session: lookAtSession(t.Context(), sessionAddress())}
	wantOne(t, checkBus(s), kin.VerdictWarning, "no D-Bus", "dbus-user-session")
	wantOne(t, checkUnit(s), kin.VerdictNone, "does not know", "")
	if found := checkSecrets(s); found != nil {
		t.Errorf("without a bus: %+v", found)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "nowhere"))
	wantOne(t, checkBus(sight{session: lookAtSession(t.Context(), sessionAddress())}), kin.VerdictWarning, "no such file", "log out and in")
}

// TestSilentBus has a bus that accepts and says nothing.
func TestSilentBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if s := lookAtSession(ctx, "unix:path="+path); !errors.Is(s.err, context.DeadlineExceeded) {
		t.Errorf("got %v", s.err)
	}
	if c := lookAtClock(ctx, "unix:path="+path); c.known {
		t.Errorf("got %+v", c)
	}
}

// dated is systemd-timedated.
type dated map[string]bool

// Get is org.freedesktop.DBus.Properties.Get.
func (d dated) Get(_, property string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(d[property]), nil
}

func TestClockIsNotSynchronised(t *testing.T) {
	for _, c := range []struct {
		dated   dated
		verdict kin.Verdict
		words   string
		mend    string
	}{
		{dated{"NTPSynchronized": true, "NTP": true}, kin.VerdictOK, "is synchronised", ""},
		{dated{"NTP": true}, kin.VerdictWarning, "not synchronised yet", "timedatectl timesync-status"},
		{dated{}, kin.VerdictWarning, "not synchronised", "sudo timedatectl set-ntp true"},
	} {
		address, bus := newBus(t)
		wantOne(t, checkClock(sight{clock: lookAtClock(t.Context(), address)}), kin.VerdictNone, "nobody says", "")
		serve(t, bus, "org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.DBus.Properties", c.dated)
		wantOne(t, checkClock(sight{clock: lookAtClock(t.Context(), address)}), c.verdict, c.words, c.mend)
	}
}

// TestClockBeforeTheBuild asks an oathd that will be built in 2100.
func TestClockBeforeTheBuild(t *testing.T) {
	newStage(t, "other").want("clock", kin.VerdictBroken, "2100-01-01", "sudo timedatectl set-ntp true")
}
