package packaging

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/socket"
)

// settings are a unit's or a desktop entry's lines, by "Section.Key"; a key that is there several times has several values.
type settings map[string][]string

func read(t *testing.T, name string) settings {
	t.Helper()
	text, err := fs.ReadFile(Files, name)
	if err != nil {
		t.Fatal(err)
	}
	found, section := settings{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		if key, value, isSetting := strings.Cut(line, "="); isSetting && !strings.HasPrefix(line, "#") {
			found[section+"."+key] = append(found[section+"."+key], value)
		}
	}
	return found
}

// wants holds settings of a file against what the programs say.
func wants(t *testing.T, file string, want map[string]string) {
	t.Helper()
	got := read(t, file)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[key], []string{want[key]}) {
			t.Errorf("%s: %s is %q, want %q", file, key, got[key], want[key])
		}
	}
}

// TestNames holds the files by which others find oathd against the names that it has.
func TestNames(t *testing.T) {
	wants(t, "dbus/org.oathd.Oathd1.service", map[string]string{
		"D-BUS Service.Name": api.BusName, "D-BUS Service.Exec": "/usr/bin/oathd", "D-BUS Service.SystemdService": "oathd.service",
	})
	wants(t, "systemd/oathd.service", map[string]string{
		"Service.Type": "dbus", "Service.BusName": api.BusName, "Service.ExecStart": "/usr/bin/oathd", "Service.NotifyAccess": "main",
	})
	for unit, door := range map[string]struct{ name, file string }{
		"systemd/oathd.socket":       {socket.APIName, "oathd.sock"},
		"systemd/oathd-codes.socket": {socket.CodesName, "codes.sock"},
	} {
		wants(t, unit, map[string]string{
			"Socket.FileDescriptorName": door.name, "Socket.ListenStream": "%t/oathd/" + door.file,
			"Socket.SocketMode": "0600", "Socket.DirectoryMode": "0700", "Socket.Service": "oathd.service",
		})
	}
	wants(t, "desktop/org.oathd.Oathd1.search-provider.ini", map[string]string{
		"Shell Search Provider.BusName": api.BusName, "Shell Search Provider.ObjectPath": api.BusSearch,
		"Shell Search Provider.DesktopId": "org.oathd.Oathd1.desktop", "Shell Search Provider.Version": "2",
	})
	wants(t, "desktop/plasma-runner-oathd.desktop", map[string]string{
		"Desktop Entry.X-Plasma-DBusRunner-Service": api.BusName, "Desktop Entry.X-Plasma-DBusRunner-Path": api.BusRunner,
		"Desktop Entry.X-Plasma-API": "DBus",
	})
}

// TestUserBus wants Debian's package to bring the bus of a user along, which not every system has: a unit of this type has to wait for
// dbus.socket (systemd.service(5)).
func TestUserBus(t *testing.T) {
	wants(t, "systemd/oathd.service", map[string]string{"Service.Type": "dbus"})
	recipe, err := fs.ReadFile(Files, "nfpm.yaml")
	if err != nil || !regexp.MustCompile(`(?m)^  deb:\n(    .*\n)*    recommends: \[.*\bdbus-user-session\b`).Match(recipe) {
		t.Errorf("the package does not recommend dbus-user-session (%v)", err)
	}
}

// TestMemory wants the unit to begin with the settings of the runtime for which the daemon would start itself again, and without
// cores.
func TestMemory(t *testing.T) {
	wants(t, "systemd/oathd.service", map[string]string{
		"Service.Environment": "GODEBUG=clobberfree=1,asyncpreemptoff=1", "Service.LimitCORE": "0",
	})
	harden, err := os.ReadFile("../cmd/oathd/harden.go")
	if err != nil || !bytes.Contains(harden, []byte(`{"clobberfree=1", "asyncpreemptoff=1"}`)) {
		t.Errorf("cmd/oathd wants other settings (%v)", err)
	}
}

// TestPrograms wants packages to bring every program that there is: what is started by hand by name, the others all together.
func TestPrograms(t *testing.T) {
	recipe, err := fs.ReadFile(Files, "nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("../cmd/*")
	if err != nil || len(programs) < 3 {
		t.Fatalf("found %q, %v", programs, err)
	}
	for _, path := range programs {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "oathctl-") {
			continue
		}
		for _, want := range []string{"/usr/bin/" + name, "man/" + name + ".1"} {
			_, err := os.Stat(want)
			if !bytes.Contains(recipe, []byte(want)) && err != nil {
				t.Errorf("no package has %s", want)
			}
		}
	}
	for _, want := range []string{"${BIN}/libexec/", "${OUT}/man/"} {
		if !bytes.Contains(recipe, []byte(want)) {
			t.Errorf("nfpm.yaml does not take %s", want)
		}
	}
}

// source is a file of the repository that the recipe names.
var source = regexp.MustCompile(`src: "?([^$"{},]+)`)

// TestSources wants every file that goes into a package to be there.
func TestSources(t *testing.T) {
	recipe, err := fs.ReadFile(Files, "nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := source.FindAllStringSubmatch(string(recipe), -1)
	if len(found) < 10 {
		t.Fatalf("found only %q", found)
	}
	for _, m := range found {
		if paths, err := filepath.Glob(filepath.Join("..", m[1])); err != nil || len(paths) == 0 {
			t.Errorf("there is no %s (%v)", m[1], err)
		}
	}
}

// TestTimes wants no directory to go into a package as it lies here: nfpm would keep its time, which is never the same, and spoil its
// mode, at which pacman takes offence.
func TestTimes(t *testing.T) {
	recipe, err := fs.ReadFile(Files, "nfpm.yaml")
	if err != nil || bytes.Contains(recipe, []byte("type: tree")) {
		t.Errorf("nfpm.yaml takes a directory (%v)", err)
	}
}

// maxExposure is what docs/security.md promises of systemd's judgement, 0 to 10.
const maxExposure = 1.2

var exposure = regexp.MustCompile(`Overall exposure level for oathd\.service: ([0-9.]+)`)

// TestExposure has systemd judge how shut in the service is, as one of a user.
func TestExposure(t *testing.T) {
	analyze := need.Program(t, "systemd-analyze", "systemd")
	cmd := exec.Command(analyze, "--user", "security", "--offline=true", "--no-pager", "systemd/oathd.service")
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := exposure.FindSubmatch(out)
	if m == nil {
		t.Fatalf("no verdict:\n%s", out)
	}
	level, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || level > maxExposure {
		t.Errorf("the exposure is %s, want at most %v:\n%s", m[1], maxExposure, out)
	}
	security, err := os.ReadFile("../docs/security.md")
	if want := fmt.Sprintf("exposure level of %s", m[1]); err != nil || !bytes.Contains(security, []byte(want)) {
		t.Errorf("docs/security.md does not say %q (%v)", want, err)
	}
}

// TestUnits has systemd read the units.
func TestUnits(t *testing.T) {
	analyze := need.Program(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	units, err := filepath.Glob("systemd/*")
	if err != nil || len(units) != 4 {
		t.Fatalf("%q, %v", units, err)
	}
	program := filepath.Join(dir, "oathd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var copies []string
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		there := filepath.Join(dir, filepath.Base(unit))
		copies = append(copies, there)
		if err := os.WriteFile(there, bytes.ReplaceAll(text, []byte("/usr/bin/oathd"), []byte(program)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(analyze, append([]string{"--user", "verify", "--man=no"}, copies...)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "SYSTEMD_UNIT_PATH="+dir+":")
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAppStream has the desktops' own reader judge what software centres show.
func TestAppStream(t *testing.T) {
	cli := need.Program(t, "appstreamcli", "appstream")
	out, err := exec.Command(cli, "validate", "--no-net", "desktop/org.oathd.Oathd1.metainfo.xml").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDesktopEntry has freedesktop's own reader judge the entry.
func TestDesktopEntry(t *testing.T) {
	validate := need.Program(t, "desktop-file-validate", "desktop-file-utils")
	if out, err := exec.Command(validate, "desktop/org.oathd.Oathd1.desktop").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
