package bus

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// expected computes what the account of add must answer at a time, with nothing but package oath.
func expected(issuer, name string, at time.Time) string {
	a := oath.Account{Issuer: issuer, Name: name, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
	seed := seedOf(issuer, name)
	defer seed.Wipe()
	return a.Code(oath.Truncate(oath.HMAC(a.Algorithm, seed.Bytes(), oath.Challenge(oath.Step(at, 30)))))
}

func TestGetCode(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	r, _, c := onBus(t, key)
	path := api.BusAccountPath(r.add(api.NewAccount{Issuer: "GitHub", Name: "me"}).ID)
	k, err := r.Key("key1")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"none":              nil,
		"key by id":         {"key": dbus.MakeVariant(k.ID)},
		"key by label":      {"key": dbus.MakeVariant("key1")},
		"key by serial":     {"key": dbus.MakeVariant("1000001")},
		"key by path":       {"key": dbus.MakeVariant(dbus.ObjectPath(api.BusKeyPath(k.ID)))},
		"a minimal byte":    {"min_validity": dbus.MakeVariant(byte(5))},
		"a minimal int16":   {"min_validity": dbus.MakeVariant(int16(5))},
		"a minimal uint16":  {"min_validity": dbus.MakeVariant(uint16(5))},
		"a minimal int32":   {"min_validity": dbus.MakeVariant(int32(5))},
		"a minimal uint32":  {"min_validity": dbus.MakeVariant(uint32(5))},
		"a minimal int64":   {"min_validity": dbus.MakeVariant(int64(5))},
		"a minimal uint64":  {"min_validity": dbus.MakeVariant(uint64(5))},
		"nothing in effect": {"fresh": dbus.MakeVariant(false), "pair": dbus.MakeVariant(false), "min_validity": dbus.MakeVariant(0)},
	} {
		code, details, err := c.code(path, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		from, _ := details["valid_from"].Value().(uint64)
		if want := expected("GitHub", "me", time.Unix(int64(from), 0)); code != want || from%30 != 0 {
			t.Errorf("%s: got %s of %d, want %s", name, code, from, want)
		}
		if details["valid_until"].Value() != from+30 || details["proved"].Value() != true || details["key"].Value() != dbus.ObjectPath(api.BusKeyPath(k.ID)) || len(details) != 4 {
			t.Errorf("%s: got %v", name, details)
		}
	}
}

func TestGetCodePair(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	path := api.BusAccountPath(r.add(api.NewAccount{Issuer: "AWS", Name: "root"}).ID)
	code, details, err := c.code(path, options{"pair": dbus.MakeVariant(true)})
	if err != nil {
		t.Fatal(err)
	}
	from, _ := details["valid_from"].Value().(uint64)
	first, second := time.Unix(int64(from), 0), time.Unix(int64(from)+30, 0)
	if code != expected("AWS", "root", first) || details["next"].Value() != expected("AWS", "root", second) {
		t.Errorf("got %s, %v", code, details)
	}
}

func TestGetCodeHOTP(t *testing.T) {
	r, _, c := onBus(t, newKey(t, softkey.Options{Serial: 1000001}))
	path := api.BusAccountPath(r.add(api.NewAccount{Name: "counter", Type: "hotp", Algorithm: "SHA1", Digits: 6}).ID)
	first, details, err := c.code(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, timed := details["valid_until"]; timed || details["proved"].Value() != false {
		t.Errorf("got %v", details)
	}
	if second, _, err := c.code(path, nil); err != nil || second == first {
		t.Errorf("after %s came %s, %v", first, second, err)
	}
}

func TestGetCodeRefuses(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	r, _, c := onBus(t, key)
	path := api.BusAccountPath(r.add(api.NewAccount{Issuer: "GitHub", Name: "me"}).ID)
	bad := api.BusError(api.CodeBadRequest)
	for name, test := range map[string]struct {
		o     options
		error string
		texts []string
	}{
		"an unknown option": {options{"min_validty": dbus.MakeVariant(5)}, bad, []string{`"min_validty" (did you mean min_validity?)`, "fresh, key, min_validity, pair"}},
		"a wrong type":      {options{"fresh": dbus.MakeVariant("yes")}, bad, []string{"option fresh", `"s"`}},
		"a number too big":  {options{"min_validity": dbus.MakeVariant(uint64(1) << 63)}, bad, []string{"min_validity"}},
		"too long a life":   {options{"min_validity": dbus.MakeVariant(31)}, bad, []string{"31 s"}},
		"a negative life":   {options{"min_validity": dbus.MakeVariant(-1)}, bad, nil},
		"a strange integer": {options{"min_validity": dbus.MakeVariant(5.0)}, bad, []string{`"d"`}},
		"a strange key":     {options{"key": dbus.MakeVariant(1000001)}, bad, []string{"option key", `"i"`}},
		"an empty key":      {options{"key": dbus.MakeVariant("")}, bad, []string{"option key"}},
		"a strange path":    {options{"key": dbus.MakeVariant(dbus.ObjectPath("/"))}, bad, []string{"option key"}},
		"no such key":       {options{"key": dbus.MakeVariant("blue")}, api.BusError(api.CodeNotFound), []string{`"blue"`, "key1", "oathctl keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, err := c.code(path, test.o)
			wantError(t, err, test.error, test.texts...)
			if code != "" {
				t.Errorf("and got the code %s", code)
			}
		})
	}
	r.bay.Remove(key)
	r.await(api.EventKeyOut)
	_, _, err := c.code(path, nil)
	wantError(t, err, api.BusError(api.CodeKeyAbsent), "GitHub:me is on key1", "\nplug the key in")
}

// TestSharedTouch has two programs ask for the same code: both are named, and one touch answers both.
func TestSharedTouch(t *testing.T) {
	key, person := touchKey(t)
	r, b, first := onBus(t, key)
	path := api.BusAccountPath(r.touchAccount(person).ID)
	second := b.dial(t)
	type answer struct {
		code string
		err  error
	}
	answers := make(chan answer, 2)
	ask := func(c *client) {
		code, _, err := c.code(path, nil)
		answers <- answer{code, err}
	}
	go ask(first)
	wanted := first.await("TouchWanted", waits(1))
	go ask(second)
	first.await("TouchWanted", waits(2))
	if details := wanted.Body[3].(options); wanted.Body[1] != dbus.ObjectPath(path) || details["label"].Value() != "Bank:touch" || details["key_label"].Value() != "key1" {
		t.Errorf("the signal says %v", wanted.Body)
	}
	eventually(t, "the key to blink", key.Blinking)
	key.Touch()
	one, other := <-answers, <-answers
	if one.err != nil || one != other || one.code == "" {
		t.Errorf("got %v and %v", one, other)
	}
	first.await("TouchDone", nil)
}

// waits says whether a TouchWanted names n programs, none of which is the one that added the account.
func waits(n int) func(*dbus.Signal) bool {
	return func(s *dbus.Signal) bool {
		waiting, _ := s.Body[2].([]string)
		return len(waiting) == n && !slices.Contains(waiting, tester.String())
	}
}

// person is somebody who touches a key that blinks: at once, or when told to.
type person struct{ away atomic.Bool }

// touchKey is a key that such a person has at hand.
func touchKey(t testing.TB) (*softkey.Key, *person) {
	p := &person{}
	return newKey(t, softkey.Options{Serial: 1000001, Touch: softkey.TouchManual, OnBlink: func(k *softkey.Key, blinking bool) {
		if blinking && !p.away.Load() {
			k.Touch()
		}
	}}), p
}

// touchAccount adds an account that needs a touch; then the person goes away.
func (r *rig) touchAccount(p *person) api.Account {
	r.t.Helper()
	defer p.away.Store(true)
	return r.add(api.NewAccount{Issuer: "Bank", Name: "touch", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, Touch: true})
}

// TestCallerLeaves has a program leave that waits for a touch: nobody waits any longer.
func TestCallerLeaves(t *testing.T) {
	key, person := touchKey(t)
	defer key.Touch() // so that the agent need not wait for it
	r, b, watcher := onBus(t, key)
	path := api.BusAccountPath(r.touchAccount(person).ID)
	leaver := b.dial(t)
	leaver.Object(api.BusName, dbus.ObjectPath(path)).Go(api.BusAccount+".GetCode", 0, nil, options{})
	watcher.await("TouchWanted", waits(1))
	if k, err := r.Key("key1"); err != nil || len(k.Waiting) != 1 {
		t.Fatalf("waiting: %v, %v", k.Waiting, err)
	}
	_ = leaver.Close()
	eventually(t, "the waiting to end", func() bool {
		k, err := r.Key("key1")
		return err == nil && len(k.Waiting) == 0
	})
}

// eventually waits for what no event tells of.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !is(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestNoCodeIsTold watches everything that goes over the bus while codes are given: each is in one reply, to the
// one who asked, and nowhere else.
func TestNoCodeIsTold(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	r, b, c := onBus(t, key)
	monitor := b.monitor(t)
	account := r.add(api.NewAccount{Issuer: "GitHub", Name: "me", Type: "totp", Algorithm: "SHA1", Digits: 8, Period: 30})
	path := api.BusAccountPath(account.ID)
	var codes []string
	for _, o := range []options{nil, nil, {"pair": dbus.MakeVariant(true)}, {"key": dbus.MakeVariant("key1")}} {
		code, _, err := c.code(path, o)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
	}
	for _, method := range []string{api.BusManager + ".Refresh", objectManagerName + ".GetManagedObjects"} {
		if err := c.call(api.BusPath, method).Err; err != nil {
			t.Fatal(err)
		}
	}
	r.bay.Remove(key)
	replies, signals := 0, 0
	for last := false; !last; {
		m := <-monitor
		for _, code := range slices.Compact(slices.Clone(codes)) {
			if !strings.Contains(fmt.Sprint(m.Body), code) {
				continue
			}
			replies++
			if m.Type != dbus.TypeMethodReply || m.Headers[dbus.FieldDestination].Value() != c.Names()[0] {
				t.Errorf("the code %s is in %v", code, m)
			}
		}
		if m.Type == dbus.TypeSignal {
			signals++
			last = m.Headers[dbus.FieldMember].Value() == "KeyOut"
		}
	}
	if replies < len(codes) || signals < 3 {
		t.Errorf("the monitor saw %d codes and %d signals", replies, signals)
	}
}

// monitor connects a client that sees every message on the bus.
func (b *privateBus) monitor(t *testing.T) <-chan *dbus.Message {
	t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	seen := make(chan *dbus.Message, 10000)
	if err := conn.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{}, uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	conn.Eavesdrop(seen)
	return seen
}
