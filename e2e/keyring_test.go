package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
)

// startKeyring starts GNOME's keyring, unlocked, on a bus, and returns what libsecret's own client finds of ours in it.
func startKeyring(t *testing.T, address string) (lookup func() string) {
	t.Helper()
	home := t.TempDir()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_RUNTIME_DIR=" + home, "DBUS_SESSION_BUS_ADDRESS=" + address}
	keyring := exec.Command(need.Program(t, "gnome-keyring-daemon", "gnome-keyring"), "--foreground", "--unlock", "--components=secrets", "--control-directory="+home)
	keyring.Env, keyring.Stdin = env, strings.NewReader("the keyring's password")
	if err := keyring.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = keyring.Process.Kill()
		_ = keyring.Wait()
	})
	wait := exec.Command(need.Program(t, "gdbus", "libglib2.0-bin"), "wait", "--session", "--timeout", "20", "org.freedesktop.secrets")
	wait.Env = env
	if out, err := wait.CombinedOutput(); err != nil {
		t.Fatalf("the keyring is not on the bus: %v: %s", err, out)
	}
	secretTool := need.Program(t, "secret-tool", "libsecret-tools")
	return func() string {
		cmd := exec.Command(secretTool, "lookup", "application", "oathd")
		cmd.Env = env
		out, _ := cmd.Output() // it fails where there is nothing
		return string(out)
	}
}

// TestRememberedPassword: what unlocks a key is in the keyring, and what ykman remembers unlocks it too; what is forgotten is
// nowhere, not even in the daemon's memory.
func TestRememberedPassword(t *testing.T) {
	t.Parallel()
	address := privateBus(t)
	lookup := startKeyring(t, address)
	args := []string{"--dbus", address, "--ykman-passwords"}
	g := &guarded{bench: newBenchOf(t, release(t), args...), secrets: map[string][]byte{}}
	locked := func() bool {
		k, err := g.client.Key(t.Context(), "spare")
		g.must(err)
		return k.Locked
	}
	restart := func() {
		g.stop(syscall.SIGTERM)
		g.run(args)
		g.present("daily", "spare")
	}
	g.learnDerived(g.word("password", 20))
	g.must(failure(g.client.SetPassword(t.Context(), "spare", g.again("password"))))
	restart()
	if !locked() {
		t.Fatal("it is not locked")
	}
	g.must(failure(g.client.Unlock(t.Context(), "spare", g.again("password"))))
	g.do("password", "remember", "spare")
	if got := lookup(); got != string(g.secrets[derived]) {
		t.Errorf("secret-tool reads %x, want what the password derives", got)
	}
	g.search("after password remember")
	restart()
	g.until("the key is unlocked", func() bool { return !locked() })
	if found := g.search("after it was unlocked"); found.shut[derived+", raw"] == "" {
		t.Errorf("shut away is %v", found.shut)
	}

	g.do("password", "forget", "spare")
	if got := lookup(); got != "" || !locked() {
		t.Errorf("secret-tool still reads %x, locked: %t", got, locked())
	}
	if found := g.search("after password forget"); len(found.shut) > 0 {
		t.Errorf("left is %v", found.shut)
	}
	_, _, status := g.ctl("password", "remember", "spare")
	if status != 6 {
		t.Errorf("a locked key: exit status %d", status)
	}

	g.ykman[1].Run("oath", "access", "remember", "--password", string(g.secrets["password"]))
	g.env = append(g.env, g.ykman[1].Home()...)
	restart()
	g.until("the key is unlocked with what ykman remembers", func() bool { return !locked() })
	g.search("after it was unlocked with what ykman remembers")
	log, err := g.client.Audit(t.Context())
	g.must(err)
	if last := log.Entries[len(log.Entries)-1]; !log.Intact || last.What != "unlock spare with the password that is remembered" || !strings.HasPrefix(last.Who, "oathd") {
		t.Errorf("the log ends with %+v", last)
	}

	// Without a keyring it is said what is missing.
	args = nil
	restart()
	g.must(failure(g.client.Unlock(t.Context(), "spare", g.again("password"))))
	_, err = g.client.Remember(t.Context(), "spare")
	g.refused(err, api.CodeNoKeyring)
}
