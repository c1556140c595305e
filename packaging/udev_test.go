package packaging

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/need"
)

// device describes a USB device to umockdev, with an interface of each class (class, subclass, protocol) that is given.
func device(interfaces ...[3]byte) string {
	var all []byte
	for n, class := range interfaces {
		all = append(all, 9, 4, byte(n), 0, 1, class[0], class[1], class[2], 0)
		all = append(all, 7, 5, 0x81, 3, 8, 0, 10) // an endpoint
	}
	descriptors := []byte{18, 1, 0, 2, 0, 0, 0, 64, 0x50, 0x10, 7, 4, 0x43, 5, 1, 2, 0, 1}
	descriptors = append(descriptors, 9, 2, byte(9+len(all)), 0, byte(len(interfaces)), 1, 0, 0xc0, 15)
	return fmt.Sprintf(`P: %s
N: bus/usb/001/002
E: DEVNAME=/dev/bus/usb/001/002
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: BUSNUM=001
E: DEVNUM=002
A: idVendor=1050\n
A: idProduct=0407\n
H: descriptors=%s
`, devicePath, strings.ToUpper(hex.EncodeToString(append(descriptors, all...))))
}

const devicePath = "/devices/pci0000:00/0000:00:14.0/usb1/1-1"

// plugged has udev work on a device that umockdev plays, with our rule beside its own, and returns what it finds to start. It
// sees files of its own where udev keeps its database.
const plugged = `
mount --bind "$1/rules.d" /usr/lib/udev/rules.d
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/char
exec umockdev-run -d "$1/device" -- udevadm test -a add "/sys` + devicePath + `"
`

// TestRule has the real udev say what the rule starts, and for which devices.
func TestRule(t *testing.T) {
	need.Program(t, "udevadm", "udev")
	need.Program(t, "umockdev-run", "umockdev")
	unshare := need.Program(t, "unshare", "util-linux")
	hid, ccid := [3]byte{3, 1, 1}, [3]byte{0x0b, 0, 0}
	wants := regexp.MustCompile(`(?m)^SYSTEMD_USER_WANTS=oathd\.service$`)
	for name, c := range map[string]struct {
		device string
		starts bool
	}{
		"a key":          {device(hid, ccid), true},
		"a bare reader":  {device(ccid), true},
		"a keyboard":     {device(hid), false},
		"another reader": {device([3]byte{0x0b, 0, 1}), false}, // a token of ICCD, which pcscd has no driver for
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rules(t, filepath.Join(dir, "rules.d"))
			if err := os.WriteFile(filepath.Join(dir, "device"), []byte(c.device), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(unshare, "--user", "--map-root-user", "--mount", "sh", "-euc", plugged, "sh", dir).CombinedOutput()
			need.That(t, !strings.Contains(string(out), "unshare failed"), "namespaces of its own: run it outside of a container (%s)", out)
			if err != nil || !strings.Contains(string(out), "ID_USB_INTERFACES=:") || wants.Match(out) != c.starts {
				t.Errorf("starts %v, want %v: %v\n%s", wants.Match(out), c.starts, err, out)
			}
		})
	}
}

// rules puts udev's own rules and ours into a directory.
func rules(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS("udev")); err != nil {
		t.Fatal(err)
	}
	const usual = "50-udev-default.rules"
	text, err := os.ReadFile("/usr/lib/udev/rules.d/" + usual)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, usual), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
