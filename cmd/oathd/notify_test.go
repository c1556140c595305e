package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// listensAsManager takes what daemons say to their service manager.
func listensAsManager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

// hears waits until the manager is told something, and fails if it never is.
func hears(t *testing.T, conn *net.UnixConn, want string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var last string
	for said := make([]byte, 256); last != want; {
		n, err := conn.Read(said)
		if err != nil {
			t.Fatalf("the manager did not hear %q, and at last %q: %v", want, last, err)
		}
		last = string(said[:n])
	}
}

// TestStatusLine wants the manager to be told how the daemon is, as that changes, and that it ends.
func TestStatusLine(t *testing.T) {
	conn := listensAsManager(t)
	t.Cleanup(func() { hears(t, conn, "STOPPING=1") }) // after house's, which ends the daemon
	c := furnished(t, false)
	hears(t, conn, "READY=1")
	hears(t, conn, "STATUS=2 keys plugged in, 1 account")
	for _, serial := range []string{"1000001", "1000002"} {
		if _, err := c.MoveSoft(t.Context(), serial, api.SoftPull); err != nil {
			t.Fatal(err)
		}
	}
	hears(t, conn, "STATUS=no key plugged in, 1 account")
}

func TestStatusLineInTrouble(t *testing.T) {
	for want, s := range map[string]api.Status{
		"cannot reach pcscd; and more":                                      {Trouble: "cannot reach pcscd\nand more", Keys: 1},
		"1 key plugged in, 3 accounts, 2 writes to finish (oathctl resume)": {Keys: 1, OpenIntents: 2},
	} {
		if got := statusLine(s, 3); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestDeafManager wants a manager that takes nothing to keep nobody waiting for long.
func TestDeafManager(t *testing.T) {
	conn := listensAsManager(t)
	boss := serviceManager(slog.New(slog.DiscardHandler))
	defer boss.close()
	for n := range 2000 { // more than any kernel queues
		boss.tell(count(n, "word"))
		if boss.said != count(n, "word") {
			hears(t, conn, "no word")
			return
		}
	}
	t.Error("the manager took everything")
}
