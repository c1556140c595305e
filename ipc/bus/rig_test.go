package bus

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// TestMain hides the real session bus: no test may ever reach it.
func TestMain(m *testing.M) {
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/session/bus")
	os.Setenv("XDG_RUNTIME_DIR", "/nonexistent")
	os.Exit(m.Run())
}

// privateBus is a dbus-daemon of the test's own.
type privateBus struct {
	t       testing.TB
	dir     string
	address string
	process *exec.Cmd
}

// Policies of private buses: that of a session bus, and one that lets other users in too.
const (
	ownUser  = `<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>`
	everyone = `<allow user="*"/>` + ownUser
)

func startBus(t testing.TB, policy string) *privateBus {
	t.Helper()
	daemon := need.Program(t, "dbus-daemon", "dbus")
	// Not t.TempDir: a socket's path must be short.
	dir, err := os.MkdirTemp("", "oathd-bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &privateBus{t: t, dir: dir, address: "unix:path=" + filepath.Join(dir, "bus")}
	config := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>` + b.address + `</listen><auth>EXTERNAL</auth><policy context="default">` + policy + `</policy>
<limit name="max_replies_per_connection">50000</limit><limit name="max_match_rules_per_connection">50000</limit></busconfig>`
	for name, mode := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, "bus.conf"): 0o644} {
		if name != dir {
			err = os.WriteFile(name, []byte(config), mode)
		} else {
			err = os.Chmod(name, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.start(daemon)
	t.Cleanup(b.stop)
	return b
}

// start returns when the bus listens: it then prints its address.
func (b *privateBus) start(daemon string) {
	b.t.Helper()
	b.process = exec.Command(daemon, "--config-file="+filepath.Join(b.dir, "bus.conf"), "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	out, err := b.process.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); !strings.HasPrefix(line, "unix:") {
		b.t.Fatalf("dbus-daemon says %q: %v", line, err)
	}
}

func (b *privateBus) stop() {
	if b.process == nil {
		return
	}
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
	b.process = nil
}

func (b *privateBus) restart() {
	b.t.Helper()
	b.stop()
	b.start(need.Program(b.t, "dbus-daemon", "dbus"))
}

func socketOf(b *privateBus) string { return strings.TrimPrefix(b.address, "unix:path=") }

// client is a program on the bus.
type client struct {
	*dbus.Conn
	t       testing.TB
	signals chan *dbus.Signal
}

// dial connects a client, which sees all signals of ours.
func (b *privateBus) dial(t testing.TB) *client {
	t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{Conn: conn, t: t, signals: make(chan *dbus.Signal, 10000)}
	c.Signal(c.signals)
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchPathNamespace("/org/oathd/Oathd1")},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")},
	} {
		if err := conn.AddMatchSignal(rule...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// await returns the next signal that is the named one and of which is says that it is right; nil: any.
func (c *client) await(name string, is func(*dbus.Signal) bool) *dbus.Signal {
	c.t.Helper()
	late := time.After(patience)
	for {
		select {
		case s, ok := <-c.signals:
			if !ok {
				c.t.Fatalf("the bus ended before %s", name)
			}
			if s.Name[strings.LastIndexByte(s.Name, '.')+1:] == name && (is == nil || is(s)) {
				return s
			}
		case <-late:
			c.t.Fatalf("no signal %s", name)
		}
	}
}

// awaitName waits until our name is on the bus.
func (c *client) awaitName() {
	c.t.Helper()
	var owned bool
	if err := c.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, api.BusName).Store(&owned); err != nil {
		c.t.Fatal(err)
	}
	if !owned {
		c.await("NameOwnerChanged", func(s *dbus.Signal) bool { return s.Body[0] == api.BusName && s.Body[2] != "" })
	}
}

// call calls a method of ours at a path.
func (c *client) call(path, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.Object(api.BusName, dbus.ObjectPath(path)).CallWithContext(ctx, method, 0, args...)
}

func (c *client) property(path, name string) any {
	c.t.Helper()
	v, err := c.Object(api.BusName, dbus.ObjectPath(path)).GetProperty(name)
	if err != nil {
		c.t.Fatalf("%s of %s: %v", name, path, err)
	}
	return v.Value()
}

type options = map[string]dbus.Variant

func (c *client) code(account string, o options) (code string, details options, err error) {
	if o == nil {
		o = options{}
	}
	err = c.call(account, api.BusAccount+".GetCode", o).Store(&code, &details)
	return code, details, err
}

// wantError wants a D-Bus error of that name, whose body is one string that contains all of texts.
func wantError(t testing.TB, err error, name string, texts ...string) {
	t.Helper()
	e, ok := err.(dbus.Error)
	if !ok || e.Name != name {
		t.Fatalf("got %T %v, want %s", err, err, name)
	}
	body, ok := e.Body[0].(string)
	if !ok || len(e.Body) != 1 {
		t.Fatalf("%s has the body %v", name, e.Body)
	}
	for _, want := range texts {
		if !strings.Contains(body, want) {
			t.Errorf("%s says %q, not %q", name, body, want)
		}
	}
}

// logs collects what the server says.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until the server has said want.
func (l *logs) await(t testing.TB, want string) {
	t.Helper()
	for late := time.After(patience); !strings.Contains(l.String(), want); {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("it never said %q, but:\n%s", want, l)
		}
	}
}

// rig is an agent with soft keys, served on a bus.
type rig struct {
	*agent.Agent
	t      testing.TB
	bay    *softkey.Bay
	events <-chan api.Event
	log    *logs
	search Search
	// leave ends the server.
	leave func()
}

var tester = agent.Caller{Name: "test"}

// newAgent starts an agent on a ledger of its own.
func newAgent(t testing.TB) *rig {
	t.Helper()
	book, err := ledger.Open(context.Background(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, bay: softkey.NewBay(), log: &logs{more: make(chan struct{}, 1)}}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if r.Agent, err = agent.New(t.Context(), agent.Options{Bay: r.bay, Ledger: book, BayName: "soft", Log: quiet, Version: "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.events = r.Events(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := book.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// serve serves the agent at an address until the test ends or leave is called.
func (r *rig) serve(address string) {
	r.t.Helper()
	s, err := New(Options{Agent: r.Agent, Search: r.search, Address: address, StopTimeout: patience, Log: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(ctx)
	}()
	r.leave = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			r.t.Error("Serve did not end")
		}
	}
	r.t.Cleanup(r.leave)
}

// onBus is an agent with adopted soft keys on a private bus, and a client.
func onBus(t testing.TB, keys ...*softkey.Key) (*rig, *privateBus, *client) {
	t.Helper()
	return searchable(t, Search{}, keys...)
}

// searchable is onBus with a desktop that searches.
func searchable(t testing.TB, s Search, keys ...*softkey.Key) (*rig, *privateBus, *client) {
	t.Helper()
	b := startBus(t, ownUser)
	r := newAgent(t)
	r.search = s
	for i, k := range keys {
		r.insert(k)
		r.adopt(fmt.Sprint(k.Serial()), fmt.Sprintf("key%d", i+1))
	}
	c := b.dial(t)
	r.serve(b.address)
	c.awaitName()
	return r, b, c
}

func newKey(t testing.TB, o softkey.Options) *softkey.Key {
	t.Helper()
	k, err := softkey.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (r *rig) await(kinds ...api.EventKind) api.Event {
	r.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-r.events:
			if slices.Contains(kinds, e.Kind) {
				return e
			}
		case <-late:
			r.t.Fatalf("no event %v", kinds)
		}
	}
}

func (r *rig) insert(k *softkey.Key) {
	r.t.Helper()
	r.bay.Insert(k)
	r.await(api.EventKeyIn)
}

func (r *rig) adopt(key, label string) api.Key {
	r.t.Helper()
	k, err := r.Adopt(r.t.Context(), tester, key, api.AdoptRequest{Label: label})
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// add writes an account with a seed made from its name to one key.
func (r *rig) add(a api.NewAccount) api.Account {
	r.t.Helper()
	if a.Type == "" {
		a.Type, a.Algorithm, a.Digits, a.Period = "totp", "SHA1", 6, 30
	}
	seed := seedOf(a.Issuer, a.Name)
	a.SeedBytes = seed.Len()
	report, err := r.Add(r.t.Context(), tester, api.AddRequest{Accounts: []api.NewAccount{a}, Copies: 1}, []*oath.Secret{seed}, func(api.Step) {})
	if err != nil {
		r.t.Fatal(err)
	}
	acc, err := r.Account(report.Accounts[0].Account)
	if err != nil {
		r.t.Fatal(err)
	}
	return acc
}

func seedOf(issuer, name string) *oath.Secret {
	return oath.TakeSecret([]byte((issuer + ":" + name + strings.Repeat("-", 20))[:20]))
}
