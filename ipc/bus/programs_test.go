package bus

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// run runs somebody else's program with our bus as its session bus.
func (b *privateBus) run(t *testing.T, name string, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"DBUS_SESSION_BUS_ADDRESS=" + b.address, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=/nonexistent"}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// wantOutput runs a program that is to succeed, and to print all of wants.
func (b *privateBus) wantOutput(t *testing.T, wants []string, name string, args ...string) {
	t.Helper()
	out, err := b.run(t, name, args...)
	if err != nil {
		t.Errorf("%s %q: %v: %s", name, args, err, out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%s %q does not print %q: %s", name, args, want, out)
		}
	}
}

// served is an agent on a bus with one account, a code of which was handed out.
func served(t *testing.T) (b *privateBus, path, code string) {
	r, b, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	path = api.BusAccountPath(r.add(api.NewAccount{Issuer: "GitHub", Name: "me", Type: "hotp", Algorithm: "SHA1", Digits: 6}).ID)
	if _, _, err := c.code(path, nil); err != nil {
		t.Fatal(err)
	}
	return b, path, counted("GitHub", "me", 1)
}

// counted computes what the HOTP account of add answers at a counter.
func counted(issuer, name string, counter uint64) string {
	a := oath.Account{Issuer: issuer, Name: name, Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
	seed := seedOf(issuer, name)
	defer seed.Wipe()
	return a.Code(oath.Truncate(oath.HMAC(a.Algorithm, seed.Bytes(), oath.Challenge(counter))))
}

func TestGDBus(t *testing.T) {
	gdbus := need.Program(t, "gdbus", "libglib2.0-bin")
	b, path, code := served(t)
	call := func(path, method string, args ...string) []string {
		return append([]string{"call", "--session", "--dest", api.BusName, "--object-path", path, "--method", method}, args...)
	}
	b.wantOutput(t, []string{"GitHub:me", path, "'adopted'"}, gdbus, call(api.BusPath, objectManagerName+".GetManagedObjects")...)
	b.wantOutput(t, []string{"(objectpath '" + path + "',)"}, gdbus, call(api.BusPath, api.BusManager+".Find", "github")...)
	b.wantOutput(t, []string{"('" + code + "', {", "'proved': <false>"}, gdbus, call(path, api.BusAccount+".GetCode", "{}")...)
	b.wantOutput(t, []string{"GetCode(in  a{sv} options,", "readonly s Label = 'GitHub:me'"}, gdbus,
		"introspect", "--session", "--dest", api.BusName, "--object-path", path)
	out, err := b.run(t, gdbus, call(path, api.BusAccount+".GetCode", "{'frsh': <true>}")...)
	if want := "GDBus.Error:" + api.BusError(api.CodeBadRequest) + ": cannot read the request"; err == nil || !strings.Contains(out, want) {
		t.Errorf("a wrong option: %v: %s", err, out)
	}
}

func TestBusctl(t *testing.T) {
	busctl := need.Program(t, "busctl", "systemd")
	b, path, code := served(t)
	args := func(args ...string) []string { return append([]string{"--user", "--address=" + b.address}, args...) }
	b.wantOutput(t, []string{path, api.BusPath}, busctl, args("tree", "--list", api.BusName)...)
	b.wantOutput(t, []string{".GetCode", "a{sv}", "sa{sv}", `"GitHub:me"`, "emits-change"}, busctl, args("introspect", api.BusName, path)...)
	b.wantOutput(t, []string{`sa{sv} "` + code + `" 2 `}, busctl, args("call", api.BusName, path, api.BusAccount, "GetCode", "a{sv}", "0")...)
	b.wantOutput(t, []string{`s "1.2.3"`}, busctl, args("get-property", api.BusName, api.BusPath, api.BusManager, "Version")...)
	out, err := b.run(t, busctl, args("call", api.BusName, api.BusPath, api.BusManager, "Find", "s", "nobody")...)
	if err == nil || !strings.Contains(out, `cannot find an account named "nobody"`) {
		t.Errorf("nobody: %v: %s", err, out)
	}
}

// TestExample runs the program of docs/examples as a stranger would.
func TestExample(t *testing.T) {
	const example = "../../docs/examples/code.py"
	python := need.Python(t, "dbus", "python3-dbus")
	b, _, code := served(t)
	if out, err := b.run(t, python, example, "GitHub"); err != nil || out != code+"\n" {
		t.Errorf("got %q, %v, want %s", out, err, code)
	}
	if out, err := b.run(t, python, example, "nobody"); err == nil || !strings.HasPrefix(out, "cannot find an account named \"nobody\"\n") {
		t.Errorf("nobody: got %q, %v", out, err)
	}
}

// TestForeignUser calls as a user whom a careless bus lets in: every method of ours refuses.
func TestForeignUser(t *testing.T) {
	need.That(t, os.Getuid() == 0, "root, to become another user")
	gdbus, setpriv := need.Program(t, "gdbus", "libglib2.0-bin"), need.Program(t, "setpriv", "util-linux")
	b := startBus(t, everyone)
	r := newAgent(t)
	r.insert(newKey(t, softkey.Options{Serial: 1000001}))
	r.adopt("1000001", "key1")
	path := api.BusAccountPath(r.add(api.NewAccount{Issuer: "GitHub", Name: "me"}).ID)
	c := b.dial(t)
	r.serve(b.address)
	c.awaitName()
	for _, call := range [][]string{
		{path, api.BusAccount + ".GetCode", "{}"},
		{api.BusPath, objectManagerName + ".GetManagedObjects"},
		{api.BusPath, api.BusManager + ".Refresh"},
		{api.BusPath, propertiesName + ".GetAll", api.BusManager},
		{"/", "org.freedesktop.DBus.Introspectable.Introspect"},
	} {
		args := []string{"--reuid=65534", "--regid=65534", "--clear-groups", gdbus, "call", "--session", "--dest", api.BusName, "--object-path", call[0], "--method", call[1]}
		out, err := b.run(t, setpriv, append(args, call[2:]...)...)
		if err == nil || !strings.Contains(out, api.BusError(api.CodeForbidden)) || !strings.Contains(out, "not user 65534") {
			t.Errorf("%v as nobody: %v: %s", call, err, out)
		}
	}
	if _, _, err := c.code(path, nil); err != nil {
		t.Errorf("our own user meanwhile: %v", err)
	}
}
