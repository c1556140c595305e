package bus

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// TestKeystrokes types very much: what is kept of it does not grow.
func TestKeystrokes(t *testing.T) {
	const keystrokes = 100_000
	accounts := objects{}
	for _, name := range []string{"GitHub", "GitLab", "Bank"} {
		accounts.add(api.BusAccountPath(name), object{value: api.Account{ID: name, Issuer: name, Available: true}})
	}
	s := &session{finder: finder{Search: Search{Desktop: newScreen()}}}
	s.world.Store(newWorld(nil, accounts))
	c := call{caller: &caller{}}
	before := heap()
	for i := range keystrokes {
		if found := s.results(c, []string{"githublab"[:3+i%6]})[0].([]string); len(found) > 2 {
			t.Fatalf("it finds %q", found)
		}
	}
	if after := heap(); after > before+1<<20 || len(c.offers.list) > maxOffers {
		t.Errorf("%d bytes were in use before, %d after; %d offers", before, after, len(c.offers.list))
	}
}

// heap returns how many bytes are in use that somebody refers to.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// typists are how many keystrokes of one program are under way at once.
const typists = 32

// keepTyping types into a desktop n times, as fast as answers come, and returns how many were not what is wanted.
func (c *client) keepTyping(path, method string, n int, argument any, wanted func([]any) bool) (wrong int) {
	calls := make(chan *dbus.Call, typists)
	sent := 0
	for ; sent < typists; sent++ {
		c.Object(api.BusName, dbus.ObjectPath(path)).Go(method, 0, calls, argument)
	}
	for range n {
		if call := <-calls; call.Err != nil || !wanted(call.Body) {
			wrong++
		}
		if sent < n {
			c.Object(api.BusName, dbus.ObjectPath(path)).Go(method, 0, calls, argument)
			sent++
		}
	}
	return wrong
}

// TestTwoDesktops has both interfaces searched at once, without a pause; a third program gets its codes meanwhile.
func TestTwoDesktops(t *testing.T) {
	const keystrokes = 500
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	wrong := make(chan int)
	shell, krunner := d.bus.dial(t), d.bus.dial(t)
	go func() {
		wrong <- shell.keepTyping(api.BusSearch, shellName+".GetInitialResultSet", keystrokes, []string{"git"}, func(body []any) bool {
			results := body[0].([]string)
			return len(results) == 1 && strings.HasPrefix(results[0], account.ID)
		})
	}()
	go func() {
		wrong <- krunner.keepTyping(api.BusRunner, runnerName+".Match", keystrokes, "git", func(body []any) bool { return len(body[0].([][]any)) == 1 })
	}()
	for ended := 0; ended < 2; {
		select {
		case n := <-wrong:
			ended++
			if n > 0 {
				t.Errorf("%d answers were wrong", n)
			}
		default:
			if _, _, err := d.code(api.BusAccountPath(account.ID), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDeafDesktop has a program type that never reads what it is answered: others are answered.
func TestDeafDesktop(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	deaf := d.bus.deaf(t)
	keystroke := message(t, api.BusName, api.BusSearch, shellName+".GetInitialResultSet", []string{"git"})
	for range 2000 {
		if _, err := deaf.Write(keystroke); err != nil {
			t.Fatal(err)
		}
	}
	d.one(account, "git")
	if _, _, err := d.code(api.BusAccountPath(account.ID), nil); err != nil {
		t.Error(err)
	}
}

// deaf connects a program to the bus that reads no message.
func (b *privateBus) deaf(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socketOf(b))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "\x00AUTH EXTERNAL %x\r\n", fmt.Sprint(os.Getuid())); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "OK ") {
		t.Fatalf("the bus says %q: %v", line, err)
	}
	const bus = "org.freedesktop.DBus"
	if _, err := conn.Write(append([]byte("BEGIN\r\n"), message(t, bus, "/org/freedesktop/DBus", bus+".Hello")...)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// message is a method call as it travels.
func message(t *testing.T, to, path, method string, body ...any) []byte {
	t.Helper()
	dot := strings.LastIndexByte(method, '.')
	m := dbus.Message{Type: dbus.TypeMethodCall, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: of(to), dbus.FieldPath: of(dbus.ObjectPath(path)), dbus.FieldInterface: of(method[:dot]), dbus.FieldMember: of(method[dot+1:]),
	}}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = of(dbus.SignatureOf(body...))
	}
	var out bytes.Buffer
	if err := m.EncodeTo(&out, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	const serial = 8 // where it stands; 0 is none
	out.Bytes()[serial] = 1
	return out.Bytes()
}

// TestStrangeWords types what nobody types.
func TestStrangeWords(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "Zoë İŞ", Name: "日本語"})
	for _, terms := range [][]string{
		nil, {}, {""}, {"   "}, {strings.Repeat("x", 100<<10)}, make([]string, 10000), {"\u202egit"}, {"%s%n"}, {"../.."}, {".*"}, {"\ufffd\ufffd\ufffd"}, {"👩‍👩‍👧‍👦"},
	} {
		if results := d.types(terms...); len(results) > 0 {
			t.Errorf("%.20q finds %q", terms, results)
		}
	}
	for _, word := range []string{"日本語", "ZOË", "zoë"} {
		d.one(account, word)
	}
	if matches := d.matches(strings.Repeat("zoë ", 20000)); len(matches) > 0 {
		t.Errorf("very many words match %v", matches)
	}
	for _, wrong := range []any{"git", []int32{1}, options{}, [][]string{{"git"}}} {
		wantError(t, d.call(api.BusSearch, shellName+".GetInitialResultSet", wrong).Err, "org.freedesktop.DBus.Error.InvalidArgs", `"as"`)
	}
	d.screen.quiet(t)
}
