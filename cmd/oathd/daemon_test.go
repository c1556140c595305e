package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// seedText is the seed of RFC 6238's vectors.
const seedText = "12345678901234567890"

var account = oath.Account{Issuer: "GitHub", Name: "me", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}

// house starts a daemon with two soft keys and returns a client once both are there.
func house(t *testing.T) *client.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "oathd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d, err := open(t.Context(), config.Config{
		Socket: filepath.Join(dir, "run", "oathd.sock"), CodesSocket: filepath.Join(dir, "run", "codes.sock"), Ledger: ledger.Memory,
		SoftKeys: 2, SoftPersonality: "yubikey-5.7", SoftTouch: "manual", StopTimeout: patience,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(d.run(ctx), d.close()) }()
	c := &client.Client{Socket: d.doors[0].listener.Addr().String()}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	until(t, c, func() bool { return len(present(t, c)) == 2 })
	return c
}

// until waits for something that an event follows.
func until(t *testing.T, c *client.Client, reached func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := c.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if reached() {
		return
	}
	for _, err := range events {
		if err != nil {
			t.Fatalf("not reached: %v", err)
		}
		if reached() {
			return
		}
	}
}

// present lists the keys that are plugged in.
func present(t *testing.T, c *client.Client) []api.Key {
	t.Helper()
	keys, err := c.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(keys, func(k api.Key) bool { return !k.Present })
}

// furnished adopts both keys as red and blue and writes the account to them.
func furnished(t *testing.T, touch bool) *client.Client {
	t.Helper()
	c := house(t)
	for serial, label := range map[string]string{"1000001": "red", "1000002": "blue"} {
		if _, err := c.Adopt(t.Context(), serial, api.AdoptRequest{Label: label}); err != nil {
			t.Fatal(err)
		}
	}
	if touch {
		defer fidget(t, c)()
	}
	var steps []api.StepKind
	report, err := c.Add(t.Context(), api.AddRequest{Accounts: []api.NewAccount{{
		Issuer: account.Issuer, Name: account.Name, Type: account.Type.String(), Algorithm: account.Algorithm.String(),
		Digits: account.Digits, Period: account.Period, Touch: touch,
	}}}, []*oath.Secret{oath.CopySecret([]byte(seedText))}, func(s api.Step) { steps = append(steps, s.Kind) })
	if err != nil {
		t.Fatal(err)
	}
	if !report.Complete || report.Accounts[0].Proved != 2 || !slices.Contains(steps, api.StepProved) {
		t.Fatalf("%+v after %v", report, steps)
	}
	return c
}

// want is the code that the seed yields in the step that a code names.
func want(code api.Code) string {
	mac := oath.HMAC(account.Algorithm, []byte(seedText), oath.Challenge(oath.Step(code.ValidFrom, account.Period)))
	return account.Code(oath.Truncate(mac))
}

func TestEitherKeyGivesTheCode(t *testing.T) {
	c := furnished(t, false)
	for pulled, other := range map[string]string{"1000001": "blue", "1000002": "red"} {
		if _, err := c.MoveSoft(t.Context(), pulled, api.SoftPull); err != nil {
			t.Fatal(err)
		}
		until(t, c, func() bool { return len(present(t, c)) == 1 })
		code, err := c.Code(t.Context(), api.CodeRequest{Account: "git", Key: other})
		if err != nil || code.Code != want(code) || code.KeyLabel != other || !code.Proved || !code.Soft {
			t.Errorf("without %s: %+v, %v", pulled, code, err)
		}
		if _, err := c.MoveSoft(t.Context(), pulled, api.SoftPlug); err != nil {
			t.Fatal(err)
		}
		until(t, c, func() bool { return len(present(t, c)) == 2 })
	}
}

func TestEveryQuestion(t *testing.T) {
	c, ctx := furnished(t, false), t.Context()
	if s, err := c.Status(ctx); err != nil || s.Keys != 2 || s.API != api.Version || s.PID != os.Getpid() {
		t.Errorf("status: %+v, %v", s, err)
	}
	if list, err := c.Accounts(ctx, "GITH"); err != nil || len(list) != 1 || len(list[0].Copies) != 2 {
		t.Errorf("accounts: %+v, %v", list, err)
	}
	if list, err := c.Accounts(ctx, "gitlab"); err != nil || len(list) != 0 {
		t.Errorf("other accounts: %+v, %v", list, err)
	}
	if a, err := c.Account(ctx, "GitHub:me"); err != nil || a.Proved != 2 {
		t.Errorf("account: %+v, %v", a, err)
	}
	if _, err := c.Account(ctx, "nothing"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("no account: %v", err)
	}
	if k, err := c.Key(ctx, "red"); err != nil || k.Serial != 1000001 {
		t.Errorf("key: %+v, %v", k, err)
	}
	if cover, err := c.Coverage(ctx); err != nil || len(cover.Rows) != 1 || len(cover.Keys) != 2 {
		t.Errorf("coverage: %+v, %v", cover, err)
	}
	if log, err := c.Audit(ctx); err != nil || !log.Intact || len(log.Entries) < 3 {
		t.Errorf("audit: %+v, %v", log, err)
	}
	if report, err := c.Verify(ctx, api.VerifyRequest{}, nil); err != nil || !report.Complete {
		t.Errorf("verify: %+v, %v", report, err)
	}
	if report, err := c.Resume(ctx, api.ResumeRequest{}, nil); err != nil || !report.Complete {
		t.Errorf("resume: %+v, %v", report, err)
	}
}

func TestEveryChange(t *testing.T) {
	c, ctx := furnished(t, false), t.Context()
	for what, set := range map[string]func(context.Context, string, string) (api.Key, error){
		"label": c.SetLabel, "site": c.SetSite, "holder": c.SetHolder,
	} {
		key, err := set(ctx, "1000002", "a "+what)
		if err != nil || !slices.Contains([]string{key.Label, key.Site, key.Holder}, "a "+what) {
			t.Errorf("%s: %+v, %v", what, key, err)
		}
	}
	if report, err := c.Rename(ctx, "GitHub:me", api.RenameRequest{Issuer: "GitHub", Name: "you"}); err != nil || !report.Complete {
		t.Errorf("rename: %+v, %v", report, err)
	}
	if _, err := c.Remove(ctx, "GitHub:you", "red", false); err != nil {
		t.Errorf("remove one copy: %v", err)
	}
	if _, err := c.Remove(ctx, "GitHub:you", "", false); api.CodeOf(err) != api.CodeLastCopy {
		t.Errorf("remove the last copy: %v", err)
	}
	if _, err := c.Remove(ctx, "GitHub:you", "", true); err != nil {
		t.Errorf("remove it with force: %v", err)
	}
	if key, err := c.Reset(ctx, "red", api.ResetRequest{}); err != nil || key.Accounts != 0 {
		t.Errorf("reset: %+v, %v", key, err)
	}
}

func TestPasswords(t *testing.T) {
	c, ctx := furnished(t, false), t.Context()
	right, wrong := oath.CopySecret([]byte("correct horse")), oath.CopySecret([]byte("battery"))
	defer right.Wipe()
	defer wrong.Wipe()
	if key, err := c.SetPassword(ctx, "red", right); err != nil || !key.PasswordSet || key.Locked {
		t.Errorf("set: %+v, %v", key, err)
	}
	if _, err := c.Unlock(ctx, "red", wrong); api.CodeOf(err) != api.CodeWrongPassword {
		t.Errorf("unlock with a wrong one: %v", err)
	}
	if key, err := c.Unlock(ctx, "red", right); err != nil || key.Locked {
		t.Errorf("unlock: %+v, %v", key, err)
	}
	if key, err := c.ClearPassword(ctx, "red"); err != nil || key.PasswordSet {
		t.Errorf("clear: %+v, %v", key, err)
	}
}

func TestTouchNamesWhoWaits(t *testing.T) {
	c := furnished(t, true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := c.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		code api.Code
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		code, err := c.Code(ctx, api.CodeRequest{Account: "GitHub", Key: "red"})
		answered <- answer{code, err}
	}()
	for event, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if event.Kind == api.EventTouchWanted {
			if len(event.Waiting) != 1 || event.Waiting[0] == "" {
				t.Errorf("waiting: %q", event.Waiting)
			}
			break
		}
	}
	defer fidget(t, c)()
	if a := <-answered; a.err != nil || a.code.Code != want(a.code) || !a.code.Touch {
		t.Errorf("%+v, %v", a.code, a.err)
	}
}

// TestSlowReaderIsToldWhatItMissed subscribes and does not read while more happens than the socket and the core hold. Nobody
// waits for it, and what it reads afterwards has no gap that it is not told of.
func TestSlowReaderIsToldWhatItMissed(t *testing.T) {
	c, ctx := furnished(t, false), t.Context()
	slow, err := c.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const changes = 600
	for i := range changes {
		if _, err := c.SetSite(ctx, "red", fmt.Sprint("shelf ", i)); err != nil {
			t.Fatal(err)
		}
	}
	var at, missed uint64
	for event, err := range slow {
		if err != nil {
			t.Fatal(err)
		}
		if event.Kind == api.EventSkipped {
			missed += event.Skipped
			at += event.Skipped
			continue
		}
		if at != 0 && event.Seq != at+1 {
			t.Fatalf("event %d follows %d, and %d were said to be missing", event.Seq, at, missed)
		}
		at = event.Seq
		if event.KeyLabel == "last" {
			break
		}
		// It reads now, so there is room for what says how much it missed.
		if _, err := c.SetSite(ctx, "1000002", fmt.Sprint("shelf ", at)); err != nil {
			t.Fatal(err)
		}
		if missed > 0 {
			if _, err := c.SetLabel(ctx, "1000002", "last"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if missed == 0 {
		t.Error("nothing was missed")
	}
}

// fidget touches both keys again and again: a touch counts only while a key blinks, and nothing tells
// when it begins to.
func fidget(t *testing.T, c *client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_, _ = c.MoveSoft(ctx, "1000001", api.SoftTouch)
			_, _ = c.MoveSoft(ctx, "1000002", api.SoftTouch)
			<-tick.C
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func TestClientFindsDaemonByDefault(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	settings, err := config.Load(nil)
	if err != nil || settings.Socket != client.DefaultSocket() {
		t.Errorf("the daemon listens on %q (%v), the client looks at %q", settings.Socket, err, client.DefaultSocket())
	}
}

func TestOpenRefuses(t *testing.T) {
	good := config.Config{Socket: filepath.Join(t.TempDir(), "s"), CodesSocket: config.Off, Ledger: ledger.Memory, SoftKeys: 1, SoftTouch: "instant"}
	for name, spoil := range map[string]func(*config.Config){
		"a ledger that cannot be":       func(c *config.Config) { c.Ledger = "/dev/null/ledger.db" },
		"an unknown personality":        func(c *config.Config) { c.SoftPersonality = "sphinx" },
		"an unknown touch":              func(c *config.Config) { c.SoftTouch = "gentle" },
		"a state file that cannot be":   func(c *config.Config) { c.InsecureState = "/dev/null/state" },
		"a state file without soft":     func(c *config.Config) { c.InsecureState, c.SoftKeys = "/tmp/state", 0 },
		"a socket that cannot be there": func(c *config.Config) { c.Socket = "/dev/null/s" },
		"a second that cannot be there": func(c *config.Config) { c.CodesSocket = "/dev/null/s" },
		"one socket for two":            func(c *config.Config) { c.CodesSocket = c.Socket },
	} {
		c := good
		spoil(&c)
		if d, err := open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: it opens", name)
			_ = d.close()
		}
		if _, err := os.Lstat(good.Socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a socket stays behind: %v", name, err)
		}
	}
}

// TestCodesDoor: the second socket gives lists and codes of the same daemon, and changes nothing.
func TestCodesDoor(t *testing.T) {
	own, ctx := furnished(t, false), t.Context()
	c := &client.Client{Socket: filepath.Join(filepath.Dir(own.Socket), "codes.sock")}
	if s, err := c.Status(ctx); err != nil || s.Keys != 2 {
		t.Errorf("status: %+v, %v", s, err)
	}
	if list, err := c.Keys(ctx); err != nil || len(list) != 2 {
		t.Errorf("keys: %+v, %v", list, err)
	}
	if list, err := c.Accounts(ctx, ""); err != nil || len(list) != 1 {
		t.Errorf("accounts: %+v, %v", list, err)
	}
	if code, err := c.Code(ctx, api.CodeRequest{Account: "GitHub"}); err != nil || code.Code != want(code) {
		t.Errorf("code: %+v, %v", code, err)
	}
	if _, err := c.Remove(ctx, "GitHub:me", "", true); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("remove: %v", err)
	}
	if _, err := c.MoveSoft(ctx, "1000001", api.SoftPull); api.CodeOf(err) != api.CodeForbidden {
		t.Errorf("pull: %v", err)
	}
	if list, err := own.Accounts(ctx, ""); err != nil || len(list) != 1 || list[0].Proved != 2 {
		t.Errorf("it has changed something: %+v, %v", list, err)
	}
}
