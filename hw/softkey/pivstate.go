package softkey

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
)

// The key references (SP 800-73-4, part 1, table 4b; Yubico for F9).
const (
	slotPIN            = 0x80
	slotPUK            = 0x81
	slotRetiredFirst   = 0x82
	slotRetiredLast    = 0x95
	slotAuthentication = 0x9a
	slotManagement     = 0x9b
	slotSignature      = 0x9c
	slotKeyManagement  = 0x9d
	slotCardAuth       = 0x9e
	slotAttestation    = 0xf9
)

// The policies of a key (Yubico, "import asymmetric key").
const (
	policyDefault = 0

	pinNever  = 1
	pinOnce   = 2
	pinAlways = 3

	touchNever  = 1
	touchAlways = 2
	touchCached = 3
)

// Where a key came from (Yubico, "get metadata").
const (
	originGenerated = 1
	originImported  = 2
)

// defaultRetries is how many tries a new key's PIN and PUK have.
const defaultRetries = 3

var (
	defaultPIN        = []byte("123456\xff\xff")
	defaultPUK        = []byte("12345678")
	defaultManagement = bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)
)

// pivState is what the PIV applet keeps without power. Keys and objects are replaced, never changed in
// place, so that a copy of the maps is a copy of the state.
type pivState struct {
	PIN        pivReference         `json:"pin"`
	PUK        pivReference         `json:"puk"`
	Management pivManagement        `json:"management"`
	Keys       map[pivSlot]*pivKey  `json:"keys"`
	Objects    map[pivObject][]byte `json:"objects,omitempty"`
}

// pivReference is a PIN or PUK: eight bytes, padded with FF.
type pivReference struct {
	Value []byte `json:"value"`
	Left  int    `json:"left"`
	Max   int    `json:"max"`
}

// pivManagement is the management key.
type pivManagement struct {
	Algorithm byte   `json:"algorithm"`
	Key       []byte `json:"key"`
	Touch     byte   `json:"touch"`
}

// pivKey is a private key in a slot.
type pivKey struct {
	Algorithm byte   `json:"algorithm"`
	PIN       byte   `json:"pin"`
	Touch     byte   `json:"touch"`
	Origin    byte   `json:"origin"`
	Private   []byte `json:"private"` // PKCS #8
}

// pivSlot is a key reference.
type pivSlot byte

// MarshalText writes the reference as people do: "9a".
func (s pivSlot) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, []byte{byte(s)}), nil }

// UnmarshalText reads what MarshalText writes.
func (s *pivSlot) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 1 {
		return fmt.Errorf("%q is no key reference", text)
	}
	*s = pivSlot(b[0])
	return nil
}

// pivObject is the tag of a data object, as a number: 5fc105.
type pivObject uint32

// objectOf returns the tag that a command names; one that is too long is none.
func objectOf(tag []byte) pivObject {
	var o pivObject
	if len(tag) > 3 {
		return o
	}
	for _, b := range tag {
		o = o<<8 | pivObject(b)
	}
	return o
}

// MarshalText writes the tag in hexadecimal.
func (o pivObject) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", uint32(o)), nil }

// UnmarshalText reads what MarshalText writes.
func (o *pivObject) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 24)
	*o = pivObject(n)
	return err
}

// newPIVState is what RESET leaves; the attestation key comes on top.
func newPIVState(v firmware) *pivState {
	s := &pivState{
		PIN:        pivReference{Value: defaultPIN, Left: defaultRetries, Max: defaultRetries},
		PUK:        pivReference{Value: defaultPUK, Left: defaultRetries, Max: defaultRetries},
		Management: pivManagement{Algorithm: alg3DES, Key: defaultManagement, Touch: touchNever},
		Keys:       make(map[pivSlot]*pivKey),
		Objects:    make(map[pivObject][]byte),
	}
	if v.atLeast(5, 7) {
		s.Management.Algorithm = algAES192
	}
	return s
}

func (s *pivState) clone() *pivState {
	if s == nil {
		return nil
	}
	t := *s
	t.Keys, t.Objects = maps.Clone(s.Keys), maps.Clone(s.Objects)
	return &t
}

// hasSlot reports whether the firmware has a slot for private keys.
func (v firmware) hasSlot(slot byte) bool {
	switch slot {
	case slotAuthentication, slotSignature, slotKeyManagement, slotCardAuth:
		return true
	case slotAttestation:
		return v.atLeast(4, 3)
	}
	return v.atLeast(4, 0) && slot >= slotRetiredFirst && slot <= slotRetiredLast
}

// hasObject reports whether the firmware has a place for a data object: those of part 1, table 3, and
// Yubico's own.
func (v firmware) hasObject(o pivObject) bool {
	switch {
	case o >= 0x5fc10d && o <= 0x5fc120: // the retired slots' certificates
		return v.atLeast(4, 0)
	case o >= 0x5fc101 && o <= 0x5fc123:
		return true
	}
	return o >= 0x5fff00 && o <= 0x5fff15
}
