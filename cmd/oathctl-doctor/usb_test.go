package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/need"
)

// files writes files below root.
func files(t *testing.T, root string, content map[string]string) {
	t.Helper()
	for name, text := range content {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// plug makes a device in a sysfs as the kernel writes it, with interfaces of these classes.
func plug(t *testing.T, root, port, vendor, product, name string, classes ...string) {
	t.Helper()
	dir := "sys/bus/usb/devices/" + port
	files(t, root, map[string]string{dir + "/idVendor": vendor + "\n", dir + "/idProduct": product + "\n", dir + "/product": name + "\n"})
	for i, class := range classes {
		files(t, root, map[string]string{dir + "/" + port + ":1." + string(rune('0'+i)) + "/bInterfaceClass": class + "\n"})
	}
}

// seen is what is on USB below root, beside a pcscd that shows so many readers.
func seen(root string, readers int) sight {
	return sight{self: kin.SelfCheck{Bay: "pcsc", Readers: readers}, usb: lookAtUSB(root), driver: lookAtDriver(root), scdaemon: runs(root, "scdaemon")}
}

func TestSwitchedOff(t *testing.T) {
	root := t.TempDir()
	wantOne(t, checkUSB(seen(root, 0)), kin.VerdictNone, "no security key", "")
	plug(t, root, "1-2", "046d", "c52b", "USB Receiver", "03", "03")
	wantOne(t, checkUSB(seen(root, 0)), kin.VerdictNone, "no security key", "")
	plug(t, root, "1-1", "1050", "0407", "YubiKey OTP+FIDO+CCID", "03", "03", "0b")
	wantOne(t, checkUSB(seen(root, 1)), kin.VerdictOK, "security keys on USB: 1", "")
	plug(t, root, "1-3", "1050", "0403", "YubiKey OTP+FIDO", "03", "03")
	wantOne(t, checkUSB(seen(root, 1)), kin.VerdictWarning, "YubiKey OTP+FIDO is plugged in, with its smart card interface (CCID) switched off", "ykman config usb --enable OATH")
	root = t.TempDir()
	plug(t, root, "1-1", "20a0", "42b2", "Nitrokey 3", "03")
	wantOne(t, checkUSB(seen(root, 1)), kin.VerdictWarning, "Nitrokey 3 is plugged in, without", "firmware of the Nitrokey 3")
}

const infoPlist = "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist"

func TestNoReader(t *testing.T) {
	root := t.TempDir()
	if found := checkReaders(seen(root, 0)); found != nil {
		t.Errorf("without a key: %+v", found)
	}
	plug(t, root, "1-1", "1050", "0407", "YubiKey OTP+FIDO+CCID", "03", "03", "0b")
	wantOne(t, checkReaders(seen(root, 0)), kin.VerdictBroken, "libccid, is not installed", "sudo apt install libccid")
	wantOne(t, checkReaders(seen(root, 1)), kin.VerdictOK, "shows the readers", "")

	files(t, root, map[string]string{infoPlist: "<key>ifdVendorID</key><array><string>0x20A0</string></array>\n<key>ifdProductID</key><array><string>0x42B2</string></array>"})
	wantOne(t, checkReaders(seen(root, 0)), kin.VerdictBroken, "too old to know YubiKey OTP+FIDO+CCID", "sudo apt install libccid")

	files(t, root, map[string]string{infoPlist: "<key>ifdVendorID</key><array><string>0x1050</string></array>\n<key>ifdProductID</key><array><string>0x0407</string></array>"})
	wantOne(t, checkReaders(seen(root, 0)), kin.VerdictBroken, "pcscd shows readers: 0", "sudo systemctl restart pcscd")
	files(t, root, map[string]string{"proc/1/comm": "systemd\n", "proc/71/comm": "scdaemon\n"})
	wantOne(t, checkReaders(seen(root, 0)), kin.VerdictBroken, "scdaemon is running", "disable-ccid")

	// A laptop's own reader, which pcscd shows, is not taken for the key's.
	plug(t, root, "1-7", "058f", "9540", "EMV Smartcard Reader", "0b")
	if found := checkReaders(seen(root, 1)); len(found) != 1 || found[0].State != kin.VerdictBroken {
		t.Errorf("one reader for two devices: %+v", found)
	}
}

// TestDriversList reads the list of the libccid that is installed.
func TestDriversList(t *testing.T) {
	d := lookAtDriver("/")
	need.That(t, d.installed, "the driver of readers (Debian: apt-get install libccid)")
	for _, key := range [][2]uint16{{0x1050, 0x0407}, {0x1050, 0x0111}, {0x20a0, 0x42b2}, {0x20a0, 0x42d4}} {
		if !d.knows[key] {
			t.Errorf("%04x:%04x is not on the list of %d devices", key[0], key[1], len(d.knows))
		}
	}
	if d.knows[[2]uint16{0x1050, 0x0403}] {
		t.Error("a YubiKey without CCID is on the list")
	}
}

func TestRuns(t *testing.T) {
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if name := string(own[:len(own)-1]); !runs("/", name) || runs("/", name+"x") {
		t.Errorf("%q is not found, or %qx is", name, name)
	}
}

func TestMakersAreOnTheDriversList(t *testing.T) {
	d := lookAtDriver("/")
	need.That(t, d.installed, "the driver of readers (Debian: apt-get install libccid)")
	var strangers []string
	for id, m := range others {
		if !d.knows[id] {
			strangers = append(strangers, m.name)
		}
	}
	if !slices.Equal(strangers, []string{"pico-fido"}) { // whose firmware carries a number that is nobody's
		t.Errorf("libccid does not know %q", strangers)
	}
}
