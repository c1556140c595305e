package softkey

import (
	"bytes"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

const (
	tagObject  = 0x53 // an object's content (SP 800-73-4, part 2, table 8)
	tagTagList = 0x5c // which object

	// paramsObject is P1P2 of GET DATA and PUT DATA (part 2, 3.1.2).
	paramsObject = 0x3fff

	// maxObject is the longest object of a YubiKey 4 or 5, maxObjectNEO that of a NEO (yubico-piv-tool,
	// lib/ykpiv.h, CB_OBJ_MAX).
	maxObject    = 3063
	maxObjectNEO = 2048
)

// The objects that the applet knows as more than bytes.
const (
	objectDiscovery   pivObject = 0x7e
	objectPrinted     pivObject = 0x5fc109
	objectFingers     pivObject = 0x5fc103
	objectFace        pivObject = 0x5fc108
	objectIris        pivObject = 0x5fc121
	objectAttestation pivObject = 0x5fff01
)

// getData answers GET DATA. Four objects can be read only after the PIN (part 1, table 2).
func (a *pivApplet) getData(c command) effect {
	e := elements(c.data)
	tag, ok := e.take(tagTagList)
	if !ok || c.params() != paramsObject {
		return fail(hw.StatusWrongData)
	}
	o := objectOf(tag)
	switch o {
	case objectDiscovery:
		return done(discovery())
	case objectPrinted, objectFingers, objectFace, objectIris:
		if !a.verified {
			return fail(hw.StatusAuthRequired)
		}
	}
	content, ok := a.state.PIV.Objects[o]
	if !ok {
		return fail(hw.StatusFileNotFound)
	}
	return done(tlv.Append(nil, tagObject, content...))
}

// discovery is the discovery object: the AID, and that the PIN alone is used (part 1, 3.3.2).
func discovery() []byte {
	b := tlv.Append(nil, 0x4f, aidPIV...)
	b = append(b, 0x5f, 0x2f, 2, 0x40, 0x00)
	return tlv.Append(nil, 0x7e, b...)
}

// putData answers PUT DATA; an empty object is deleted (part 2, 3.3.1).
func (a *pivApplet) putData(c command) effect {
	e := elements(c.data)
	tag, ok1 := e.take(tagTagList)
	content, ok2 := e.take(tagObject)
	switch {
	case !ok1, !ok2, c.params() != paramsObject:
		return fail(hw.StatusWrongData)
	case !a.version.hasObject(objectOf(tag)):
		return fail(hw.StatusFileNotFound)
	case len(content) > a.version.maxObject():
		return fail(hw.StatusNoSpace)
	case len(content) == 0:
		delete(a.state.PIV.Objects, objectOf(tag))
	default:
		a.state.PIV.Objects[objectOf(tag)] = bytes.Clone(content)
	}
	return effect{status: hw.StatusOK, changed: true}
}

func (v firmware) maxObject() int {
	if v.atLeast(4, 0) {
		return maxObject
	}
	return maxObjectNEO
}

// The tags of GET METADATA (Yubico, "get metadata").
const (
	tagMetaAlgorithm = 0x01
	tagMetaPolicy    = 0x02
	tagMetaOrigin    = 0x03
	tagMetaPublic    = 0x04
	tagMetaDefault   = 0x05
	tagMetaRetries   = 0x06

	algReference = 0xff // of a PIN or PUK
)

// metadata answers GET METADATA.
func (a *pivApplet) metadata(c command) effect {
	s := a.state.PIV
	switch c.params() {
	case slotPIN:
		return done(s.PIN.metadata(defaultPIN))
	case slotPUK:
		return done(s.PUK.metadata(defaultPUK))
	case slotManagement:
		factory := newPIVState(a.version).Management
		b := tlv.Append(nil, tagMetaAlgorithm, s.Management.Algorithm)
		b = tlv.Append(b, tagMetaPolicy, policyDefault, s.Management.Touch)
		same := s.Management.Algorithm == factory.Algorithm && bytes.Equal(s.Management.Key, factory.Key)
		return done(tlv.Append(b, tagMetaDefault, flag(same)))
	}
	k := s.Keys[pivSlot(c.p2)]
	if k == nil || c.p1 != 0 {
		return fail(statusNoReference)
	}
	b := tlv.Append(nil, tagMetaAlgorithm, k.Algorithm)
	b = tlv.Append(b, tagMetaPolicy, k.PIN, k.Touch)
	b = tlv.Append(b, tagMetaOrigin, k.Origin)
	return done(tlv.Append(b, tagMetaPublic, k.public()...))
}

func (r *pivReference) metadata(factory []byte) []byte {
	b := tlv.Append(nil, tagMetaAlgorithm, algReference)
	b = tlv.Append(b, tagMetaDefault, flag(bytes.Equal(r.Value, factory)))
	return tlv.Append(b, tagMetaRetries, byte(r.Max), byte(r.Left))
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}
