package bus

import (
	"bytes"
	"os"
	"testing"
)

// TestPeer asks at paths of all kinds who is there, with the interface's name and without: a method's name that is
// unique needs none ("Message Types"), and it does not matter which path is asked ("org.freedesktop.DBus.Peer"). A machine
// without an id (a bare chroot) is an error.
func TestPeer(t *testing.T) {
	_, _, c := onBus(t)
	var want string
	for _, file := range machineIDs {
		if id, err := os.ReadFile(file); err == nil && want == "" {
			want = string(bytes.TrimSpace(id))
		}
	}
	const peer = "org.freedesktop.DBus.Peer."
	for _, path := range []string{"/", "/org/oathd/Oathd1", "/org/oathd/Oathd1/keys", "/nowhere"} {
		for _, prefix := range []string{peer, ""} {
			if err := c.call(path, prefix+"Ping").Err; err != nil {
				t.Errorf("%s: %sPing: %v", path, prefix, err)
			}
			var id string
			if err := c.call(path, prefix+"GetMachineId").Store(&id); id != want || (err != nil) != (want == "") {
				t.Errorf("%s: %sGetMachineId: %q, %v, want %s", path, prefix, id, err, want)
			}
		}
	}
	wantError(t, c.call("/nowhere", "Pong").Err, "org.freedesktop.DBus.Error.UnknownObject")
}
