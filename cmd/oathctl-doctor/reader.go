package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/oathd/oathd/internal/kin"
)

// driver is libccid, by which pcscd reaches readers on USB.
type driver struct {
	installed bool
	// knows are the devices that it is for, by vendor and product.
	knows map[[2]uint16]bool
}

// lookAtDriver reads libccid's list of devices, of which pcscd lets it have no other.
func lookAtDriver(root string) driver {
	for _, dir := range []string{"usr/lib/pcsc/drivers", "usr/lib64/pcsc/drivers", "usr/lib/*/pcsc/drivers"} {
		lists, _ := filepath.Glob(filepath.Join(root, dir, "ifd-ccid.bundle/Contents/Info.plist"))
		for _, list := range lists {
			if content, err := os.ReadFile(list); err == nil {
				return driver{installed: true, knows: devicesIn(string(content))}
			}
		}
	}
	return driver{}
}

var numberInList = regexp.MustCompile(`<string>(0[xX][0-9a-fA-F]{1,4})</string>`)

// devicesIn pairs the vendors of a list with its products, which stand in two arrays of one length.
func devicesIn(list string) map[[2]uint16]bool {
	array := func(key string) (numbers []uint16) {
		_, after, _ := strings.Cut(list, "<key>"+key+"</key>")
		array, _, _ := strings.Cut(after, "</array>")
		for _, m := range numberInList.FindAllStringSubmatch(array, -1) {
			var n uint16
			_, _ = fmt.Sscanf(strings.ToLower(m[1]), "0x%x", &n) // which the pattern sees to
			numbers = append(numbers, n)
		}
		return numbers
	}
	knows := make(map[[2]uint16]bool)
	products := array("ifdProductID")
	for i, vendor := range array("ifdVendorID") {
		if i < len(products) {
			knows[[2]uint16{vendor, products[i]}] = true
		}
	}
	return knows
}

// checkReaders compares what is on USB with what pcscd shows: all readers are counted, since a laptop may have one of its own.
func checkReaders(s sight) []kin.Finding {
	cards := slices.DeleteFunc(slices.Clone(s.usb), func(d device) bool { return !d.ccid })
	if s.self.Bay == "" || s.self.Bay == soft || s.self.PCSC != nil || len(cards) == 0 {
		return nil
	}
	if s.self.Readers >= len(cards) {
		return fine("pcscd shows the readers that are on USB")
	}
	found := fmt.Sprintf("%s on USB, and pcscd shows readers: %d", names(cards), s.self.Readers)
	const means = "a key that pcscd does not show cannot be used"
	stranger := slices.IndexFunc(cards, func(d device) bool { return !s.driver.knows[[2]uint16{d.vendor, d.product}] })
	switch {
	case !s.driver.installed:
		return broken(found, means+": its driver, libccid, is not installed", "sudo apt install libccid (Fedora: sudo dnf install pcsc-lite-ccid; Arch: sudo pacman -S ccid), then: sudo systemctl restart pcscd")
	case stranger >= 0:
		return broken(found, fmt.Sprintf("%s: the installed libccid is too old to know %s", means, cards[stranger].name), "sudo apt install libccid brings it up to date; if there is no newer one, a newer release of the system has it")
	case s.scdaemon:
		return broken(found, means+"; GnuPG's scdaemon is running, and may have it through a driver of its own",
			"put the lines “disable-ccid” and “pcsc-shared” into ~/.gnupg/scdaemon.conf, then: gpgconf --kill scdaemon")
	}
	return broken(found, means, "pull the key out and plug it in again; if that does not help: sudo systemctl restart pcscd")
}

func names(devices []device) string {
	var list []string
	for _, d := range devices {
		list = append(list, d.name)
	}
	return strings.Join(list, ", ")
}
