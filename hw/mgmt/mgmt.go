// Package mgmt reads who a YubiKey is from its Management application: serial number, firmware, form factor, and
// whether OATH is enabled. Keys of other makers may have no such application, or one that says less.
//
// Source: yubikey-manager, yubikit/management.py.
package mgmt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// AID is the Management application's identifier.
var AID = []byte{0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17}

// ErrAbsent: there is no Management application on the card.
var ErrAbsent = errors.New("no Management application on this card")

const (
	insReadConfig = 0x1d
	// insGetResponse fetches the rest of an answer (ISO/IEC 7816-4, section 11.7.1).
	insGetResponse = 0xc0
	// maxPages bounds READ CONFIG; a YubiKey 5.7 has two or three pages.
	maxPages = 8
)

// Tags of READ CONFIG.
const (
	tagUSBSupported = 0x01
	tagSerial       = 0x02
	tagUSBEnabled   = 0x03
	tagFormFactor   = 0x04
	tagVersion      = 0x05
	tagNFCSupported = 0x0d
	tagNFCEnabled   = 0x0e
	tagMorePages    = 0x10
)

// capabilityOATH is the OATH application's bit among the capabilities.
const capabilityOATH = 0x20

// Info is what a key says of itself.
type Info struct {
	// Serial is the number printed on the key; 0 if it is hidden or unknown.
	Serial uint32
	// Version is the firmware's, as "5.4.3"; "" if the key does not say.
	Version string
	// FormFactor is "Keychain (USB-A)" and the like; "" if the key does not say.
	FormFactor string
	// FIPS: the key is of the FIPS series.
	FIPS bool
	// OATHEnabledUSB and OATHEnabledNFC say over which interfaces the OATH application can be reached.
	OATHEnabledUSB, OATHEnabledNFC bool
}

// Read selects the Management application and reads it: two commands, and one more for each further page that
// the key announces. A key that has the application but no READ CONFIG (a NEO) yields its version only.
// Errors: ErrAbsent; hw.ErrMalformed; those of card.
func Read(card hw.Card) (Info, error) {
	info, err := read(hw.Link{Card: card, MoreINS: insGetResponse})
	if err != nil {
		return Info{}, fmt.Errorf("cannot read the key's serial number: %w", err)
	}
	return info, nil
}

func read(link hw.Link) (Info, error) {
	hello, err := link.Exchange(hw.SelectCommand(AID))
	if status, ok := errors.AsType[hw.Status](err); ok {
		return Info{}, fmt.Errorf("%w (%w)", ErrAbsent, status)
	}
	if err != nil {
		return Info{}, err
	}
	version := versionPattern.FindString(string(hello))
	if strings.HasPrefix(version, "3.") {
		return Info{Version: version}, leaveNEO(link.Card)
	}
	config, err := readConfig(link)
	if _, refused := errors.AsType[hw.Status](err); refused {
		return Info{Version: version}, nil
	}
	if err != nil {
		return Info{}, err
	}
	return parseConfig(config, version)
}

// versionPattern finds the version in the SELECT answer's text, "Virtual mgr - FW version 5.4.3". A YubiKey Edge
// has a second status word behind it.
var versionPattern = regexp.MustCompile(`\d+\.\d+\.\d+`)

// leaveNEO deselects the application: a NEO gets stuck in it otherwise (yubikit/management.py). The command is
// malformed on purpose, so its answer says nothing.
func leaveNEO(card hw.Card) error {
	_, err := card.Transmit([]byte{0xa4, 0x04, 0x00, 0x08})
	return err
}

// readConfig returns the TLVs of all pages.
func readConfig(link hw.Link) ([]tlv.TLV, error) {
	var all []tlv.TLV
	for page := range byte(maxPages) {
		answer, err := link.Exchange(hw.Command{INS: insReadConfig, P1: page})
		if err != nil {
			return nil, err
		}
		list, err := parsePage(answer)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if more, _ := tlv.Find(list, tagMorePages); len(more) != 1 || more[0] != 1 {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d pages of configuration", hw.ErrMalformed, maxPages)
}

// parsePage reads a page: its length in one byte, then TLVs.
func parsePage(answer []byte) ([]tlv.TLV, error) {
	if len(answer) == 0 || int(answer[0]) != len(answer)-1 {
		return nil, fmt.Errorf("%w: a configuration of %d bytes with the wrong length in front", hw.ErrMalformed, len(answer))
	}
	list, err := tlv.Parse(answer[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hw.ErrMalformed, err)
	}
	return list, nil
}

func parseConfig(config []tlv.TLV, version string) (Info, error) {
	info := Info{Version: version}
	if v, ok := tlv.Find(config, tagVersion); ok && len(v) == 3 {
		info.Version = fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
	}
	if serial, ok := tlv.Find(config, tagSerial); ok {
		if len(serial) != 4 {
			return Info{}, fmt.Errorf("%w: a serial number of %d bytes", hw.ErrMalformed, len(serial))
		}
		info.Serial = binary.BigEndian.Uint32(serial)
	}
	if form, ok := tlv.Find(config, tagFormFactor); ok && len(form) == 1 {
		info.FormFactor = formFactors[form[0]&0x0f]
		info.FIPS = form[0]&0x80 != 0
	}
	info.OATHEnabledUSB = oathEnabled(config, tagUSBEnabled, tagUSBSupported, info.major() == 4)
	info.OATHEnabledNFC = oathEnabled(config, tagNFCEnabled, tagNFCSupported, false)
	return info, nil
}

// oathEnabled looks at the enabled capabilities, or where the key does not say, or says it wrongly, at the supported ones.
func oathEnabled(config []tlv.TLV, enabled, supported byte, broken bool) bool {
	bits, ok := tlv.Find(config, enabled)
	if !ok || broken { // broken on YubiKey 4 (yubikit/management.py, DeviceInfo.parse)
		bits, _ = tlv.Find(config, supported)
	}
	return len(bits) > 0 && bits[len(bits)-1]&capabilityOATH != 0
}

func (i Info) major() int {
	major, _, _ := strings.Cut(i.Version, ".")
	n, _ := strconv.Atoi(major) // 0 for a version that is not known
	return n
}

// formFactors are those of yubikit/management.py, FORM_FACTOR.
var formFactors = map[byte]string{
	1: "Keychain (USB-A)",
	2: "Nano (USB-A)",
	3: "Keychain (USB-C)",
	4: "Nano (USB-C)",
	5: "Keychain (USB-C, Lightning)",
	6: "Bio (USB-A)",
	7: "Bio (USB-C)",
}
