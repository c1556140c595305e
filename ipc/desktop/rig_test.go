package desktop

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// TestMain hides the real buses: no test may ever reach them.
func TestMain(m *testing.M) {
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/session/bus")
	os.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system/bus")
	os.Setenv("XDG_RUNTIME_DIR", "/nonexistent")
	os.Exit(m.Run())
}

// testBus is a dbus-daemon of the test's own.
type testBus struct {
	t            testing.TB
	dir, address string
	process      *exec.Cmd
}

func startBus(t testing.TB) *testBus {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd-desk") // not t.TempDir: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &testBus{t: t, dir: dir, address: "unix:path=" + filepath.Join(dir, "bus")}
	config := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>` + b.address + `</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(filepath.Join(dir, "bus.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

// start returns when the bus listens: it then prints its address.
func (b *testBus) start() {
	b.t.Helper()
	b.process = exec.Command(need.Program(b.t, "dbus-daemon", "dbus"), "--config-file="+filepath.Join(b.dir, "bus.conf"), "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
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

func (b *testBus) stop() {
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

// dial connects a program of the test's.
func (b *testBus) dial() *dbus.Conn {
	b.t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// own gives a name on the bus to a service that the test plays.
func own(t testing.TB, conn *dbus.Conn, name string) {
	t.Helper()
	if reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("cannot be %s: %v, %v", name, reply, err)
	}
}

// drop takes it away.
func drop(t testing.TB, conn *dbus.Conn, name string) {
	t.Helper()
	if _, err := conn.ReleaseName(name); err != nil {
		t.Fatal(err)
	}
}

func emit(t testing.TB, conn *dbus.Conn, path dbus.ObjectPath, name string, values ...any) {
	t.Helper()
	if err := conn.Emit(path, name, values...); err != nil {
		t.Fatal(err)
	}
}

// core plays the agent.
type core struct {
	events  chan api.Event
	forgets chan string
	recalls chan struct{}

	mu      sync.Mutex
	touches []agent.Touch
	keys    map[string]api.Key
}

func newCore() *core {
	return &core{events: make(chan api.Event), forgets: make(chan string, 10000), recalls: make(chan struct{}, 1), keys: map[string]api.Key{}}
}

func (c *core) Events(ctx context.Context) <-chan api.Event {
	list := make(chan api.Event)
	go func() {
		defer close(list)
		for {
			select {
			case e := <-c.events:
				select {
				case list <- e:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return list
}

func (c *core) Touches() []agent.Touch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.touches
}

func (c *core) Key(id string) (api.Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[id]
	if !ok {
		return k, &api.Error{Code: api.CodeNotFound}
	}
	return k, nil
}

func (c *core) Recall(context.Context) { poke(c.recalls) }
func (c *core) Forget()                { c.forgets <- "forget" }
func (c *core) Awake(context.Context)  { c.forgets <- "awake" }

// touch has these keys wait for a finger from now on.
func (c *core) touch(list ...agent.Touch) {
	c.mu.Lock()
	c.touches = list
	c.mu.Unlock()
	c.events <- api.Event{Kind: api.EventTouchWanted}
}

func (c *core) setKey(k api.Key, kind api.EventKind) {
	c.mu.Lock()
	c.keys[k.ID] = k
	c.mu.Unlock()
	c.events <- api.Event{Kind: kind, Key: k.ID, KeyLabel: k.Label}
}

// await wants something to be done to the codes in memory.
func (c *core) await(t testing.TB, what string) {
	t.Helper()
	select {
	case got := <-c.forgets:
		if got != what {
			t.Fatalf("%s, not %s", got, what)
		}
	case <-time.After(patience):
		t.Fatalf("no %s", what)
	}
}

// quiet wants nothing to have been done to them.
func (c *core) quiet(t testing.TB) {
	t.Helper()
	select {
	case got := <-c.forgets:
		t.Errorf("%s, for nothing", got)
	default:
	}
}

// run has a desktop deal with the buses until the test ends.
func run(t testing.TB, o Options, c *core) *Desktop {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	d := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Run(ctx, c)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("it does not end")
		}
	})
	return d
}

// until looks again and again, each time something has been sent through the bus, whether it has come true.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !reached(); {
		if time.Now().After(late) {
			t.Fatalf("not reached: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// notification is what a server was asked to show.
type notification struct {
	ID, Replaces uint32
	Title, Body  string
	Actions      []string
	Hints        map[string]dbus.Variant
	Expire       int32
	Closed       bool
}

// server plays a notification server.
type server struct {
	conn         *dbus.Conn
	capabilities []string
	asked        chan notification
	// hangs, until it is closed, has no call answered.
	hangs chan struct{}
	// mute has it not say what it can do.
	mute atomic.Bool

	mu    sync.Mutex
	last  uint32
	shown map[uint32]notification
}

func startServer(b *testBus, capabilities ...string) *server {
	s := &server{conn: b.dial(), capabilities: capabilities, asked: make(chan notification, 10000), hangs: make(chan struct{}), shown: map[uint32]notification{}}
	close(s.hangs)
	if err := s.conn.Export(s, notifyPath, notifyName); err != nil {
		b.t.Fatal(err)
	}
	own(b.t, s.conn, notifyName)
	return s
}

// GetCapabilities, Notify and CloseNotification are the specification's.
func (s *server) GetCapabilities() ([]string, *dbus.Error) {
	if s.mute.Load() {
		return nil, dbus.NewError("org.freedesktop.DBus.Error.NoReply", []any{"not now"})
	}
	return s.capabilities, nil
}

func (s *server) Notify(_ string, replaces uint32, _, title, body string, actions []string, hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
	s.mu.Lock()
	hangs := s.hangs
	n := notification{replaces, replaces, title, body, actions, hints, expire, false}
	if _, there := s.shown[replaces]; !there {
		s.last++
		n.ID = s.last
	}
	s.shown[n.ID] = n
	s.mu.Unlock()
	s.asked <- n
	<-hangs
	return n.ID, nil
}

func (s *server) CloseNotification(id uint32) *dbus.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.shown[id]
	delete(s.shown, id)
	n.Closed = true
	s.asked <- n
	return nil
}

func (s *server) hang() (goOn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hangs := make(chan struct{})
	s.hangs = hangs
	return func() { close(hangs) }
}

// next is what the server is asked for next.
func (s *server) next(t testing.TB) notification {
	t.Helper()
	select {
	case n := <-s.asked:
		return n
	case <-time.After(patience):
		t.Fatal("nobody asks for a notification")
		panic("unreachable")
	}
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shown)
}

// wantNotice checks title and body, and that it has no markup of strangers.
func wantNotice(t testing.TB, n notification, title string, texts ...string) {
	t.Helper()
	if n.Closed || n.Title != title {
		t.Errorf("got %+v, want %q", n, title)
	}
	for _, text := range texts {
		if !strings.Contains(n.Body, text) {
			t.Errorf("%q says %q, not %q", n.Title, n.Body, text)
		}
	}
}

func label(i int) string { return fmt.Sprint("key ", i) }
