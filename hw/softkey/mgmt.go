package softkey

import (
	"encoding/binary"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

var aidManagement = []byte{0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17}

// The tags of READ CONFIG and WRITE CONFIG (yubikit/management.py).
const (
	insWriteConfig = 0x1c
	insReadConfig  = 0x1d

	tagUSBSupported  = 0x01
	tagDeviceSerial  = 0x02
	tagUSBEnabled    = 0x03
	tagFormFactor    = 0x04
	tagFirmware      = 0x05
	tagEjectTimeout  = 0x06
	tagAnswerTimeout = 0x07
	tagDeviceFlags   = 0x08
	tagConfigLock    = 0x0a
	tagUnlock        = 0x0b
	tagReboot        = 0x0c
	tagNFCSupported  = 0x0d
	tagNFCEnabled    = 0x0e
	tagIAPDetection  = 0x0f
	tagMoreData      = 0x10
	tagPartNumber    = 0x13
)

// deviceInfo is what a personality's Management applet tells. Only the applications that are there, OATH (20)
// and PIV (10), are enabled; the others are supported and switched off, as an owner can do.
type deviceInfo struct {
	supported, enabled uint16
	formFactor         byte
	nfc                bool
	oneByte            bool // YubiKey 4: capabilities in one byte, and nothing to configure
	pages              bool // 5.7: more data on a second page
	plainName          bool // pico-fido: SELECT answers the bare version
}

// mgmtApplet is the Management applet.
type mgmtApplet struct {
	info    *deviceInfo
	state   *state
	version [3]byte
	serial  uint32 // 0: hidden
}

func (a *mgmtApplet) wantsTouch(command) bool { return false }

// open answers SELECT with the text from which yubikit takes the firmware's version.
func (a *mgmtApplet) open(bool) []byte {
	version := fmt.Sprintf("%d.%d.%d", a.version[0], a.version[1], a.version[2])
	if a.info.plainName {
		return []byte(version)
	}
	return []byte("Virtual mgr - FW version " + version)
}

func (a *mgmtApplet) execute(c command) effect {
	switch {
	case c.ins == insReadConfig:
		return a.readConfig(c)
	case c.ins == insWriteConfig && !a.info.oneByte:
		return a.writeConfig(c)
	}
	return fail(hw.StatusInsUnknown)
}

func (a *mgmtApplet) readConfig(c command) effect {
	var page []byte
	switch {
	case c.p1 == 0:
		page = a.firstPage()
	case c.p1 == 1 && a.info.pages:
		page = tlv.Append(nil, tagPartNumber)
	default:
		return fail(hw.StatusWrongParams)
	}
	return done(append([]byte{byte(len(page))}, page...))
}

func (a *mgmtApplet) firstPage() []byte {
	config := a.state.configOf(a.info)
	b := tlv.Append(nil, tagUSBSupported, a.capabilities(a.info.supported)...)
	b = tlv.Append(b, tagUSBEnabled, a.capabilities(config.USB)...)
	if a.serial != 0 {
		b = tlv.Append(b, tagDeviceSerial, binary.BigEndian.AppendUint32(nil, a.serial)...)
	}
	if a.info.oneByte {
		return b
	}
	b = tlv.Append(b, tagFormFactor, a.info.formFactor)
	b = tlv.Append(b, tagFirmware, a.version[:]...)
	b = tlv.Append(b, tagEjectTimeout, binary.BigEndian.AppendUint16(nil, config.Eject)...)
	b = tlv.Append(b, tagAnswerTimeout, config.Answer)
	b = tlv.Append(b, tagDeviceFlags, config.Flags)
	if a.info.nfc {
		b = tlv.Append(b, tagNFCSupported, a.capabilities(a.info.supported)...)
		b = tlv.Append(b, tagNFCEnabled, a.capabilities(config.NFC)...)
	}
	b = tlv.Append(b, tagConfigLock, flag(config.Lock != nil))
	b = tlv.Append(b, tagIAPDetection, 0)
	if a.info.pages {
		b = tlv.Append(b, tagMoreData, 1)
	}
	return b
}

func (a *mgmtApplet) capabilities(c uint16) []byte {
	if a.info.oneByte {
		return []byte{byte(c)}
	}
	return binary.BigEndian.AppendUint16(nil, c)
}
