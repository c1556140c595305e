package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/oathd/oathd/internal/kin"
)

// device is one on USB. ccid says that it has a smart card interface that is switched on.
type device struct {
	vendor, product uint16
	name            string
	ccid            bool
}

// maker is one whose keys can have an OATH application.
type maker struct{ name, enable string }

// makers go by USB's numbers: Yubico's is its own, the others share one with strangers, so their products are listed too
// (libccid's Info.plist; pico-fido's README, whose users may choose other numbers).
var (
	yubico = maker{"YubiKey", "ykman config usb --enable OATH, then pull the key out and plug it in again"}
	others = map[[2]uint16]maker{
		{0x20a0, 0x42b2}: {name: "Nitrokey 3"},
		{0x20a0, 0x42d4}: {name: "CanoKey"},
		{0xfeff, 0xfcfd}: {name: "pico-fido"},
	}
)

const (
	yubicoID = 0x1050
	// ccidClass is the interface class of smart card readers (USB, "Defined Class Codes").
	ccidClass = 0x0b
)

func (d device) maker() (maker, bool) {
	if d.vendor == yubicoID {
		return yubico, true
	}
	m, known := others[[2]uint16{d.vendor, d.product}]
	return m, known
}

// lookAtUSB reads sysfs (sysfs-bus-usb in the kernel's ABI documentation): a directory for each device, its interfaces below.
func lookAtUSB(root string) (devices []device) {
	dirs, _ := filepath.Glob(filepath.Join(root, "sys/bus/usb/devices/*/idVendor")) // the pattern is a good one
	for _, file := range dirs {
		dir := filepath.Dir(file)
		d := device{vendor: number(dir, "idVendor"), product: number(dir, "idProduct")}
		if d.name = strings.TrimSpace(text(dir, "manufacturer") + " " + text(dir, "product")); d.name == "" {
			d.name = fmt.Sprintf("%04x:%04x", d.vendor, d.product)
		}
		interfaces, _ := filepath.Glob(filepath.Join(dir, "*", "bInterfaceClass"))
		d.ccid = slices.ContainsFunc(interfaces, func(i string) bool { return number(filepath.Dir(i), "bInterfaceClass") == ccidClass })
		devices = append(devices, d)
	}
	return devices
}

func text(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name)) // what is not there is left out
	return string(bytes.TrimSpace(b))
}

func number(dir, name string) uint16 {
	n, _ := strconv.ParseUint(text(dir, name), 16, 16)
	return uint16(n)
}

// runs reports whether a program of that name is running.
func runs(root, name string) bool {
	files, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*/comm"))
	return slices.ContainsFunc(files, func(f string) bool { return text(filepath.Dir(f), "comm") == name })
}

func checkUSB(s sight) (found []kin.Finding) {
	seen := 0
	for _, d := range s.usb {
		m, known := d.maker()
		switch {
		case !known:
			continue
		case !d.ccid && m.enable != "":
			found = append(found, warning(d.name+" is plugged in, with its smart card interface (CCID) switched off", "no code can be had from it; if it is a “Security Key”, which is for FIDO alone, none ever can", m.enable)...)
		case !d.ccid:
			found = append(found, warning(d.name+" is plugged in, without a smart card interface (CCID)", "no code can be had from it", "bring the firmware of the "+m.name+" up to date, then pull it out and plug it in again")...)
		}
		seen++
	}
	switch {
	case seen == 0:
		return none("no security key is plugged into USB")
	case found == nil:
		return fine(fmt.Sprintf("security keys on USB: %d", seen))
	}
	return found
}
