package bus

import (
	"bytes"
	"os"
	"testing"
)

// TestPeer asks at paths of all kinds who is there, with the interface's name and without: a method's name that is
// unique needs none ("Message Types"), and it does not matter which path is asked ("org.freedesktop.DBus.Peer").
func TestPeer(t *testing.T) {
	_, _, c := onBus(t)
	want, err := os.ReadFile("/etc/machine-id")
	need(t, err == nil, "/etc/machine-id (Debian: systemd-machine-id-setup)")
	const peer = "org.freedesktop.DBus.Peer."
	for _, path := range []string{"/", "/org/oathd/Oathd1", "/org/oathd/Oathd1/keys", "/nowhere"} {
		for _, prefix := range []string{peer, ""} {
			if err := c.call(path, prefix+"Ping").Err; err != nil {
				t.Errorf("%s: %sPing: %v", path, prefix, err)
			}
			var id string
			if err := c.call(path, prefix+"GetMachineId").Store(&id); err != nil || id != string(bytes.TrimSpace(want)) {
				t.Errorf("%s: %sGetMachineId: %q, %v, want %s", path, prefix, id, err, want)
			}
		}
	}
	wantError(t, c.call("/nowhere", "Pong").Err, "org.freedesktop.DBus.Error.UnknownObject")
}
