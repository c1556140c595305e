package softkey

import (
	"bytes"
	"crypto/hmac"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// setCode sets the code that guards the applet, or clears it.
func (a *oathApplet) setCode(c command) effect {
	e := elements(c.data)
	key, ok := e.take(tagKey)
	if !ok && len(c.data) > 0 {
		return fail(hw.StatusWrongData)
	}
	if len(key) == 0 {
		a.state.Code, a.unlocked = nil, false
		return effect{status: hw.StatusOK, changed: true}
	}
	challenge, ok1 := e.take(tagChallenge)
	response, ok2 := e.take(tagResponse)
	if !ok1 || !ok2 || newHash(key[0]&maskAlg) == nil {
		return fail(hw.StatusWrongData)
	}
	if t := key[0] & maskType; a.p.strictCode && t != typeHOTP && t != typeTOTP {
		return fail(hw.StatusDataInvalid)
	}
	if !hmac.Equal(mac(key[0]&maskAlg, key[1:], challenge), response) {
		return fail(hw.StatusDataInvalid)
	}
	a.unlocked = !a.p.setCodeLocks
	a.state.Code = bytes.Clone(key)
	return effect{status: hw.StatusOK, changed: true, work: work{hashes: [4]int{algSHA1: 1}}}
}

// validate checks the answer to the challenge of SELECT, and answers the client's own.
func (a *oathApplet) validate(c command) effect {
	if a.state.Code == nil {
		return fail(hw.StatusDataInvalid)
	}
	e := elements(c.data)
	response, ok1 := e.take(tagResponse)
	challenge, ok2 := e.take(tagChallenge)
	if !ok1 || !ok2 || a.challenge == nil {
		return fail(hw.StatusWrongData)
	}
	alg, key := a.state.Code[0]&maskAlg, a.state.Code[1:]
	a.unlocked = hmac.Equal(mac(alg, key, a.challenge), response)
	if !a.unlocked {
		return fail(a.p.wrongCode)
	}
	answer := done(tlv.Append(nil, tagResponse, mac(alg, key, challenge)...))
	answer.work.hashes[algSHA1] = 2
	return answer
}
