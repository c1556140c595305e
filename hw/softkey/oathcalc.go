package softkey

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

const (
	algSHA1   = 1
	algSHA256 = 2
	algSHA512 = 3
)

// newHash returns the hash of an algorithm's number, nil if there is none. The arithmetic here is
// the standard library's and not package oath's, so that each checks the other.
func newHash(alg byte) func() hash.Hash {
	switch alg {
	case algSHA1:
		return sha1.New
	case algSHA256:
		return sha256.New
	case algSHA512:
		return sha512.New
	}
	return nil
}

func mac(alg byte, key, message []byte) []byte {
	h := hmac.New(newHash(alg), key)
	h.Write(message)
	return h.Sum(nil)
}

// calculate answers CALCULATE.
func (a *oathApplet) calculate(c command) effect {
	e := elements(c.data)
	name, ok := e.take(tagName)
	if !ok {
		return fail(hw.StatusWrongData)
	}
	cred := a.state.find(name)
	if cred == nil {
		return fail(a.p.notFound)
	}
	challenge, ok := e.take(tagChallenge)
	if cred.hotp() {
		if !ok && a.p.hotpNeedsTag {
			return fail(hw.StatusWrongData)
		}
		return a.calculateHOTP(cred, c.p2)
	}
	if !ok || !a.validChallenge(challenge) {
		return fail(hw.StatusWrongData)
	}
	if !a.advance(cred, challenge) {
		return fail(hw.StatusAuthRequired)
	}
	answer := effect{data: a.response(cred, challenge, c.p2), status: hw.StatusOK, changed: cred.increasing()}
	answer.work.hash(cred.Kind)
	return answer
}

// calculateHOTP uses the counter up; the challenge that came with the command does not matter.
func (a *oathApplet) calculateHOTP(cred *credential, p2 byte) effect {
	if a.p.hotpIncrements {
		cred.Counter++
	}
	answer := effect{data: a.response(cred, binary.BigEndian.AppendUint64(nil, cred.Counter), p2), status: hw.StatusOK, changed: true}
	if !a.p.hotpIncrements {
		cred.Counter++
	}
	answer.work.hash(cred.Kind)
	answer.work.counters++
	return answer
}

func (a *oathApplet) validChallenge(challenge []byte) bool {
	return len(challenge) > 0 && (a.p.maxChallenge == 0 || len(challenge) <= a.p.maxChallenge)
}

// advance keeps the highest challenge of an "only increasing" credential; it reports false for one
// that is lower than that.
func (a *oathApplet) advance(cred *credential, challenge []byte) bool {
	if !cred.increasing() || a.p.ignoresProperty {
		return true
	}
	width := max(len(cred.Last), len(challenge))
	if bytes.Compare(leftPad(challenge, width), leftPad(cred.Last, width)) < 0 {
		return false
	}
	cred.Last = bytes.Clone(challenge)
	return true
}

func leftPad(b []byte, width int) []byte { return append(make([]byte, width-len(b)), b...) }

// calculateAll answers CALCULATE ALL: HOTP and touch credentials are named without a response. One
// "only increasing" credential that refuses the challenge makes the whole command fail, as does an
// answer that outgrows a NEO's buffer.
func (a *oathApplet) calculateAll(c command) effect {
	in := elements(c.data)
	challenge, ok := in.take(tagChallenge)
	if !ok || !a.validChallenge(challenge) {
		return fail(hw.StatusWrongData)
	}
	e := effect{status: hw.StatusOK, listing: true}
	for cred := range a.state.all() {
		e.data = tlv.Append(e.data, tagName, cred.ID...)
		switch {
		case cred.hotp():
			e.data = tlv.Append(e.data, tagHOTP, cred.Digits)
		case cred.Property&propTouch != 0 && a.p.touch:
			e.data = tlv.Append(e.data, tagTouch, cred.Digits)
		case !a.advance(cred, challenge):
			return effect{status: hw.StatusAuthRequired, changed: e.changed}
		default:
			e.data = append(e.data, a.response(cred, challenge, c.p2)...)
			e.changed = e.changed || cred.increasing()
			e.work.hash(cred.Kind)
		}
	}
	if a.p.listLimit > 0 && len(e.data) > a.p.listLimit {
		return fail(hw.StatusNoSpaceNEO)
	}
	return e
}

// response returns a 75 with the whole HMAC, or a 76 with its truncation.
func (a *oathApplet) response(cred *credential, challenge []byte, p2 byte) []byte {
	sum := mac(cred.Kind&maskAlg, cred.Key, challenge)
	if p2 == 0 {
		return tlv.Append(nil, tagResponse, append([]byte{cred.Digits}, sum...)...)
	}
	offset := sum[len(sum)-1] & 0x0f
	code := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	if a.p.reduces {
		code %= powersOfTen[cred.Digits]
	}
	return tlv.Append(nil, tagTruncated, binary.BigEndian.AppendUint32([]byte{cred.Digits}, code)...)
}

var powersOfTen = [...]uint32{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}
