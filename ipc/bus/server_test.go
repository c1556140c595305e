package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestNoSessionBus is a daemon over ssh: it says once that there is no bus, and goes on without.
func TestNoSessionBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	r := newAgent(t)
	r.serve(Auto)
	r.leave()
	if said := r.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=INFO") || !strings.Contains(said, "this session has no bus") {
		t.Errorf("it said %q", said)
	}
}

// TestStrangeSessionBus is a session whose bus the daemon cannot use: it goes on without.
func TestStrangeSessionBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "tcp:host=localhost,port=1")
	r := newAgent(t)
	r.serve(Auto)
	r.leave()
	if said := r.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=WARN") || !strings.Contains(said, "no Unix socket") {
		t.Errorf("it said %q", said)
	}
}

// TestOff says nothing and does nothing.
func TestOff(t *testing.T) {
	r := newAgent(t)
	r.serve(Off)
	r.leave()
	if said := r.log.String(); said != "" {
		t.Errorf("it said %q", said)
	}
}

// TestBusComesLater starts the daemon before its bus.
func TestBusComesLater(t *testing.T) {
	b := startBus(t, ownUser)
	b.stop()
	_ = os.Remove(filepath.Join(b.dir, "bus"))
	r := newAgent(t)
	r.serve(b.address)
	r.log.await(t, "not on D-Bus now")
	b.restart()
	b.dial(t).awaitName()
	if said := r.log.String(); strings.Count(said, "not on D-Bus now") > 2 {
		t.Errorf("it said %s", said)
	}
}

// TestBusRestarts ends the bus under the daemon, more than once: it comes back each time, with everything.
func TestBusRestarts(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	r, b, c := onBus(t, key)
	account := r.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	if _, _, err := c.code(api.BusAccountPath(account.ID), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.restart()
		c = b.dial(t)
		c.awaitName()
		if _, _, err := c.code(api.BusAccountPath(account.ID), nil); err != nil {
			t.Fatal(err)
		}
	}
	r.bay.Remove(key)
	c.await("KeyOut", nil)
	r.leave()
	if said := r.log.String(); strings.Count(said, "lost the session bus") != 2 || strings.Count(said, "on the session bus\"") != 3 {
		t.Errorf("it said %s", said)
	}
}

// TestAbstractBus is one that dbus-launch has started. When it is gone, it is gone for good.
func TestAbstractBus(t *testing.T) {
	b := startBus(t, ownUser)
	config := filepath.Join(b.dir, "bus.conf")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	abstract := "unix:abstract=" + b.dir
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), b.address, abstract, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.address = abstract
	b.restart()
	c := b.dial(t)
	r := newAgent(t)
	r.serve(b.address)
	c.awaitName()
	b.stop()
	r.log.await(t, "not on D-Bus now")
	r.leave()
}

// TestNameTaken starts a second daemon on the same bus. It says so, waits, and takes over.
func TestNameTaken(t *testing.T) {
	first, b, c := onBus(t)
	second := newAgent(t)
	second.serve(b.address)
	second.log.await(t, "another program has our name")
	if said := second.log.String(); !strings.Contains(said, fmt.Sprintf("(pid %d)", os.Getpid())) || !strings.Contains(said, "level=WARN") {
		t.Errorf("it does not say who: %s", said)
	}
	first.leave()
	second.log.await(t, `msg="on the session bus"`)
	if err := c.call(api.BusPath, api.BusManager+".Refresh").Err; err != nil {
		t.Error(err)
	}
}

// TestNotLetIn is a bus that admits another user only.
func TestNotLetIn(t *testing.T) {
	b := startBus(t, `<deny user="*"/>`+ownUser)
	r := newAgent(t)
	r.serve(b.address)
	r.log.await(t, "does not let us in")
	r.leave()
}

// TestNameRefused is a bus that lets nobody own our name.
func TestNameRefused(t *testing.T) {
	b := startBus(t, ownUser+`<deny own="org.oathd.Oathd1"/>`)
	r := newAgent(t)
	r.serve(b.address)
	r.log.await(t, "cannot get the name")
	r.leave()
}

// TestServeEnds has the daemon told to end while a program waits for a touch: its call ends.
func TestServeEnds(t *testing.T) {
	key, person := touchKey(t)
	defer key.Touch() // so that the agent need not wait for it
	r, _, c := onBus(t, key)
	path := api.BusAccountPath(r.touchAccount(person).ID)
	waiting := c.Object(api.BusName, dbus.ObjectPath(path)).Go(api.BusAccount+".GetCode", 0, nil, options{})
	c.await("TouchWanted", waits(1))
	r.leave()
	if call := <-waiting.Done; call.Err == nil {
		t.Errorf("it got %v", call.Body)
	}
	if k, err := r.Key("key1"); err != nil || len(k.Waiting) != 0 {
		t.Errorf("%v still wait, %v", k.Waiting, err)
	}
}

// TestTooManyCalls has a program that never stops asking: it is told so, and another program is served.
func TestTooManyCalls(t *testing.T) {
	key, person := touchKey(t)
	r, b, c := onBus(t, key)
	path := dbus.ObjectPath(api.BusAccountPath(r.touchAccount(person).ID))
	greedy := b.dial(t)
	calls := make(chan *dbus.Call, 2*maxCalls)
	for range maxCalls + 10 {
		greedy.Object(api.BusName, path).Go(api.BusAccount+".GetCode", 0, calls, options{})
	}
	for range 10 {
		wantError(t, (<-calls).Err, api.BusError(api.CodeBusy), "too many calls")
	}
	eventually(t, "the key to blink", key.Blinking)
	if err := c.call(api.BusPath, propertiesName+".GetAll", api.BusManager).Err; err != nil {
		t.Error(err)
	}
	person.away.Store(false)
	key.Touch()
	for range maxCalls {
		if call := <-calls; call.Err != nil {
			t.Fatal(call.Err)
		}
	}
}

// TestCallerIsMetOnce has a program call often: the bus is asked once who it is.
func TestCallerIsMetOnce(t *testing.T) {
	_, b, c := onBus(t)
	monitor := b.monitor(t)
	for range 5 {
		if err := c.call(api.BusPath, propertiesName+".GetAll", api.BusManager).Err; err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Emit("/", "test.Test.Done"); err != nil {
		t.Fatal(err)
	}
	asked, calls := 0, 0
	for m := range monitor {
		switch m.Headers[dbus.FieldMember].Value() {
		case "GetConnectionCredentials":
			asked++
		case "GetAll":
			calls++
		}
		if m.Headers[dbus.FieldMember].Value() == "Done" {
			break
		}
	}
	if asked != 1 || calls != 5 {
		t.Errorf("asked %d times for %d calls", asked, calls)
	}
}

// TestCallersAreForgotten has many programs call and leave.
func TestCallersAreForgotten(t *testing.T) {
	b := startBus(t, ownUser)
	r := newAgent(t)
	s, err := New(Options{Agent: r.Agent, Address: b.address, StopTimeout: patience, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	now, err := s.open(t.Context(), socketOf(b))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- now.serve(patience) }()
	b.dial(t).awaitName()
	known := func() int {
		now.callers.mu.Lock()
		defer now.callers.mu.Unlock()
		return len(now.callers.known)
	}
	for range 20 {
		c, err := dbus.Connect(b.address)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := c.Object(api.BusName, api.BusPath).Call(propertiesName+".GetAll", 0, "").Err; err != nil {
				t.Fatal(err)
			}
		}
		if known() == 0 {
			t.Error("a caller is not known")
		}
		_ = c.Close()
	}
	eventually(t, "the callers to be forgotten", func() bool { return known() == 0 })
	if _, err := now.callers.enter(":1.4711"); api.CodeOf(err) != api.CodeForbidden || known() != 0 {
		t.Errorf("one who is not there: %v, %d are known", err, known())
	}
	_ = now.conn.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := now.callers.enter(":1.1"); api.CodeOf(err) != api.CodeCanceled {
		t.Errorf("after the end: %v", err)
	}
}
