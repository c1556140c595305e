package softkey

import (
	"slices"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The PIV applet: NIST SP 800-73-4, part 2, with Yubico's extensions
// (developers.yubico.com/PIV/Introduction/Yubico_extensions.html, and the APDUs in
// docs.yubico.com/yesdk/users-manual/application-piv). The instructions' section numbers are those of SP 800-73-4.
const (
	insPIVVerify        = 0x20 // 3.2.1
	insPIVChange        = 0x24 // 3.2.2
	insPIVResetRetry    = 0x2c // 3.2.3
	insPIVGenerate      = 0x47 // 3.3.2
	insPIVAuthenticate  = 0x87 // 3.2.4
	insPIVGetData       = 0xcb // 3.1.2
	insPIVPutData       = 0xdb // 3.3.1
	insPIVMoveKey       = 0xf6 // Yubico, as are all that follow
	insPIVMetadata      = 0xf7
	insPIVSerial        = 0xf8
	insPIVAttest        = 0xf9
	insPIVSetRetries    = 0xfa
	insPIVReset         = 0xfb
	insPIVVersion       = 0xfd
	insPIVImport        = 0xfe
	insPIVSetManagement = 0xff

	statusNoReference hw.Status = 0x6a88
	statusWrongP1P2   hw.Status = 0x6a86
)

// aidPIV is the whole AID with its version; clients select by any part of it (part 1, 2.2).
var aidPIV = []byte{0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00}

// firmware is a version of the PIV applet; on a YubiKey 4 and later that of the firmware.
type firmware [3]byte

func (v firmware) atLeast(major, minor byte) bool {
	return v[0] > major || v[0] == major && v[1] >= minor
}

// pivApplet is the PIV applet.
type pivApplet struct {
	version    firmware
	state      *state
	serial     uint32 // 0: hidden
	formFactor byte   // 0: unknown

	verified bool // the PIN is
	// fresh: the command before this one was a VERIFY that succeeded; PIN policy "always" wants that.
	fresh     bool
	managed   bool      // the management key is authenticated
	challenge []byte    // what the client has to answer for that, in clear
	touchedAt time.Time // for the policy "cached"
}

// open answers SELECT with the application property template (3.1.1, as a YubiKey fills it). Selecting
// the application that is selected already leaves what was verified as it is (ibid.).
func (a *pivApplet) open(fresh bool) []byte {
	if a.state.PIV == nil {
		a.state.PIV = newPIVState(a.version)
		a.state.PIV.addAttestor(a.version)
	}
	if fresh {
		a.leave()
	}
	authority := tlv.Append(nil, 0x4f, aidPIV[:5]...)
	template := tlv.Append(nil, 0x4f, aidPIV[5:]...)
	return tlv.Append(nil, 0x61, tlv.Append(template, 0x79, authority...)...)
}

// leave forgets what was verified: another application is selected, or power was lost.
func (a *pivApplet) leave() {
	a.verified, a.fresh, a.managed, a.challenge = false, false, false, nil
	a.touchedAt = time.Time{}
}

// pivHandler is one instruction.
type pivHandler struct {
	since firmware
	// managed: the management key has to be authenticated.
	managed bool
	run     func(*pivApplet, command) effect
}

var pivHandlers = map[byte]pivHandler{
	insPIVVerify:        {run: (*pivApplet).verify},
	insPIVChange:        {run: (*pivApplet).changeReference},
	insPIVResetRetry:    {run: (*pivApplet).resetRetry},
	insPIVAuthenticate:  {run: (*pivApplet).authenticate},
	insPIVGetData:       {run: (*pivApplet).getData},
	insPIVVersion:       {run: (*pivApplet).getVersion},
	insPIVReset:         {run: (*pivApplet).reset},
	insPIVAttest:        {run: (*pivApplet).attest, since: firmware{4, 3, 0}},
	insPIVSerial:        {run: (*pivApplet).getSerial, since: firmware{5, 0, 0}},
	insPIVMetadata:      {run: (*pivApplet).metadata, since: firmware{5, 3, 0}},
	insPIVPutData:       {run: (*pivApplet).putData, managed: true},
	insPIVGenerate:      {run: (*pivApplet).generate, managed: true},
	insPIVImport:        {run: (*pivApplet).importKey, managed: true},
	insPIVSetManagement: {run: (*pivApplet).setManagement, managed: true},
	insPIVSetRetries:    {run: (*pivApplet).setRetries, managed: true},
	insPIVMoveKey:       {run: (*pivApplet).moveKey, managed: true, since: firmware{5, 7, 0}},
}

func (a *pivApplet) execute(c command) effect {
	h, ok := pivHandlers[c.ins]
	if !ok || !a.version.atLeast(h.since[0], h.since[1]) {
		return fail(hw.StatusInsUnknown)
	}
	if h.managed && !a.managed {
		return fail(hw.StatusAuthRequired)
	}
	e := h.run(a, c)
	a.fresh = c.ins == insPIVVerify && len(c.data) > 0 && e.status == hw.StatusOK
	return e
}

// wantsTouch reports whether c is a use of a private key or the management key whose policy asks for a
// touch, and which would succeed but for that.
func (a *pivApplet) wantsTouch(c command) bool {
	if c.ins != insPIVAuthenticate {
		return false
	}
	if c.p2 == slotManagement {
		template, ok := authTemplate(c.data)
		return ok && a.state.PIV.Management.Touch != touchNever && a.challenge != nil && template.answers()
	}
	k, status := a.usable(c)
	if status != hw.StatusOK {
		return false
	}
	return k.Touch == touchAlways || k.Touch == touchCached && time.Since(a.touchedAt) >= touchCacheTime
}

// usable returns the key that GENERAL AUTHENTICATE names, or why it cannot be used now.
func (a *pivApplet) usable(c command) (*pivKey, hw.Status) {
	k := a.state.PIV.Keys[pivSlot(c.p2)]
	switch {
	case k == nil || c.p2 == slotAttestation, k.Algorithm != c.p1:
		return nil, hw.StatusWrongData
	case k.PIN == pinOnce && !a.verified, k.PIN == pinAlways && !a.fresh:
		return nil, hw.StatusAuthRequired
	}
	return k, hw.StatusOK
}

func (a *pivApplet) getVersion(command) effect { return done(slices.Clone(a.version[:])) }

// getSerial answers GET SERIAL. What a key does whose owner has hidden the number is not documented.
func (a *pivApplet) getSerial(command) effect {
	if a.serial == 0 {
		return fail(hw.StatusInsUnknown)
	}
	return done([]byte{byte(a.serial >> 24), byte(a.serial >> 16), byte(a.serial >> 8), byte(a.serial)})
}
