package desktop

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/oath"
)

// gnome is GNOME's keyring, unlocked, with a home of its own.
type gnome struct {
	t    testing.TB
	conn *dbus.Conn
	env  []string
}

const keyringPassword = "the keyring's password"

func startGnome(t testing.TB, b *testBus) *gnome {
	t.Helper()
	daemon := need.Program(t, "gnome-keyring-daemon", "gnome-keyring")
	need.Program(t, "secret-tool", "libsecret-tools")
	g := &gnome{t: t, conn: b.dial(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "XDG_DATA_HOME=" + b.dir, "XDG_RUNTIME_DIR=" + b.dir, "DBUS_SESSION_BUS_ADDRESS=" + b.address}}
	owned := make(chan *dbus.Signal, 10)
	g.conn.Signal(owned)
	defer g.conn.RemoveSignal(owned)
	if err := g.conn.AddMatchSignal(dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretsName)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--foreground", "--unlock", "--components=secrets", "--control-directory="+b.dir)
	cmd.Env, cmd.Stdin = g.env, strings.NewReader(keyringPassword)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for late := time.After(patience); ; {
		select {
		case s := <-owned:
			if len(s.Body) > 2 && s.Body[0] == secretsName && s.Body[2] != "" {
				return g
			}
		case <-late:
			t.Fatal("gnome-keyring-daemon is not on the bus")
		}
	}
}

// tool runs secret-tool, libsecret's own client.
func (g *gnome) tool(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("secret-tool", args...)
	cmd.Env, cmd.Stdin = g.env, strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil && (args[0] != "lookup" || len(out) > 0) {
		g.t.Fatalf("secret-tool %q: %v: %s", args, err, out)
	}
	return string(out)
}

const loginCollection = dbus.ObjectPath(secretsPath + "/collection/login")

// lock and unlock are what the desktop does; for the latter, GNOME's keyring has an interface of its own.
func (g *gnome) lock() {
	g.t.Helper()
	if call := g.conn.Object(secretsName, secretsPath).Call(secretService+".Lock", 0, []dbus.ObjectPath{loginCollection}); call.Err != nil {
		g.t.Fatal(call.Err)
	}
}

func (g *gnome) unlock() {
	g.t.Helper()
	o := g.conn.Object(secretsName, secretsPath)
	var output dbus.Variant
	var session dbus.ObjectPath
	err := o.Call(secretService+".OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&output, &session)
	if err == nil {
		err = o.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0, loginCollection,
			secret{session, []byte{}, []byte(keyringPassword), "text/plain"}).Err
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// onSession starts a desktop on a session bus with GNOME's keyring.
func onSession(t *testing.T, o Options) (*gnome, *Desktop, *core, *testBus) {
	b, c := startBus(t), newCore()
	g := startGnome(t, b)
	o.Session = b.address
	d := run(t, o, c)
	c.recall(t)
	return g, d, c, b
}

// recall wants the keyring to be asked anew for the keys that are locked.
func (c *core) recall(t testing.TB) {
	t.Helper()
	select {
	case <-c.recalls:
	case <-time.After(patience):
		t.Fatal("nobody asks the keyring again")
	}
}

func derived(t testing.TB) *oath.Secret {
	s := oath.NewSecret(16)
	rand.Read(s.Bytes())
	t.Cleanup(s.Wipe)
	return s
}

// recalled is what the keyring has for a device, in words.
func recalled(t testing.TB, d *Desktop, device string) string {
	t.Helper()
	key, err := d.Recall(t.Context(), device)
	defer key.Wipe()
	switch {
	case err != nil:
		return err.Error()
	case key == nil:
		return "nothing"
	}
	return fmt.Sprintf("%x", key.Bytes())
}

// TestKeyring: what we keep is what libsecret's own program reads, and the other way round; what is dropped is gone.
func TestKeyring(t *testing.T) {
	g, d, _, _ := onSession(t, Options{})
	if got := recalled(t, d, "device"); got != "nothing" {
		t.Errorf("at first: %s", got)
	}
	for i := range 40 {
		key := derived(t)
		if err := d.Keep(t.Context(), "device", "blue\nkey", key); err != nil {
			t.Fatal(err)
		}
		if got := recalled(t, d, "device"); got != fmt.Sprintf("%x", key.Bytes()) {
			t.Fatalf("%d: %s, want %x", i, got, key.Bytes())
		}
		if i > 0 {
			continue
		}
		if got := g.tool("", "lookup", "application", "oathd", "device", "device"); got != string(key.Bytes()) {
			t.Errorf("secret-tool reads %x, not %x", got, key.Bytes())
		}
		if got := g.tool("", "search", "device", "device"); !strings.Contains(got, "label = OATH password of bluekey (oathd)") || strings.Contains(got, "[/2") {
			t.Errorf("secret-tool finds %q", got)
		}
	}
	if got := recalled(t, d, "other"); got != "nothing" {
		t.Errorf("another device: %s", got)
	}
	for range 2 {
		if err := d.Drop(t.Context(), "device"); err != nil {
			t.Error(err)
		}
		if got := recalled(t, d, "device"); got != "nothing" {
			t.Errorf("dropped: %s", got)
		}
	}
	if got := g.tool("", "lookup", "application", "oathd"); got != "" {
		t.Errorf("secret-tool still reads %x", got)
	}
	g.tool("sixteen bytes of", "store", "--label=theirs", "xdg:schema", "org.oathd.Oathd1.Password", "application", "oathd", "device", "device")
	if got := recalled(t, d, "device"); got != fmt.Sprintf("%x", "sixteen bytes of") {
		t.Errorf("of secret-tool's: %s", got)
	}
}

// TestLockedKeyring asks nobody anything for a look; once it is opened, locked keys are looked up again.
func TestLockedKeyring(t *testing.T) {
	g, d, c, _ := onSession(t, Options{})
	key := derived(t)
	if err := d.Keep(t.Context(), "device", "blue", key); err != nil {
		t.Fatal(err)
	}
	g.lock()
	c.recall(t)
	if got := recalled(t, d, "device"); got != errKeyringLocked.Error() {
		t.Errorf("locked: %s", got)
	}
	// Nobody is there to be asked: no prompter runs here.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := d.Keep(ctx, "device", "blue", key); err == nil || hw.Hint(err) == "" {
		t.Errorf("kept in a locked keyring: %v", err)
	}
	g.unlock()
	c.recall(t)
	if got := recalled(t, d, "device"); got != fmt.Sprintf("%x", key.Bytes()) {
		t.Errorf("unlocked: %s", got)
	}
}

// TestNoKeyring says what is missing.
func TestNoKeyring(t *testing.T) {
	b, c := startBus(t), newCore()
	d := run(t, Options{Session: b.address}, c)
	c.recall(t)
	for what, err := range map[string]error{"there is no keyring": d.Drop(t.Context(), "x"), "there is no session bus": run(t, Options{}, newCore()).Keep(t.Context(), "x", "y", derived(t))} {
		if err == nil || err.Error() != what || hw.Hint(err) == "" {
			t.Errorf("got %v, want %s", err, what)
		}
	}
	startFakeKeyring(t, b, nil)
	c.recall(t) // one has come
}

// fakeKeyring plays a secret service that hangs, or that asks the person.
type fakeKeyring struct {
	conn *dbus.Conn
	// answer is what the person says to a prompt: whether she dismisses it. nil: nothing answers at all.
	answer func() bool
}

func startFakeKeyring(t *testing.T, b *testBus, answer func() bool) *fakeKeyring {
	f := &fakeKeyring{conn: b.dial(), answer: answer}
	for path, name := range map[dbus.ObjectPath]string{secretsPath: secretService, "/prompt": secretPrompt, "/collection": secretCollection} {
		if err := f.conn.Export(f, path, name); err != nil {
			t.Fatal(err)
		}
	}
	own(t, f.conn, secretsName)
	return f
}

func (f *fakeKeyring) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	if f.answer == nil {
		select {} // for as long as the test runs
	}
	return dbus.MakeVariant(bytes.Repeat([]byte{7}, groupBytes)), "/session", nil
}

func (f *fakeKeyring) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return "/collection", nil }

func (f *fakeKeyring) Unlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return nil, "/prompt", nil
}

func (f *fakeKeyring) Prompt(string) *dbus.Error {
	go func() { _ = f.conn.Emit("/prompt", secretPrompt+".Completed", f.answer(), dbus.MakeVariant("")) }()
	return nil
}

func (f *fakeKeyring) Dismiss() *dbus.Error { return nil }

func (f *fakeKeyring) CreateItem(map[string]dbus.Variant, secret, bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return "/item", nowhere, nil
}

// TestKeyringHangs: who asks one that never answers gives up in time.
func TestKeyringHangs(t *testing.T) {
	b, c := startBus(t), newCore()
	startFakeKeyring(t, b, nil)
	d := run(t, Options{Session: b.address}, c)
	c.recall(t)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if key, err := d.Recall(ctx, "x"); key != nil || err == nil || err.Error() != "the keyring does not answer" || hw.Hint(err) == "" {
			t.Errorf("got %v, %v", key, err)
		}
		cancel()
	}
}

// TestPrompt waits for what the person says, and not longer than she may take.
func TestPrompt(t *testing.T) {
	for name, test := range map[string]struct {
		answer func() bool
		want   string
	}{
		"yes":   {func() bool { return false }, "<nil>"},
		"no":    {func() bool { return true }, "the keyring is locked"},
		"never": {func() bool { select {} }, "the keyring does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := startBus(t), newCore()
			startFakeKeyring(t, b, test.answer)
			d := run(t, Options{Session: b.address}, c)
			c.recall(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if name == "never" {
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
			}
			if err := d.Keep(ctx, "x", "y", derived(t)); fmt.Sprint(err) != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			d.keyring.mu.Lock()
			defer d.keyring.mu.Unlock()
			if n := len(d.keyring.prompts); n > 0 {
				t.Errorf("%d prompts are left", n)
			}
		})
	}
}

// TestBadExchange refuses halves that would give the key away, and secrets that are none.
func TestBadExchange(t *testing.T) {
	last := new(big.Int).Sub(prime, big.NewInt(1)).Bytes()
	for _, public := range [][]byte{nil, {0}, {1}, last, prime.Bytes(), append([]byte{1}, prime.Bytes()...)} {
		x, _ := newExchange()
		if key, err := x.agree(public); err == nil {
			t.Errorf("%x: agreed on %d bytes", public, key.Len())
		}
	}
	key, plain := derived(t), derived(t)
	vector, sealed, err := seal(key, plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unseal(key, vector, sealed); err != nil || !got.Equal(plain) {
		t.Errorf("%v", err)
	}
	for what, test := range map[string][2][]byte{
		"no vector": {nil, sealed}, "nothing": {vector, nil}, "half a block": {vector, sealed[:8]}, "too much": {vector, make([]byte, 2*maxSealed)},
	} {
		if got, err := unseal(key, test[0], test[1]); err == nil {
			t.Errorf("%s: %d bytes", what, got.Len())
		}
	}
}

// TestYkman reads what ykman 4 and 5 remember; the token of version 5 is made by Fernet's own authors' library.
func TestYkman(t *testing.T) {
	g, d, _, b := onSession(t, Options{Ykman: true})
	t.Setenv("HOME", b.dir)
	t.Setenv("XDG_DATA_HOME", b.dir)
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(b.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(device, want string) {
		t.Helper()
		if got := recalled(t, d, device); got != want {
			t.Errorf("%s: %s, want %s", device, got, want)
		}
	}
	want("four", "nothing")
	const four, five = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	write(".ykman/oath.json", `{"other": 1, "keys": {"four": "`+four+`", "short": "0011", "odd": "x0112233445566778899aabbccddeeff", "list": [1]}}`)
	want("four", four)
	want("five", "nothing")
	want("short", "what ykman remembers is 4 characters long")
	want("odd", "what ykman remembers is not in hexadecimal")
	want("list", "what ykman remembers is 3 characters long")
	python := exec.Command(need.Python(t, "cryptography", "python3-cryptography"), "-c", "from cryptography.fernet import Fernet\nimport json, sys\nk = Fernet.generate_key()\n"+
		"print(k.decode(), Fernet(k).encrypt(json.dumps('"+five+"').encode()).decode(), Fernet(Fernet.generate_key()).encrypt(b'x').decode())")
	out, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	made := strings.Fields(string(out))
	write("ykman/oath_keys.json", `{"five": "`+made[1]+`", "foreign": "`+made[2]+`", "cut": "`+made[1][:40]+`"}`)
	want("five", "nothing") // the keyring lacks the key
	g.tool(made[0], "store", "--label=ykman", "application", "Python keyring library", "service", "ykman", "username", "wrap_key")
	want("five", five)
	want("foreign", "what ykman remembers was encrypted with another key")
	want("cut", "what ykman remembers is no Fernet token")
	want("four", four)
	key := derived(t)
	if err := d.Keep(t.Context(), "four", "ours", key); err != nil {
		t.Fatal(err)
	}
	want("four", fmt.Sprintf("%x", key.Bytes()))
	d.ykman = false
	want("five", "nothing")
	// Version 4 needs no keyring.
	d = run(t, Options{Ykman: true}, newCore())
	want("four", four)
	want("five", "there is no session bus")
	want("six", "there is no session bus")
	write(".ykman/oath.json", "{{{")
	want("four", "there is no session bus")
}
