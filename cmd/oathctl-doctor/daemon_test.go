package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
)

// TestHealthy has everything as it should be.
func TestHealthy(t *testing.T) {
	s := newStage(t, "now")
	s.daemon("now")
	address, bus := newBus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	serve(t, bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager{"enabled"})
	system, bus := newBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", system)
	serve(t, bus, "org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.DBus.Properties", dated{"NTPSynchronized": true})
	var out, complaints bytes.Buffer
	if status := run(t.Context(), nil, &out, &complaints); status != 0 {
		t.Errorf("exit status %d: %s", status, &complaints)
	}
	var d kin.Diagnosis
	if err := json.Unmarshal(out.Bytes(), &d); err != nil || !d.Healthy {
		t.Fatalf("%v: %s", err, &out)
	}
	for _, f := range d.Findings {
		if f.State != kin.VerdictOK && f.State != kin.VerdictNone || f.Found == "" {
			t.Errorf("got %+v", f)
		}
	}
	for _, c := range checks {
		if c.name != "held" && c.name != "reader" && c.name != "reminders" && !strings.Contains(out.String(), fmt.Sprintf(`"check":%q`, c.name)) {
			t.Errorf("nothing is said of %s", c.name)
		}
	}
}

func TestUsage(t *testing.T) {
	var out, complaints bytes.Buffer
	if status := run(t.Context(), []string{"--cake"}, &out, &complaints); status != 2 || !strings.Contains(complaints.String(), "usage: ") {
		t.Errorf("exit status %d: %s", status, &complaints)
	}
}

func TestNoDaemon(t *testing.T) {
	s := newStage(t, "now")
	s.want("daemon", kin.VerdictBroken, "nothing listens on "+client.DefaultSocket(), "oathd")
	address, bus := newBus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	serve(t, bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager{"enabled"})
	s.want("daemon", kin.VerdictBroken, "nothing listens", "systemctl --user start oathd.socket")
	var out bytes.Buffer
	if status := run(t.Context(), nil, &out, &out); status != 1 || !strings.HasPrefix(out.String(), `{"healthy":false,`) {
		t.Errorf("exit status %d: %s", status, &out)
	}

	// The settings say another socket than the one that is asked at.
	files(t, s.config, map[string]string{"config.toml": fmt.Sprintf("socket = %q\n", filepath.Join(s.state, "other.sock"))})
	s.want("daemon", kin.VerdictBroken, "settings say "+s.state, "export OATHD_SOCKET="+s.state)
}

// TestSilentDaemon has something at the socket that accepts and says nothing.
func TestSilentDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s := sight{daemon: askDaemon(ctx, path)}
	wantOne(t, checkDaemon(s), kin.VerdictBroken, "does not answer", "start it again")
	s.session.unit = "enabled"
	wantOne(t, checkDaemon(s), kin.VerdictBroken, "does not answer", "systemctl --user restart oathd.service")
}

// TestForeignDaemon asks at a socket that is not open to this user.
func TestForeignDaemon(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("everything is open to root")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	wantOne(t, checkDaemon(sight{daemon: askDaemon(t.Context(), filepath.Join(dir, "s"))}), kin.VerdictBroken, "not open to this user", "as the user who started it")
}

func TestVersions(t *testing.T) {
	s := newStage(t, "other")
	_, stop := s.daemon("now")
	s.want("version", kin.VerdictWarning, "and v99.0.0 is installed", "start it again")
	stop()
	t.Setenv("PATH", filepath.Dir(oathd(t, "now"))+":"+os.Getenv("PATH"))
	s.daemon("now")
	s.want("version", kin.VerdictOK, "fit together", "")
	defer func(was string) { version = was }(version)
	version = "v0.0.1"
	s.want("version", kin.VerdictWarning, "oathctl is v0.0.1", "install both")
}

// TestNoProgram has an oathd that is not there, cannot start, says nonsense, or hangs.
func TestNoProgram(t *testing.T) {
	s := newStage(t, "now")
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	s.want("program", kin.VerdictBroken, "oathd is not installed", "install the package oathd")
	for script, want := range map[string][2]string{
		"echo 'oathd: error while loading shared libraries: libpcsclite.so.1: cannot open shared object file' >&2; exit 127": {"oathd cannot start", "libpcsclite1 (Fedora: "},
		"echo cake":      {"cannot use what " + bin + "/oathd says", "oathd check"},
		"kill -KILL $$":  {"killed", "oathd check"},
		"exec sleep 600": {"cannot wait for " + bin + "/oathd", "oathd check"},
	} {
		if err := os.WriteFile(filepath.Join(bin, "oathd"), []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		self, err := selfCheck(ctx, daemon{err: errNoDaemon})
		cancel()
		wantOne(t, checkProgram(sight{self: self, selfErr: err, daemon: daemon{err: errNoDaemon}}), kin.VerdictBroken, want[0], want[1])
	}
}

// errNoDaemon is what a client says where there is none.
var errNoDaemon = &api.Error{Code: api.CodeNoDaemon, Message: "no daemon"}

func TestElsewhere(t *testing.T) {
	s := newStage(t, "now")
	s.daemon("now")
	t.Setenv("PATH", t.TempDir())
	s.want("program", kin.VerdictNone, "not installed here", "")
	s.want("daemon", kin.VerdictOK, "answers at", "")
}

// TestLockedKey starts the daemon anew after a key has got a password.
func TestLockedKey(t *testing.T) {
	s := newStage(t, "now")
	soft := filepath.Join(s.state, "soft.json")
	c, stop := s.daemon("now", "--insecure-state", soft)
	s.want("keys", kin.VerdictOK, "2 plugged in", "")
	keys, err := c.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.Adopt(t.Context(), keys[0].ID, api.AdoptRequest{Label: "daily"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetPassword(t.Context(), key.ID, oath.TakeSecret([]byte("password"))); err != nil {
		t.Fatal(err)
	}
	stop()
	s.daemon("now", "--insecure-state", soft)
	s.want("keys", kin.VerdictWarning, "daily is locked", `oathctl password unlock "daily"`)
}

// TestKeysInTrouble has keys as the daemon shows them: one is held, which was said, and one is broken.
func TestKeysInTrouble(t *testing.T) {
	s := sight{daemon: daemon{keys: []api.Key{
		{Label: "held", Present: true, Reader: "R 00", Trouble: "another program holds the key"},
		{Label: "dead", Present: true, Reader: "R 01", Trouble: "malformed answer", Hint: "pull it out"},
		{Label: "away", Locked: true},
	}}, self: kin.SelfCheck{Held: []string{"R 00"}}}
	wantOne(t, checkKeys(s), kin.VerdictBroken, "dead: malformed answer", "pull it out")
	s.daemon.keys[1].State = api.KeySeen
	wantOne(t, checkKeys(s), kin.VerdictNone, "dead: malformed answer", "pull it out")
	s.daemon.keys = s.daemon.keys[2:]
	wantOne(t, checkKeys(s), kin.VerdictNone, "no key is plugged in", "")
}
