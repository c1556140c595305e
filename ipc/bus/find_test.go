package bus

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

const (
	shellName  = "org.gnome.Shell.SearchProvider2"
	runnerName = "org.kde.krunner1"
)

// screen is a desktop that takes note.
type screen struct {
	locked atomic.Bool
	// fault is what the clipboard answers.
	fault  error
	copied chan copying
	told   chan telling
}

type copying struct {
	text  string
	until time.Time
}

type telling struct{ title, text string }

func newScreen() *screen {
	return &screen{copied: make(chan copying, 100), told: make(chan telling, 100)}
}

func (s *screen) Locked() bool { return s.locked.Load() }

func (s *screen) Copy(_ context.Context, text string, until time.Time) error {
	s.copied <- copying{text, until}
	return s.fault
}

func (s *screen) Tell(title, text string) { s.told <- telling{title, text} }

// next returns what is the next in a channel.
func next[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// quiet wants nothing to have been copied or told.
func (s *screen) quiet(t testing.TB) {
	t.Helper()
	if len(s.copied)+len(s.told) > 0 {
		t.Errorf("%d texts were copied, %d told", len(s.copied), len(s.told))
	}
}

// desk is a client on a bus with a screen.
type desk struct {
	*rig
	*client
	screen *screen
	bus    *privateBus
}

func newDesk(t testing.TB, s Search, keys ...*softkey.Key) desk {
	t.Helper()
	view := newScreen()
	s.Desktop = view
	r, b, c := searchable(t, s, keys...)
	return desk{r, c, view, b}
}

// types asks as GNOME's shell does, and returns the results.
func (c *client) types(terms ...string) (results []string) {
	c.t.Helper()
	if err := c.call(api.BusSearch, shellName+".GetInitialResultSet", terms).Store(&results); err != nil {
		c.t.Fatal(err)
	}
	return results
}

func (c *client) metas(results ...string) (metas []options) {
	c.t.Helper()
	if err := c.call(api.BusSearch, shellName+".GetResultMetas", results).Store(&metas); err != nil {
		c.t.Fatal(err)
	}
	return metas
}

func (c *client) activate(result string) error {
	return c.call(api.BusSearch, shellName+".ActivateResult", result, []string{"git"}, uint32(0)).Err
}

// matches asks as KRunner does.
func (c *client) matches(query string) (matches []runnerMatch) {
	c.t.Helper()
	if err := c.call(api.BusRunner, runnerName+".Match", query).Store(&matches); err != nil {
		c.t.Fatal(err)
	}
	return matches
}

// one wants one result, which is of the account.
func (c *client) one(account api.Account, terms ...string) string {
	c.t.Helper()
	var results []string
	eventually(c.t, "an account that was just added", func() bool {
		results = c.types(terms...)
		return len(results) > 0
	})
	if len(results) != 1 || !strings.HasPrefix(results[0], account.ID+"@") {
		c.t.Fatalf("%q finds %q, want %s", terms, results, account.ID)
	}
	return results[0]
}

// copiedCode wants the code of add's account to be copied for as long as it lives.
func (d desk) copiedCode(issuer, name string) {
	d.rig.t.Helper()
	got := next(d.rig.t, d.screen.copied)
	left := time.Until(got.until)
	if want := expected(issuer, name, got.until.Add(-30*time.Second)); got.text != want || left > (30+minLife)*time.Second || left < (minLife-2)*time.Second {
		d.rig.t.Errorf("copied %s until %v, want %s", got.text, got.until, want)
	}
}

// TestSearchInterfaces holds both interfaces against the desktops' own.
func TestSearchInterfaces(t *testing.T) {
	d := newDesk(t, Search{})
	for path, name := range map[string]string{api.BusSearch: shellName, api.BusRunner: runnerName} {
		text, err := os.ReadFile("testdata/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		var theirs introspect.Node
		if err := xml.Unmarshal(text, &theirs); err != nil {
			t.Fatal(err)
		}
		ours := d.introspect(path)
		if got, want := normal(ours.Interfaces[0]), normal(theirs.Interfaces[0]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is served as\n%+v\nand known to its desktop as\n%+v", name, got, want)
		}
	}
	node := d.introspect(api.BusPath)
	for _, want := range []string{"SearchProvider", "Runner"} {
		if !slices.ContainsFunc(node.Children, func(n introspect.Node) bool { return n.Name == want }) {
			t.Errorf("introspection does not lead to %s", want)
		}
	}
}

// TestGDBusSearches has GNOME's own tool describe both objects and call every method that answers.
func TestGDBusSearches(t *testing.T) {
	gdbus := need.Program(t, "gdbus", "libglib2.0-bin")
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	result := d.one(d.add(api.NewAccount{Issuer: "GitHub", Name: "me"}), "git")
	on := func(verb, path string, args ...string) []string {
		return append([]string{verb, "--session", "--dest", api.BusName, "--object-path", path}, args...)
	}
	d.bus.wantOutput(t, []string{
		"GetInitialResultSet(in  as terms,\n                          out as results);",
		"GetSubsearchResultSet(in  as previous_results,\n                            in  as terms,\n                            out as results);",
		"GetResultMetas(in  as identifiers,\n                     out aa{sv} metas);",
		"ActivateResult(in  s identifier,\n                     in  as terms,\n                     in  u timestamp);",
		"LaunchSearch(in  as terms,\n                   in  u timestamp);",
	}, gdbus, on("introspect", api.BusSearch)...)
	d.bus.wantOutput(t, []string{"Teardown();", "Config(out a{sv} config);", "Actions(out a(sss) matches);", "Match(in  s query,\n            out a(sssida{sv}) matches);"},
		gdbus, on("introspect", api.BusRunner)...)
	for _, try := range []struct {
		path string
		args []string
		want string
	}{
		{api.BusSearch, []string{shellName + ".GetInitialResultSet", "['git']"}, "(['" + result[:10] + "@"},
		{api.BusSearch, []string{shellName + ".GetSubsearchResultSet", "['x@1']", "['git', 'me']"}, "(['" + result[:10] + "@"},
		{api.BusSearch, []string{shellName + ".GetResultMetas", "['" + result + "']"}, "'name': <'GitHub:me'>"},
		{api.BusSearch, []string{shellName + ".LaunchSearch", "['git']", "0"}, "()"},
		{api.BusRunner, []string{runnerName + ".Match", "git"}, "'GitHub:me', 'dialog-password', 50, 0.9"},
		{api.BusRunner, []string{runnerName + ".Actions"}, "(@a(sss) [],)"},
		{api.BusRunner, []string{runnerName + ".Config"}, "'MinLetterCount': <3>"},
		{api.BusRunner, []string{runnerName + ".SetActivationToken", "kwin"}, "()"},
		{api.BusRunner, []string{runnerName + ".Teardown"}, "()"},
	} {
		d.bus.wantOutput(t, []string{try.want}, gdbus, on("call", try.path, append([]string{"--method"}, try.args...)...)...)
	}
}

// TestNoSearch has a daemon whose search is off: there is nothing to call.
func TestNoSearch(t *testing.T) {
	_, _, c := onBus(t)
	for path, method := range map[string]string{api.BusSearch: shellName + ".LaunchSearch", api.BusRunner: runnerName + ".Teardown"} {
		wantError(t, c.call(path, method).Err, "org.freedesktop.DBus.Error.UnknownObject", path)
	}
	if children := c.introspect(api.BusPath).Children; len(children) != 2 {
		t.Errorf("introspection shows %v", children)
	}
}

// lifetime is what is said of a code's time: shortly before a step ends the code of the next one is given.
var lifetime = regexp.MustCompile(`^Valid (in [1-5] s, )?for ([1-9]|[12][0-9]|30) s\.$`)

// TestActivate activates results of both desktops: each gives its account's code once, and to the one who found it.
func TestActivate(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	d.add(api.NewAccount{Issuer: "Bank", Name: "me"})
	stranger := d.bus.dial(t)
	for name, try := range map[string]struct {
		find func() string
		run  func(c *client, result string) error
	}{
		"shell": {func() string { return d.one(account, "git") }, (*client).activate},
		"krunner": {func() string { return d.matches("git")[0].ID }, func(c *client, result string) error {
			return c.call(api.BusRunner, runnerName+".Run", result, "").Err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			result := try.find()
			wantError(t, try.run(stranger, result), api.BusError(api.CodeNotFound), "was not found, or was used already", "\nsearch again")
			if told := next(t, d.screen.told); told.title != "No code of GitHub:me" || !strings.Contains(told.text, "search again") {
				t.Errorf("the person is told %q", told)
			}
			if err := try.run(d.client, result); err != nil {
				t.Fatal(err)
			}
			d.copiedCode("GitHub", "me")
			if told := next(t, d.screen.told); told.title != "Copied: GitHub:me" || !lifetime.MatchString(told.text) {
				t.Errorf("the person is told %q", told)
			}
			wantError(t, try.run(d.client, result), api.BusError(api.CodeNotFound), "used already")
			next(t, d.screen.told)
			d.screen.quiet(t)
		})
	}
}

// TestActivateCounted has a code that lives until it is used.
func TestActivateCounted(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Name: "counter", Type: "hotp", Algorithm: "SHA1", Digits: 6})
	if err := d.activate(d.one(account, "counter")); err != nil {
		t.Fatal(err)
	}
	got := next(t, d.screen.copied)
	if want := counted("", "counter", 0); got.text != want || time.Until(got.until) > countedLife || time.Until(got.until) < countedLife/2 {
		t.Errorf("copied %s until %v, want %s", got.text, got.until, want)
	}
}

// TestActivateTouch has the one who searched wait for a touch, by name.
func TestActivateTouch(t *testing.T) {
	key, person := touchKey(t)
	d := newDesk(t, Search{ShowCodes: true}, key)
	account := d.touchAccount(person)
	result := d.one(account, "bank")
	if about := d.metas(result)[0]; about["description"].Value() != "touch key1" {
		t.Errorf("it is described as %v", about)
	}
	done := d.Object(api.BusName, api.BusSearch).Go(shellName+".ActivateResult", 0, nil, result, []string{"bank"}, uint32(0))
	d.client.await("TouchWanted", waits(1))
	eventually(t, "the key to blink", key.Blinking)
	d.screen.quiet(t)
	key.Touch()
	if call := next(t, done.Done); call.Err != nil {
		t.Fatal(call.Err)
	}
	d.copiedCode("Bank", "touch")
	if about := d.metas(d.one(account, "bank"))[0]; about["description"].Value() != "touch key1" {
		t.Errorf("a code that took a touch is shown: %v", about)
	}
}

// TestActivateFails has the person told what the caller is told, and what to do.
func TestActivateFails(t *testing.T) {
	key := newKey(t, softkey.Options{Serial: 1000001})
	d := newDesk(t, Search{}, key)
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	fails := func(code api.ErrorCode, title string, texts ...string) {
		t.Helper()
		wantError(t, d.activate(d.one(account, "git")), api.BusError(code), texts...)
		told := next(t, d.screen.told)
		for _, want := range texts {
			if told.title != title || !strings.Contains(told.text, want) {
				t.Errorf("the person is told %q, want %q, %q", told, title, want)
			}
		}
	}
	d.screen.fault = &api.Error{Code: api.CodeInternal, Message: "cannot copy: scissors", Hint: "install some"}
	fails(api.CodeInternal, "No code of GitHub:me", "cannot copy: scissors", "\ninstall some")
	d.bay.Remove(key)
	d.client.await("KeyOut", nil)
	fails(api.CodeKeyAbsent, "No code of GitHub:me", "GitHub:me is on key1", "\nplug the key in")
	wantError(t, d.activate("x"), api.BusError(api.CodeNotFound))
	if told := next(t, d.screen.told); told.title != "No code" {
		t.Errorf("the person is told %q", told)
	}
}

// TestActivateTooFast has a program activate faster than people do: it is refused, and nobody is told.
func TestActivateTooFast(t *testing.T) {
	d := newDesk(t, Search{}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	result := d.one(account, "git")
	const times = 9 * bucketSize
	began := time.Now()
	calls := make(chan *dbus.Call, times)
	for range times {
		d.Object(api.BusName, api.BusSearch).Go(shellName+".ActivateResult", 0, calls, result, []string{}, uint32(0))
	}
	outcomes := map[string]int{}
	for range times {
		outcome := "code"
		if e, failed := next(t, calls).Err.(dbus.Error); failed {
			outcome = e.Name
		}
		outcomes[outcome]++
	}
	told := bucketSize + 1 + int(bucketRate*time.Since(began).Seconds())
	if outcomes["code"] != 1 || len(d.screen.copied) != 1 || len(d.screen.told) > told || outcomes[api.BusError(api.CodeBusy)] < times-told {
		t.Errorf("%v, and %d texts are told", outcomes, len(d.screen.told))
	}
}

// TestLocked has nothing found, described or given while nobody sits at the screen.
func TestLocked(t *testing.T) {
	d := newDesk(t, Search{ShowCodes: true}, newKey(t, softkey.Options{Serial: 1000001}))
	account := d.add(api.NewAccount{Issuer: "GitHub", Name: "me"})
	result := d.one(account, "git")
	d.screen.locked.Store(true)
	if results, matches, metas := d.types("git"), d.matches("git"), d.metas(result); len(results)+len(matches)+len(metas) > 0 {
		t.Errorf("it finds %q, %v, and tells %v", results, matches, metas)
	}
	wantError(t, d.activate(result), api.BusError(api.CodeForbidden), "the session is locked")
	if len(d.screen.copied) > 0 {
		t.Error("a code was copied")
	}
	d.screen.locked.Store(false)
	if err := d.activate(result); err != nil {
		t.Errorf("what was found before: %v", err)
	}
}

// TestOffers has what a caller was shown end, in time and in number.
func TestOffers(t *testing.T) {
	var o offers
	now := time.Now()
	for i := range 10 * maxOffers {
		o.add([]found{{result: fmt.Sprint(i % (2 * maxOffers))}}, now)
	}
	if len(o.list) != maxOffers {
		t.Errorf("%d are kept", len(o.list))
	}
	last := fmt.Sprint(2*maxOffers - 1)
	o.add([]found{{result: last}, {result: last}}, now)
	if len(o.list) != maxOffers {
		t.Errorf("%d are kept", len(o.list))
	}
	if o.take(last, now.Add(offerLife)) {
		t.Error("one that is too old is taken")
	}
	if !o.take(last, now) || o.take(last, now) {
		t.Error("it is not taken once")
	}
}

// TestBucket has what was spent come back with time, and no more than that.
func TestBucket(t *testing.T) {
	var b bucket
	now := time.Now()
	spend := func() (n int) {
		for b.take(now) {
			n++
		}
		return n
	}
	first := spend()
	now = now.Add(time.Second)
	second := spend()
	now = now.Add(time.Hour)
	if third := spend(); first != bucketSize || second != bucketRate || third != bucketSize {
		t.Errorf("at once %d, a second later %d, an hour later %d", first, second, third)
	}
	now = now.Add(-time.Hour) // a clock that is set back
	if n := spend(); n != 0 {
		t.Errorf("an hour earlier %d", n)
	}
}

// TestResultNames has a result called otherwise in each step, for desktops keep what they were told of one.
func TestResultNames(t *testing.T) {
	at := time.Unix(3600, 0)
	for period, want := range map[int]string{30: "a@120", 60: "a@60", 0: "a@120", -1: "a@120"} {
		if got := resultOf(api.Account{ID: "a", Period: period}, at); got != want {
			t.Errorf("with a period of %d: %s, want %s", period, got, want)
		}
	}
	if a, b := resultOf(api.Account{ID: "a", Period: 30}, at), resultOf(api.Account{ID: "a", Period: 30}, at.Add(30*time.Second)); a == b {
		t.Errorf("two steps are called %s", a)
	}
}

// of is a value as a dictionary holds it.
func of(v any) dbus.Variant { return dbus.MakeVariant(v) }
