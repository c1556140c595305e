package softkey

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The instructions and tags of the OATH applet (YKOATH; RENAME: yubikit/oath.py).
const (
	insPut           = 0x01
	insDelete        = 0x02
	insSetCode       = 0x03
	insReset         = 0x04
	insRename        = 0x05
	insList          = 0xa1
	insCalculate     = 0xa2
	insValidate      = 0xa3
	insCalculateAll  = 0xa4
	insSendRemaining = 0xa5

	tagName      = 0x71
	tagListEntry = 0x72
	tagKey       = 0x73
	tagChallenge = 0x74
	tagResponse  = 0x75
	tagTruncated = 0x76
	tagHOTP      = 0x77
	tagProperty  = 0x78
	tagVersion   = 0x79
	tagCounter   = 0x7a
	tagAlgorithm = 0x7b
	tagTouch     = 0x7c
	tagSerial    = 0x8f // Nitrokey trussed-secrets-app, src/authenticator.rs

	// TagSoft marks a soft key in the answer to a SELECT with Le. Most programs skip tags that they do not know; one
	// that does not, OpenConnect, sends no Le.
	TagSoft = 0x8e
	// SoftMarker is the value of TagSoft.
	SoftMarker = "oathd soft key"
)

// aidOATH is what most clients select; the whole AID has a byte more, which yubikit-android and YKOATH's examples send.
var (
	aidOATH      = []byte{0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01}
	aidOATHWhole = append(aidOATH[:len(aidOATH):len(aidOATH)], 0x01)
)

// oathApplet is the OATH applet.
type oathApplet struct {
	p      *personality
	state  *state
	serial uint32
	random io.Reader

	unlocked  bool   // VALIDATE succeeded since the last SELECT (or there is no code)
	challenge []byte // what VALIDATE has to answer; nil if SELECT gave none
}

// open answers SELECT; with a code set, the answer carries a challenge that is new each time.
func (a *oathApplet) open(fresh bool) []byte {
	if fresh || !a.p.staysUnlocked {
		a.unlocked = false
	}
	b := tlv.Append(nil, tagVersion, a.p.version[:]...)
	b = tlv.Append(b, tagName, a.state.Salt...)
	if a.challenge = nil; a.state.Code != nil {
		a.challenge = a.draw()
		b = tlv.Append(b, tagChallenge, a.challenge...)
	}
	if a.state.Code != nil || a.p.alwaysAlg {
		b = tlv.Append(b, tagAlgorithm, a.codeAlgorithm())
	}
	if a.p.showsSerial {
		b = tlv.Append(b, tagSerial, binary.BigEndian.AppendUint32(nil, a.serial)...)
	}
	return b
}

// mark is what the answer to a SELECT that asks for one has at its end.
func (a *oathApplet) mark() []byte { return tlv.Append(nil, TagSoft, []byte(SoftMarker)...) }

// draw returns a new salt or challenge.
func (a *oathApplet) draw() []byte {
	b := make([]byte, saltLen)
	_, _ = io.ReadFull(a.random, b) // crypto/rand never fails; a test's source that ends leaves zeros
	return b
}

// codeAlgorithm is what SELECT says of the code: HMAC-SHA-1 is the one algorithm that there is, but
// ykneo-oath repeats the byte that came with SET CODE.
func (a *oathApplet) codeAlgorithm() byte {
	if a.p.wholeAlg {
		return a.state.Code[0]
	}
	return algSHA1
}

// handler is one instruction of the applet.
type handler struct {
	params []uint16 // the values of P1P2 that it takes
	open   bool     // works without the code
	run    func(*oathApplet, command) effect
}

var oathHandlers = map[byte]handler{
	insPut:          {params: []uint16{0}, run: (*oathApplet).put},
	insDelete:       {params: []uint16{0}, run: (*oathApplet).delete},
	insSetCode:      {params: []uint16{0}, run: (*oathApplet).setCode},
	insReset:        {params: []uint16{0xdead}, open: true, run: (*oathApplet).resetAll},
	insRename:       {params: []uint16{0}, run: (*oathApplet).rename},
	insList:         {params: []uint16{0}, run: (*oathApplet).list},
	insCalculate:    {params: []uint16{0, 1}, run: (*oathApplet).calculate},
	insValidate:     {params: []uint16{0}, open: true, run: (*oathApplet).validate},
	insCalculateAll: {params: []uint16{0, 1}, run: (*oathApplet).calculateAll},
	insSendRemaining: {params: []uint16{0}, run: func(a *oathApplet, _ command) effect {
		return a.nothingRemains()
	}},
}

// handles reports whether the personality has the instruction at all.
func (p *personality) handles(ins byte) bool {
	switch ins {
	case insRename:
		return p.rename
	case insReset:
		return p.reset
	case insCalculateAll:
		return p.calculateAll
	case insSetCode, insValidate:
		return p.password
	}
	return true
}

func (a *oathApplet) execute(c command) effect {
	h, ok := oathHandlers[c.ins]
	if !ok || !a.p.handles(c.ins) {
		return fail(hw.StatusInsUnknown)
	}
	if !h.open && a.locked() {
		return fail(hw.StatusAuthRequired)
	}
	if !slices.Contains(h.params, c.params()) || c.ins == insCalculate && a.p.truncatedOnly && c.p2 == 0 {
		return fail(a.p.unknownParams)
	}
	return h.run(a, c)
}

func (a *oathApplet) locked() bool { return a.state.Code != nil && !a.unlocked }

// wantsTouch says which commands a person confirms: CALCULATE with a touch credential, and on
// some makes its PUT, and RESET.
func (a *oathApplet) wantsTouch(c command) bool {
	if !a.p.touch || (a.locked() && c.ins != insReset) {
		return false
	}
	e := elements(c.data)
	switch c.ins {
	case insCalculate:
		name, _ := e.take(tagName)
		cred := a.state.find(name)
		return cred != nil && cred.Property&propTouch != 0
	case insPut:
		p, err := a.parsePut(c.data)
		return a.p.pressToPut && err == nil && p.Property&propTouch != 0
	case insReset:
		return a.p.pressToPut && c.params() == 0xdead
	}
	return false
}

// nothingRemains answers SEND REMAINING where no answer waits to be fetched (canokey-core: 6985;
// ykneo-oath sends an empty answer).
func (a *oathApplet) nothingRemains() effect {
	if a.p.nothingLeft != 0 {
		return fail(a.p.nothingLeft)
	}
	return done(nil)
}

func fail(s hw.Status) effect { return effect{status: s} }

func done(data []byte) effect { return effect{data: data, status: hw.StatusOK} }
