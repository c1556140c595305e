package softkey

import (
	"bytes"
	"slices"

	"github.com/oathd/oathd/hw"
)

// applet is one application's state machine. It knows neither time nor touch nor how its answers are
// cut into pieces, and is called from one goroutine at a time.
type applet interface {
	// open answers a SELECT; fresh if it is the first since the key got power.
	open(fresh bool) []byte
	// wantsTouch reports whether c is a command that a person has to confirm.
	wantsTouch(c command) bool
	// execute answers any other command.
	execute(c command) effect
}

// leaver is an applet that wants to know when another one is selected.
type leaver interface{ leave() }

// marker is an applet that says that the key is a soft one.
type marker interface{ mark() []byte }

// application is an applet as it is installed on a key.
type application struct {
	aid  []byte
	more byte // the instruction that fetches the rest of an answer
	// capability is the bit that enables it in the key's configuration; 0 if nothing can disable it.
	capability uint16
	opened     bool // selected since the key got power
	applet
}

// effect is what a command did and answers.
type effect struct {
	data   []byte
	status hw.Status
	// changed: the state is to be saved.
	changed bool
	// listing: the answer is a list, which applets of some makes cut between its entries.
	listing bool
	// work is what the command did that takes time.
	work work
}

// maxChained bounds what a chain of commands may add up to.
const maxChained = 0xffff

// dispatch gives the command to whom it concerns, the key itself or the selected applet; k.mu is held.
func (k *Key) dispatch(v visit, confirmed bool) ([]byte, work) {
	c, ok := parseCommand(v.apdu)
	switch {
	case !ok, c.extended && !k.takesExtended(), len(k.chained)+len(c.data) > maxChained:
		k.chained = nil
		return reply(nil, hw.StatusWrongLength), work{}
	case c.cla&^classChain != 0:
		return reply(nil, statusClaUnknown), work{}
	case c.cla&classChain != 0:
		k.chained = append(k.chained, c.data...)
		return reply(nil, hw.StatusOK), work{}
	}
	if k.chained != nil {
		c.data, k.chained = append(k.chained, c.data...), nil
	}
	switch {
	case selects(v.apdu):
		return k.selectApplet(c), work{}
	case k.selected == nil:
		return reply(nil, hw.StatusInsUnknown), work{}
	case c.ins == k.selected.more && k.pending != nil:
		return k.cutAnswer(c, k.pending), work{}
	case !confirmed:
		return reply(nil, hw.StatusAuthRequired), work{}
	case v.hit.find(FaultFull) != nil:
		return reply(nil, k.personality.full), work{}
	}
	return k.delegate(c)
}

func (k *Key) takesExtended() bool { return k.personality.extended && !k.options.Contactless }

// minAID is the shortest part of an AID that selects an application: the registered provider
// (ISO/IEC 7816-4, section 8.2.1.2).
const minAID = 5

// selectApplet answers a SELECT; one that fails leaves the selection as it was. k.mu is held.
func (k *Key) selectApplet(c command) []byte {
	i := slices.IndexFunc(k.apps, func(a *application) bool {
		return len(c.data) >= minAID && bytes.HasPrefix(a.aid, c.data)
	})
	if i < 0 || c.p2 != 0 || !k.enabled(k.apps[i]) {
		return reply(nil, hw.StatusFileNotFound)
	}
	a := k.apps[i]
	if k.selected != nil && k.selected != a {
		if l, ok := k.selected.applet.(leaver); ok {
			l.leave()
		}
	}
	answer := a.open(!a.opened)
	if m, ok := a.applet.(marker); ok && c.le > 0 {
		answer = append(answer, m.mark()...)
	}
	a.opened = true
	k.selected, k.pending = a, nil
	return reply(answer, hw.StatusOK)
}

// delegate has the selected applet execute the command, and saves what it changed.
func (k *Key) delegate(c command) ([]byte, work) {
	undrained := k.pending
	k.pending = nil
	e := k.execute(c)
	if e.status != hw.StatusOK {
		return reply(e.data, e.status), e.work
	}
	if k.personality.garbles && undrained != nil && k.selected.more == insSendRemaining {
		e.data = garble(e.data, undrained)
	}
	if e.listing || k.personality.chunking == chunkBytes {
		return k.cutAnswer(c, e.data), e.work
	}
	return reply(e.data, hw.StatusOK), e.work
}

// execute undoes a change that cannot be saved, and answers it with a memory failure.
func (k *Key) execute(c command) effect {
	if k.save == nil {
		return k.selected.execute(c)
	}
	before := k.state.clone()
	e := k.selected.execute(c)
	if e.changed && k.save(*k.state) != nil {
		*k.state = before
		return fail(hw.StatusMemory)
	}
	return e
}

// garble returns an answer of the same length that is made of what was left of the one before: the
// applet sends from where it stopped in a buffer that has a new answer at its beginning
// (ykneo-oath, YkneoOath.java, sendData).
func garble(answer, undrained []byte) []byte {
	garbage := make([]byte, len(answer))
	copy(garbage, undrained)
	return garbage
}

// cutAnswer returns the first part of data that fits, and keeps the rest for the next command.
func (k *Key) cutAnswer(c command, data []byte) []byte {
	n := k.personality.fits(c, data)
	part, rest := slices.Clip(data[:n]), data[n:]
	k.pending = nil
	if len(rest) == 0 {
		return reply(part, hw.StatusOK)
	}
	k.pending = rest
	return reply(part, k.personality.moreStatus(len(rest)))
}

// fits returns how many bytes of data go into the answer to c.
func (p *personality) fits(c command, data []byte) int {
	switch p.chunking {
	case chunkNever:
		return unevenPackets(len(data))
	case chunkEntries:
		return wholeEntries(data, c.le)
	}
	n := len(data)
	if !c.extended {
		n = min(n, p.chunk)
	}
	if c.le > 0 {
		n = min(n, c.le)
	}
	return n
}

// unevenPackets returns how many of n bytes go out at once from a key that leaves the last two for later where they would
// end a USB packet of 64 bytes evenly: 10 bytes of CCID header and the status word are in it too.
func unevenPackets(n int) int {
	if (n+2+10)%64 == 0 {
		return n - 2
	}
	return n
}

// wholeEntries returns the length of those first entries that fit into limit together.
func wholeEntries(data []byte, limit int) int {
	n := 0
	for e := elements(data); len(e) > 0; {
		if e.skipEntry(); len(data)-len(e) > limit {
			break
		}
		n = len(data) - len(e)
	}
	return n
}

// moreStatus returns the 61xx that says how much is left.
func (p *personality) moreStatus(left int) hw.Status {
	switch {
	case p.chunking == chunkEntries:
		return 0x61ff
	case p.garbles: // ykneo-oath never names more than it sends at a time
		return 0x6100 | hw.Status(min(left, p.chunk))
	case left > 0xff: // 6100 stands for 256 and more; seen on a YubiKey 5.7.4
		return 0x6100
	}
	return 0x6100 | hw.Status(left)
}

// wantsTouch reports whether the command is one that a person has to confirm; k.mu is held.
func (k *Key) wantsTouch(apdu []byte) bool {
	c, ok := parseCommand(apdu)
	if !ok || k.selected == nil || c.cla != 0 || selects(apdu) {
		return false
	}
	c.data = append(bytes.Clone(k.chained), c.data...)
	return k.selected.wantsTouch(c)
}
