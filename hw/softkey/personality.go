package softkey

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/oathd/oathd/hw"
)

// chunking is how an applet cuts an answer that is longer than the expected length.
type chunking int

const (
	// chunkBytes cuts anywhere, and 61xx tells how much is left (YubiKey).
	chunkBytes chunking = iota
	// chunkEntries cuts between entries and always says 61FF (CanoKey); an APDU without Le asks for
	// nothing, and gets it.
	chunkEntries
	// chunkNever sends everything at once, whatever was expected, but for the last two bytes where it would fill
	// whole USB packets (pico-fido: pico-keys-sdk, src/apdu.c, apdu_finish).
	chunkNever
)

// personality is what distinguishes one make and firmware from another. The zero value of a field is
// what most applets do; the source of each personality stands beside it.
type personality struct {
	name string
	atr  []byte
	// nfc is the ATR over NFC; nil if the key has no NFC.
	nfc      []byte
	version  [3]byte
	piv      firmware // of the PIV applet; zero if there is none
	extended bool     // takes extended APDUs over USB
	chunking chunking
	chunk    int // bytes of an answer at most, for chunkBytes
	// getResponse: not the applet cuts long answers, but what is around it, and GET RESPONSE fetches the rest.
	getResponse bool
	nothingLeft hw.Status // SEND REMAINING when nothing remains; 0: 9000
	mgmt        *deviceInfo

	// garbles: a command in the middle of an undrained answer gets a part of that answer (NEO).
	garbles bool

	capacity  int // credentials at most; 0: limited by listLimit alone
	listLimit int // bytes that the answer to LIST and CALCULATE ALL may have in all (NEO); 0: no limit
	full      hw.Status

	sha512, touch, rename, reset bool
	calculateAll, password       bool

	overwrites       bool      // PUT onto an existing name replaces it; else it fails with exists
	exists           hw.Status // PUT and RENAME onto an existing name
	renameOverwrites bool      // RENAME onto an existing name succeeds and leaves two of that name
	prefixOverwrites bool      // PUT also replaces a credential whose name begins with the new one
	looseNames       bool      // empty names, and names longer than 64 bytes
	notFound         hw.Status
	badAlgorithm     hw.Status
	minKey           int // bytes of a key at least

	reduces         bool // a truncated answer is reduced mod 10^digits
	truncatedOnly   bool // CALCULATE takes P2 01 alone
	maxChallenge    int  // 0: any
	hotpNeedsTag    bool // CALCULATE of HOTP without a 74 is an error
	hotpIncrements  bool // the first HOTP code is that of counter + 1
	ignoresProperty bool // "only increasing" is stored and forgotten
	pressToPut      bool // touch at PUT of a touch credential and at RESET

	wrongCode     hw.Status // VALIDATE with a wrong response
	strictCode    bool      // SET CODE wants type 1x or 2x
	setCodeLocks  bool      // after SET CODE the session has to VALIDATE
	staysUnlocked bool      // a second SELECT does not lock again
	keepsSalt     bool      // RESET leaves the salt as it is
	showsSerial   bool      // SELECT carries the serial number (8F)
	alwaysAlg     bool      // SELECT names the algorithm of the code (7B) even if none is set
	wholeAlg      bool      // the 7B is the code's type|algorithm, not the algorithm alone
	unknownParams hw.Status // the answer to a P1P2 that the instruction does not have
	sortsByHash   bool      // LIST is in the order of the names' hashes
}

// yubiKey5 is what the firmware versions of the YubiKey 5 have in common.
func yubiKey5(name string, patch func(*personality)) personality {
	p := personality{
		name:    name,
		atr:     unhex("3bfd1300008131fe158073c021c057597562694b657940"),
		nfc:     unhex("3b8d80018073c021c057597562694b6579f9"),
		version: [3]byte{5, 4, 3}, extended: true, chunk: 256,
		mgmt:     &deviceInfo{supported: 0x023f, enabled: 0x0030, formFactor: 0x01, nfc: true},
		capacity: 32, full: hw.StatusNoSpace,
		sha512: true, touch: true, rename: true, reset: true, calculateAll: true, password: true,
		overwrites: true, exists: hw.StatusDataInvalid, notFound: hw.StatusDataInvalid,
		badAlgorithm: hw.StatusWrongData, minKey: 14,
		reduces: true, wrongCode: hw.StatusWrongData, unknownParams: hw.StatusWrongParams,
	}
	patch(&p)
	p.piv = p.version
	return p
}

var personalities = []personality{
	yubiKey5("yubikey-5.7", func(p *personality) {
		p.version = [3]byte{5, 7, 1}
		p.capacity = 64
		p.mgmt = &deviceInfo{supported: 0x033f, enabled: 0x0030, formFactor: 0x03, nfc: true, pages: true}
	}),
	yubiKey5("yubikey-5.4", func(*personality) {}),
	yubiKey5("yubikey-4.3", func(p *personality) {
		p.atr = unhex("3bf81300008131fe15597562696b657934d4")
		p.nfc = nil
		p.version = [3]byte{4, 3, 4}
		p.mgmt = &deviceInfo{supported: 0x3f, enabled: 0x30, oneByte: true}
		p.rename = false
		p.prefixOverwrites = true // yubikey-manager, ykman/cli/oath.py: 4.0.0 < version < 4.3.5
	}),
	{ // ykneo-oath 1.0.2, OathObj.java and YkneoOath.java
		name:    "neo",
		atr:     unhex("3bfc1300008131fe15597562696b65794e454f7233e1"),
		nfc:     unhex("3b8c8001597562696b65794e454f723358"),
		version: [3]byte{1, 0, 2}, piv: firmware{1, 0, 4}, chunk: 254, garbles: true,
		listLimit: 2048, full: hw.StatusNoSpace,
		reset: true, calculateAll: true, password: true,
		overwrites: true, notFound: hw.StatusDataInvalid, badAlgorithm: hw.StatusWrongData, minKey: 1,
		maxChallenge: 64, hotpNeedsTag: true,
		wrongCode: hw.StatusWrongData, strictCode: true, setCodeLocks: true, wholeAlg: true,
		unknownParams: hw.StatusWrongParams,
	},
	{ // Nitrokey trussed-secrets-app, src/authenticator.rs; apdu-dispatch, src/dispatch.rs
		name:    "nitrokey-3",
		atr:     unhex("3b8f01805d4e6974726f6b657900000000006a"),
		version: [3]byte{4, 13, 0}, extended: true, chunk: 256, getResponse: true, nothingLeft: hw.StatusConditions,
		capacity: 50, full: hw.StatusNoSpace,
		touch: true, reset: true,
		exists: hw.StatusAuthBlocked, notFound: hw.StatusFileNotFound,
		badAlgorithm: hw.StatusNotSupported, minKey: 1,
		truncatedOnly: true, hotpNeedsTag: true, ignoresProperty: true, pressToPut: true,
		showsSerial: true, unknownParams: hw.StatusInsUnknown, sortsByHash: true,
	},
	{ // canokey-core, applets/oath/oath.c
		name:    "canokey",
		atr:     unhex("3bf71100008131fe6543616e6f6b657999"),
		version: [3]byte{6, 0, 0}, extended: true, chunking: chunkEntries, nothingLeft: hw.StatusConditions,
		capacity: 100, full: hw.StatusNoSpace,
		sha512: true, touch: true, rename: true, calculateAll: true, password: true,
		exists: hw.StatusConditions, notFound: hw.StatusDataInvalid,
		badAlgorithm: hw.StatusWrongData, minKey: 1,
		maxChallenge: 8, hotpIncrements: true,
		wrongCode: hw.StatusWrongData, setCodeLocks: true, staysUnlocked: true,
		unknownParams: hw.StatusWrongParams,
	},
	{ // pico-fido 8.0.0, src/fido/oath.c and management.c
		name:    "pico-fido",
		atr:     unhex("3bfd1300008131fe158073c021c057597562694b657940"),
		version: [3]byte{8, 0, 0}, extended: true, chunking: chunkNever, getResponse: true,
		mgmt:     &deviceInfo{supported: 0x0223, enabled: 0x0020, formFactor: 0x01, plainName: true},
		capacity: 130, full: hw.StatusWrongLength,
		// No touch: the property has no length, and its parser wants one (pico-keys-sdk, src/tlv.c).
		sha512: true, rename: true, reset: true, calculateAll: true, password: true,
		overwrites: true, renameOverwrites: true, looseNames: true,
		notFound: hw.StatusDataInvalid, badAlgorithm: hw.StatusWrongData, minKey: 1,
		ignoresProperty: true,
		wrongCode:       hw.StatusDataInvalid, setCodeLocks: true, keepsSalt: true, alwaysAlg: true,
		unknownParams: hw.StatusWrongParams,
	},
}

// Personalities returns the names of the makes and firmware versions that a key can have.
func Personalities() []string {
	names := make([]string, len(personalities))
	for i := range personalities {
		names[i] = personalities[i].name
	}
	return names
}

func lookupPersonality(name string) (*personality, error) {
	if name == "" {
		return &personalities[0], nil
	}
	i := slices.IndexFunc(personalities, func(p personality) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("unknown personality %q: it is one of %s", name, strings.Join(Personalities(), ", "))
	}
	return &personalities[i], nil
}

// saltLen is the length of a salt, and of a challenge (YKOATH, "SELECT").
const saltLen = 8

// newSalt returns the salt of a new key. Where RESET keeps it, it comes from the hardware, as the
// board's id does on a Pico; here it comes from the serial number, if there is one.
func (p *personality) newSalt(random io.Reader, serial uint32) ([]byte, error) {
	if p.keepsSalt && serial != 0 {
		return fmt.Appendf(nil, "%08x", serial), nil
	}
	salt := make([]byte, saltLen)
	_, err := io.ReadFull(random, salt)
	return salt, err
}

// applications returns the applications that the personality has.
func (p *personality) applications(k *Key) []*application {
	serial := k.options.Serial
	if k.options.HideSerial {
		serial = 0
	}
	more := byte(insSendRemaining)
	if p.getResponse {
		more = insGetResponse
	}
	list := []*application{{
		aid: aidOATHWhole, more: more, capability: capabilityOATH,
		applet: &oathApplet{p: p, state: k.state, serial: serial, random: k.options.Random},
	}}
	var formFactor byte
	if p.mgmt != nil {
		formFactor = p.mgmt.formFactor
		list = append(list, &application{
			aid: aidManagement, more: insGetResponse,
			applet: &mgmtApplet{info: p.mgmt, state: k.state, version: p.version, serial: serial},
		})
	}
	if p.piv == (firmware{}) {
		return list
	}
	return append(list, &application{
		aid: aidPIV, more: insGetResponse, capability: capabilityPIV,
		applet: &pivApplet{version: p.piv, state: k.state, serial: serial, formFactor: formFactor},
	})
}
