package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// house is where the programs are built.
var house string

func TestMain(m *testing.M) {
	var err error
	if house, err = os.MkdirTemp("", "oathctl-watch"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(house)
	os.Exit(status)
}

var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", house+"/", "../oathd", "../oathctl", "../oathctl-clip", ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
})

// terminal is a real one of 80 × 24, in which the real program runs beside a real daemon with two soft keys.
type terminal struct {
	t      *testing.T
	dir    string
	client *client.Client
}

// The seeds of the accounts.
const (
	seedAlice = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	seedCarol = "KRUGKIDROVUWG2ZAMJZG653OEBTG66BA"
)

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	need.Program(t, "tmux", "tmux")
	need.Program(t, "oathtool", "oathtool")
	if err := build(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "watch")
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, dir: dir, client: &client.Client{Socket: dir + "/run/oathd/oathd.sock"}}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	term.startDaemon()
	term.furnish()
	return term
}

func (term *terminal) env() []string {
	return []string{
		"PATH=" + house + ":" + os.Getenv("PATH"), "HOME=" + term.dir, "XDG_RUNTIME_DIR=" + term.dir + "/run",
		"XDG_STATE_HOME=" + term.dir + "/state", "XDG_CONFIG_HOME=" + term.dir + "/config", "LANG=C.UTF-8",
	}
}

func (term *terminal) startDaemon() {
	for _, sub := range []string{"run", "state", "config"} {
		if err := os.Mkdir(filepath.Join(term.dir, sub), 0o700); err != nil {
			term.t.Fatal(err)
		}
	}
	d := exec.Command(house+"/oathd", "--soft-keys", "2", "--soft-touch", "manual")
	d.Env = term.env()
	log, err := d.StderrPipe()
	if err != nil {
		term.t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		term.t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=ready") {
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, log)
	}()
	term.t.Cleanup(func() {
		_ = d.Process.Signal(syscall.SIGTERM)
		<-drained
		_ = d.Wait()
	})
}

// until tries again until the condition holds, or patience ends. What it asks takes its time, so that it need not wait in between.
func (term *terminal) until(what string, holds func() bool) {
	term.t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			term.t.Fatalf("it never came to be: %s", what)
		}
	}
}

// furnish adopts the keys and adds the accounts, one of them on one key, by touch.
func (term *terminal) furnish() {
	t, ctx := term.t, term.t.Context()
	t.Helper()
	term.until("two keys", func() bool {
		keys, err := term.client.Keys(ctx)
		return err == nil && len(keys) == 2
	})
	for serial, label := range map[string]string{"1000001": "daily", "1000002": "spare"} {
		if _, err := term.client.Adopt(ctx, serial, api.AdoptRequest{Label: label}); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []struct {
		account api.NewAccount
		seed    string
		to      []string
	}{
		{api.NewAccount{Issuer: "GitHub", Name: "alice"}, seedAlice, []string{"daily", "spare"}},
		{api.NewAccount{Issuer: "Bank", Name: "carol", Touch: true}, seedCarol, []string{"daily"}},
		{api.NewAccount{Issuer: "Ärzte", Name: "Jürgen"}, "MFRGGZDFMZTWQ2LK", []string{"daily", "spare"}},
	} {
		a.account.Type, a.account.Algorithm, a.account.Digits, a.account.Period = "totp", "SHA1", 6, 30
		seed, err := otpauth.DecodeSecret([]byte(a.seed))
		if err != nil {
			t.Fatal(err)
		}
		report, err := term.client.Add(ctx, api.AddRequest{Accounts: []api.NewAccount{a.account}, To: a.to}, []*oath.Secret{seed}, func(s api.Step) {
			if s.Kind == api.StepWaitTouch {
				term.move("1000001", api.SoftTouch)
			}
		})
		seed.Wipe()
		if err != nil || !report.Complete {
			t.Fatalf("%+v, %v", report, err)
		}
	}
}

func (term *terminal) move(serial string, move api.SoftMove) {
	if _, err := term.client.MoveSoft(term.t.Context(), serial, move); err != nil {
		term.t.Error(err)
	}
}

// tmux runs a command of the terminal's own tmux server.
func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	c := exec.Command("tmux", append([]string{"-S", filepath.Join(term.dir, "s"), "-f", "/dev/null"}, args...)...)
	c.Env = term.env()
	out, err := c.CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// run has the terminal show the program, with further variables in its environment.
func (term *terminal) run(variables string, args ...string) {
	term.t.Helper()
	term.tmux("new-session", "-d", "-x", "80", "-y", "24", "env "+variables+" oathctl watch "+strings.Join(args, " ")+"; read end")
	term.t.Cleanup(func() { _ = exec.Command("tmux", "-S", filepath.Join(term.dir, "s"), "kill-server").Run() }) // it may have ended
}

// shows waits until every text is on the screen, and returns it.
func (term *terminal) shows(texts ...string) string {
	term.t.Helper()
	screen, missing := "", ""
	for end := time.Now().Add(patience); time.Now().Before(end); {
		screen = term.tmux("capture-pane", "-p")
		i := slices.IndexFunc(texts, func(text string) bool { return !strings.Contains(screen, text) })
		if i < 0 {
			return screen
		}
		missing = texts[i]
	}
	term.t.Fatalf("no %q on the screen\n%s", missing, screen)
	return ""
}

// isCode reports whether the text shows what oathtool computes for this time step or the one before.
func isCode(t *testing.T, text, seed string) bool {
	t.Helper()
	before := fmt.Sprintf("@%d", time.Now().Add(-30*time.Second).Unix())
	out, err := exec.Command("oathtool", "--totp", "--base32", "--window", "1", "--now", before, seed).Output()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(strings.Fields(string(out)), func(code string) bool { return strings.Contains(text, grouped(code)) })
}

// showsCode waits until the code of the seed is on the screen.
func (term *terminal) showsCode(seed string) {
	term.t.Helper()
	term.until("a screen with the code of "+seed, func() bool { return isCode(term.t, term.tmux("capture-pane", "-p"), seed) })
}

func TestScreen(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	term.run("")
	screen := term.shows("oathd  keys: daily (soft) · spare (soft)", "  Bank:carol", "by touch", "  Ärzte:Jürgen", "3 of 3")
	if n := strings.Count(screen, "\n"); n != 24 {
		t.Errorf("%d lines", n)
	}
	term.tmux("send-keys", "git")
	term.shows("Filter: git", "> GitHub:alice", "1 of 3", " s  ", "━")
	term.showsCode(seedAlice)
	term.tmux("send-keys", "Enter")
	term.shows("GitHub:alice copied with tmux, out of the clipboard")
	if got := term.tmux("save-buffer", "-"); !isCode(t, grouped(got), seedAlice) {
		t.Errorf("the clipboard holds %q", got)
	}

	// A touch, with who waits for it.
	term.tmux("send-keys", "Escape")
	term.shows("3 of 3")
	term.tmux("send-keys", "bank", "Enter")
	term.shows("touch it", "keys: daily (soft) blinks", "touch daily: it blinks", "for Bank:carol, asked by oathctl-watch")
	term.move("1000001", api.SoftTouch)
	term.shows("Bank:carol copied with tmux")
	term.showsCode(seedCarol)

	// Keys come and go.
	term.move("1000001", api.SoftPull)
	term.shows("oathd  keys: spare (soft)\n")
	term.move("1000002", api.SoftPull)
	term.shows("oathd  no key is plugged in")
	term.move("1000001", api.SoftPlug)
	term.shows("oathd  keys: daily (soft)\n")
	term.tmux("send-keys", "C-c")
	term.until("an end", func() bool { return !strings.Contains(term.tmux("capture-pane", "-p"), "oathd") })
}

// Without colours the screen says the same: nothing is said by colour alone.
func TestScreenWithoutColour(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	term.run("NO_COLOR=1", "--all")
	term.shows("  GitHub:alice", "━")
	term.showsCode(seedAlice)
	term.tmux("send-keys", "Down", "Down")
	term.shows("> GitHub:alice")
	for _, line := range strings.Split(term.tmux("capture-pane", "-p", "-e"), "\n") {
		if strings.Contains(line, "\x1b[") {
			t.Errorf("a style in %q", line)
		}
	}
}

// Without Unicode there is no character on the screen that is not ASCII.
func TestScreenWithoutUnicode(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	term.run("LANG=C LC_ALL=C", "alice")
	screen := term.shows("oathd  keys: daily (soft) . spare (soft)", "> GitHub:alice", "#")
	if strings.ContainsFunc(screen, func(r rune) bool { return r >= utf8.RuneSelf }) {
		t.Errorf("not ASCII:\n%s", screen)
	}
	term.showsCode(seedAlice)
	term.tmux("send-keys", "C-u")
	term.shows("?rzte:J?rgen")
}

// A dumb terminal is talked to line by line, without any control sequence.
func TestDumbTerminal(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	term.run("TERM=dumb")
	term.shows("A name is answered with its code", "GitHub:alice  on daily, spare (soft)")
	term.tmux("send-keys", "alice", "Enter")
	term.shows(" · GitHub:alice · ")
	term.move("1000002", api.SoftPull)
	term.shows("spare: pulled out")
	term.tmux("send-keys", "bank", "Enter")
	term.shows("daily: wants to be touched (Bank:carol) for oathctl-watch")
	term.move("1000001", api.SoftTouch)
	term.shows(" · Bank:carol · ")
	term.tmux("send-keys", "C-d")
	term.tmux("send-keys", "Enter")
	term.until("an end", func() bool {
		return exec.Command("tmux", "-S", filepath.Join(term.dir, "s"), "has-session").Run() != nil
	})
}

// Where there is no terminal, there is nothing to watch.
func TestNoTerminal(t *testing.T) {
	if err := build(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "cannot watch: this is no terminal\nhint: for programs there is: oathctl --json events"},
		{[]string{"--nonsense"}, 2, "unknown flag: --nonsense"},
		{[]string{"--help"}, 0, "usage: oathctl watch"},
	} {
		c := exec.Command(house+"/oathctl", append([]string{"watch"}, test.args...)...)
		out, _ := c.CombinedOutput() // its error is the exit status
		if got := c.ProcessState.ExitCode(); got != test.status || !bytes.Contains(out, []byte(test.want)) {
			t.Errorf("%q: status %d, %s", test.args, got, out)
		}
	}
}
