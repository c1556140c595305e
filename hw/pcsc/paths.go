package pcsc

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
)

// socketPath is where libpcsclite looks for pcscd.
func socketPath() string {
	return cmp.Or(os.Getenv("PCSCLITE_CSOCK_NAME"), "/run/pcscd/pcscd.comm")
}

// sessionPath is the file that systemd-logind writes anew whenever the user's sessions begin, end or become
// active, as sd_login_monitor(3) watches it. Whom polkit refuses as inactive may be let in then.
func sessionPath() string {
	return filepath.Join("/run/systemd/users", strconv.Itoa(os.Getuid()))
}
