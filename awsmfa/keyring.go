package awsmfa

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/oath"
)

// keyPermissions let every process of the user find, read and replace a key, in whatever session it is (keyctl_setperm(3)): programs that
// cron or systemd started do not possess the user's keyring, but are the user's.
const keyPermissions = 0x3f<<24 | 0x0f<<16

// keyName is how the kernel's keyring calls the key of an entry.
func keyName(entry string) string { return "oathctl-aws:" + entry }

// readKey returns the key of an entry, the caller's to wipe.
func readKey(entry string) (*oath.Secret, error) {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", keyName(entry), 0)
	if err != nil {
		return nil, fmt.Errorf("cannot find the key in the kernel's keyring: %w", err)
	}
	key := oath.NewSecret(32)
	if n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, key.Bytes(), 0); err != nil || n != key.Len() {
		key.Wipe()
		return nil, fmt.Errorf("cannot read the key in the kernel's keyring: %w", err)
	}
	return key, nil
}

// writeKey puts the key of an entry into the keyring, in place of one that is there, until its life ends.
func writeKey(entry string, key *oath.Secret, life time.Duration) error {
	id, err := unix.AddKey("user", keyName(entry), key.Bytes(), unix.KEY_SPEC_USER_KEYRING)
	if err == nil {
		err = unix.KeyctlSetperm(id, keyPermissions)
	}
	if err == nil {
		_, err = unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, id, max(1, int(life/time.Second)), 0, 0)
	}
	if err != nil {
		return fmt.Errorf("the kernel's keyring cannot be used: %w", err)
	}
	return nil
}
