package bus

import (
	"bytes"
	"fmt"
	"os"
)

// peerFamily is what a connection answers for itself. Ping with its interface is answered by godbus, which knows no calls without one.
func peerFamily() *family {
	return &family{
		name: "org.freedesktop.DBus.Peer",
		methods: []method{
			{"Ping", nil, nil, nothing},
			{"GetMachineId", nil, args("id:s"), machineID},
		},
	}
}

// ofPeer reports whether a call is for the connection, so that it may name any path.
func (s *session) ofPeer(family, member string) bool {
	_, ours := s.peer.method(member)
	return ours && family == ""
}

// machineIDs are where the machine's id may be (machine-id(5), dbus-uuidgen(1)).
var machineIDs = []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}

func machineID(*session, call) ([]any, error) {
	for _, file := range machineIDs {
		if id, err := os.ReadFile(file); err == nil && len(bytes.TrimSpace(id)) > 0 {
			return []any{string(bytes.TrimSpace(id))}, nil
		}
	}
	return nil, fmt.Errorf("cannot tell the machine's id: it is in none of %q", machineIDs)
}
