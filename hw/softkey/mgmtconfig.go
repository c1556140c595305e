package softkey

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The capabilities of those applications that a soft key has.
const (
	capabilityPIV  = 0x10
	capabilityOATH = 0x20
)

const lockCodeLen = 16

// mgmtConfig is what the key's owner has configured: which applications are enabled over USB and over NFC, and what
// else WRITE CONFIG sets. It is replaced, never changed in place.
type mgmtConfig struct {
	USB    uint16 `json:"usb"`
	NFC    uint16 `json:"nfc"`
	Eject  uint16 `json:"eject,omitempty"`
	Answer byte   `json:"answer"`
	Flags  byte   `json:"flags,omitempty"`
	Lock   []byte `json:"lock,omitempty"` // the code without which nothing is changed; nil if none is set
}

// configOf returns what is configured, or what the factory did.
func (s *state) configOf(info *deviceInfo) mgmtConfig {
	if s.Config != nil {
		return *s.Config
	}
	return mgmtConfig{USB: info.enabled, NFC: info.enabled, Answer: 15}
}

// enabled reports whether the owner has left an application switched on where the key is plugged in now.
func (k *Key) enabled(a *application) bool {
	info := k.personality.mgmt
	if info == nil || a.capability == 0 {
		return true
	}
	config := k.state.configOf(info)
	if k.options.Contactless {
		return config.NFC&a.capability != 0
	}
	return config.USB&a.capability != 0
}

// writeConfig answers WRITE CONFIG: a length, then what is to change. With which status a real key refuses is not
// documented; clients only look for success.
func (a *mgmtApplet) writeConfig(c command) effect {
	if len(c.data) == 0 || int(c.data[0]) != len(c.data)-1 {
		return fail(hw.StatusWrongData)
	}
	list, err := tlv.Parse(c.data[1:])
	if err != nil {
		return fail(hw.StatusWrongData)
	}
	config := a.state.configOf(a.info)
	code, _ := tlv.Find(list, tagUnlock)
	if config.Lock != nil && subtle.ConstantTimeCompare(config.Lock, code) != 1 {
		return fail(hw.StatusAuthRequired)
	}
	for _, e := range list {
		if !config.set(e) {
			return fail(hw.StatusWrongData)
		}
	}
	if !a.info.permits(config) {
		return fail(hw.StatusWrongData)
	}
	a.state.Config = &config
	return effect{status: hw.StatusOK, changed: true}
}

// permits reports whether the key can be so. Unlike a real one it cannot enable what it does not have.
func (i *deviceInfo) permits(config mgmtConfig) bool {
	return config.USB != 0 && (config.USB|config.NFC)&^i.enabled == 0
}

// set takes one element of WRITE CONFIG; it reports whether it is one.
func (m *mgmtConfig) set(e tlv.TLV) bool {
	switch {
	case e.Tag == tagReboot && len(e.Value) == 0: // for USB interfaces that come and go: a soft key has one
	case e.Tag == tagUnlock && len(e.Value) == lockCodeLen: // has been looked at
	case e.Tag == tagUSBEnabled && len(e.Value) == 2:
		m.USB = binary.BigEndian.Uint16(e.Value)
	case e.Tag == tagNFCEnabled && len(e.Value) == 2:
		m.NFC = binary.BigEndian.Uint16(e.Value)
	case e.Tag == tagEjectTimeout && len(e.Value) == 2:
		m.Eject = binary.BigEndian.Uint16(e.Value)
	case e.Tag == tagAnswerTimeout && len(e.Value) == 1:
		m.Answer = e.Value[0]
	case e.Tag == tagDeviceFlags && len(e.Value) == 1:
		m.Flags = e.Value[0]
	case e.Tag == tagConfigLock && len(e.Value) == lockCodeLen:
		m.Lock = bytes.Clone(e.Value)
		if bytes.Equal(m.Lock, make([]byte, lockCodeLen)) {
			m.Lock = nil
		}
	default:
		return false
	}
	return true
}
