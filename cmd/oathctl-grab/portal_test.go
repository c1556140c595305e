package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/need"
)

// desktop is a portal of the tests' own.
type desktop struct {
	t   *testing.T
	bus *dbus.Conn
	// answers are what it says to the next requests.
	answers chan answer
	// closed tells that a request was taken back.
	closed chan struct{}
}

type answer struct {
	response uint32
	results  map[string]dbus.Variant
	// old has the portal name the request as those before 0.9 did.
	old bool
	// none, if set, is called in place of an answer: the desktop asks a person.
	none func()
}

// newDesktop starts a bus with a portal on it.
func newDesktop(t *testing.T) *desktop {
	t.Helper()
	daemon := exec.Command(need.Program(t, "dbus-daemon", "dbus"), "--session", "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, daemon)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	d := &desktop{t: t, answers: make(chan answer, 1), closed: make(chan struct{}, 1)}
	if d.bus, err = dbus.Connect(strings.TrimSpace(address)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.bus.Close() })
	if err := d.bus.Export(d, portalPath, "org.freedesktop.portal.Screenshot"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.bus.RequestName(portalName, 0); err != nil {
		t.Fatal(err)
	}
	return d
}

// Screenshot answers before it returns, as a quick portal may.
func (d *desktop) Screenshot(sender dbus.Sender, _ string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	a := <-d.answers
	name := strings.ReplaceAll(strings.TrimPrefix(string(sender), ":"), ".", "_")
	request := dbus.ObjectPath(portalPath + "/request/" + name + "/" + options["handle_token"].Value().(string))
	if options["interactive"].Value() != false {
		d.t.Error("it lets a person choose a part")
	}
	if a.old {
		request = portalPath + "/request/7"
	}
	if err := d.bus.Export(closing{d.closed}, request, requestIface); err != nil {
		d.t.Error(err)
	}
	if a.none != nil {
		a.none()
	} else if err := d.bus.Emit(request, requestIface+".Response", a.response, a.results); err != nil {
		d.t.Error(err)
	}
	return request, nil
}

type closing struct{ closed chan struct{} }

func (c closing) Close() *dbus.Error {
	c.closed <- struct{}{}
	return nil
}

func uri(file string) map[string]dbus.Variant {
	return map[string]dbus.Variant{"uri": dbus.MakeVariant((&url.URL{Scheme: "file", Path: file}).String())}
}

func TestPortal(t *testing.T) {
	d := newDesktop(t)
	for _, old := range []bool{false, true} {
		file, data := picture(t)
		odd := filepath.Join(t.TempDir(), "Schermata % ä.png")
		if err := os.Rename(file, odd); err != nil {
			t.Fatal(err)
		}
		d.answers <- answer{results: uri(odd), old: old}
		if got, err := grabbed(t, "screen"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes, %v", len(got), len(data), err)
		}
		if _, err := os.Stat(odd); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the picture stays: %v", err)
		}
	}
}

// TestPortalDeclined tries nothing else when a person has said no.
func TestPortalDeclined(t *testing.T) {
	d := newDesktop(t)
	d.answers <- answer{response: 1}
	dir := fake(t, "import", `echo >"$0.used"`)
	t.Setenv("DISPLAY", ":99")
	if _, err := grabbed(t, "screen"); !errors.Is(err, errDeclined) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "import.used")); err == nil {
		t.Error("another program was tried")
	}
}

// TestPortalFails tries the next program, and deletes nothing.
func TestPortalFails(t *testing.T) {
	d := newDesktop(t)
	file, data := picture(t)
	text := filepath.Join(t.TempDir(), "precious.txt")
	if err := os.WriteFile(text, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake(t, "import", "exec /bin/cat '"+file+"'")
	t.Setenv("DISPLAY", ":99")
	for _, a := range []answer{
		{response: 2}, {results: uri(text)}, {results: uri("/nonexistent")}, {results: nil},
		{results: map[string]dbus.Variant{"uri": dbus.MakeVariant("https://example.org/x.png")}},
	} {
		d.answers <- a
		if got, err := grabbed(t, "screen"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%+v: %d of %d bytes, %v", a.results, len(got), len(data), err)
		}
	}
	if _, err := os.Stat(text); err != nil {
		t.Error(err)
	}
}

// TestPortalAbandoned takes the desktop's question back when whoever asked gives up.
func TestPortalAbandoned(t *testing.T) {
	d := newDesktop(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.answers <- answer{none: cancel}
	if _, err := screen(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-d.closed
}
