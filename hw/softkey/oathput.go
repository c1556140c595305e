package softkey

import (
	"bytes"
	"encoding/binary"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

const (
	maxName = 64 // YKOATH, "PUT"

	propIncreasing = 0x01
	propTouch      = 0x02

	typeHOTP = 0x10
	typeTOTP = 0x20
	maskType = 0xf0
	maskAlg  = 0x0f

	// entryOverhead is what a credential takes in an answer of CALCULATE ALL beside its name
	// (ykneo-oath, YkneoOath.java, calculateTotalLen).
	entryOverhead = 9
)

// put stores a credential.
func (a *oathApplet) put(c command) effect {
	cred, err := a.parsePut(c.data)
	if err != nil {
		return fail(*err)
	}
	i := a.state.index(cred.ID)
	if i < 0 && a.p.prefixOverwrites {
		i = a.state.indexFunc(func(old *credential) bool { return bytes.HasPrefix(old.ID, cred.ID) })
	}
	switch {
	case i >= 0 && !a.p.overwrites:
		return fail(a.p.exists)
	case (i < 0 || a.p.listLimit > 0) && a.full(cred.ID):
		return fail(a.p.full)
	}
	a.state.store(i, cred)
	if a.p.sortsByHash {
		a.state.sortByHash()
	}
	return effect{status: hw.StatusOK, changed: true}
}

// full reports whether there is no room for one more credential of that name.
func (a *oathApplet) full(id []byte) bool {
	if a.p.capacity > 0 && a.state.count() >= a.p.capacity {
		return true
	}
	if a.p.listLimit == 0 {
		return false
	}
	size := len(id) + entryOverhead
	for cred := range a.state.all() {
		size += len(cred.ID) + entryOverhead
	}
	return size > a.p.listLimit
}

// parsePut reads a PUT: name, key, then perhaps a property (without a length) and a counter.
func (a *oathApplet) parsePut(data []byte) (*credential, *hw.Status) {
	malformed := hw.StatusWrongData
	e := elements(data)
	name, ok := e.take(tagName)
	if !ok || !a.validName(name) {
		return nil, &malformed
	}
	key, ok := e.take(tagKey)
	if !ok || len(key) < 2+a.p.minKey {
		return nil, &malformed
	}
	cred := &credential{ID: bytes.Clone(name), Kind: key[0], Digits: key[1], Key: bytes.Clone(key[2:])}
	cred.Property, _ = e.takeBare(tagProperty)
	if counter, ok := e.take(tagCounter); ok {
		if len(counter) != 4 {
			return nil, &malformed
		}
		cred.Counter = uint64(binary.BigEndian.Uint32(counter))
	}
	if len(e) > 0 {
		return nil, &malformed
	}
	return cred, a.checkKind(cred)
}

func (a *oathApplet) validName(name []byte) bool {
	return a.p.looseNames || len(name) > 0 && len(name) <= maxName
}

func (a *oathApplet) checkKind(cred *credential) *hw.Status {
	malformed := hw.StatusWrongData
	alg := cred.Kind & maskAlg
	if alg == algSHA512 && !a.p.sha512 {
		return &a.p.badAlgorithm
	}
	if t := cred.Kind & maskType; t != typeHOTP && t != typeTOTP {
		return &malformed
	}
	if newHash(alg) == nil || len(cred.Key) > newHash(alg)().BlockSize() || cred.Digits < 4 || cred.Digits > 8 {
		return &malformed
	}
	return nil
}

// delete removes a credential; its place is the first to be used again.
func (a *oathApplet) delete(c command) effect {
	e := elements(c.data)
	name, ok := e.take(tagName)
	if !ok {
		return fail(hw.StatusWrongData)
	}
	i := a.state.index(name)
	if i < 0 {
		return fail(a.p.notFound)
	}
	a.state.Credentials[i] = nil
	return effect{status: hw.StatusOK, changed: true}
}

// rename gives a credential another name.
func (a *oathApplet) rename(c command) effect {
	e := elements(c.data)
	from, ok1 := e.take(tagName)
	to, ok2 := e.take(tagName)
	if !ok1 || !ok2 || !a.validName(to) {
		return fail(hw.StatusWrongData)
	}
	cred := a.state.find(from)
	if cred == nil {
		return fail(a.p.notFound)
	}
	if a.state.find(to) != nil && !a.p.renameOverwrites {
		return fail(a.p.exists)
	}
	cred.ID = bytes.Clone(to)
	return effect{status: hw.StatusOK, changed: true}
}

// list answers LIST.
func (a *oathApplet) list(command) effect {
	e := effect{status: hw.StatusOK, listing: true}
	for cred := range a.state.all() {
		e.data = tlv.Append(e.data, tagListEntry, append([]byte{cred.Kind}, cred.ID...)...)
		e.work.entries++
	}
	return e
}

// resetAll forgets everything; no code is needed for it.
func (a *oathApplet) resetAll(command) effect {
	a.state.Code, a.state.Credentials = nil, nil
	a.unlocked, a.challenge = false, nil
	if !a.p.keepsSalt {
		a.state.Salt = a.draw()
	}
	return effect{status: hw.StatusOK, changed: true}
}
