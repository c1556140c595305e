package softkey

import (
	"encoding/binary"

	"github.com/oathd/oathd/hw"
)

const (
	statusClaUnknown hw.Status = 0x6e00
	classChain                 = 0x10 // ISO/IEC 7816-4, section 5.1.1

	insSelect      = 0xa4
	insGetResponse = 0xc0
	p1SelectByName = 0x04
)

// command is a decoded command APDU (ISO/IEC 7816-3, section 12.1).
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	// le is how many bytes of answer are expected at most; 0 when the APDU has no Le field.
	le       int
	extended bool
}

// selects reports whether an APDU is a SELECT of an application: CALCULATE ALL has the same instruction.
func selects(apdu []byte) bool {
	return len(apdu) >= 4 && apdu[1] == insSelect && apdu[2] == p1SelectByName
}

// params returns P1 and P2 as one number.
func (c command) params() uint16 { return uint16(c.p1)<<8 | uint16(c.p2) }

// parseCommand decodes an APDU; it reports false if the lengths in it do not fit its own.
func parseCommand(b []byte) (command, bool) {
	if len(b) < 4 {
		return command{}, false
	}
	c := command{cla: b[0], ins: b[1], p1: b[2], p2: b[3]}
	body := b[4:]
	switch {
	case len(body) == 0:
		return c, true
	case len(body) == 1:
		c.le = lengthOr(int(body[0]), 1<<8)
		return c, true
	case body[0] != 0:
		return c.short(int(body[0]), body[1:])
	case len(body) >= 3:
		c.extended = true
		return c.long(int(binary.BigEndian.Uint16(body[1:])), body[3:])
	}
	return c, false
}

func (c command) short(lc int, rest []byte) (command, bool) {
	switch len(rest) - lc {
	case 0:
	case 1:
		c.le = lengthOr(int(rest[lc]), 1<<8)
	default:
		return c, false
	}
	c.data = rest[:lc]
	return c, true
}

func (c command) long(n int, rest []byte) (command, bool) {
	switch len(rest) {
	case 0: // no data: what came was Le
		c.le = lengthOr(n, 1<<16)
		return c, true
	case n:
	case n + 2:
		c.le = lengthOr(int(binary.BigEndian.Uint16(rest[n:])), 1<<16)
	default:
		return c, false
	}
	c.data = rest[:n]
	return c, true
}

// lengthOr reads a length field, in which zero stands for the largest length.
func lengthOr(n, largest int) int {
	if n == 0 {
		return largest
	}
	return n
}

// elements reads the TLVs of a command one after the other, as the applets do: in a fixed order.
type elements []byte

// take returns the value of the next element if it has the tag.
func (e *elements) take(tag byte) ([]byte, bool) {
	b := *e
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	n, header := int(b[1]), 2
	switch {
	case b[1] == 0x81 && len(b) >= 3:
		n, header = int(b[2]), 3
	case b[1] == 0x82 && len(b) >= 4:
		n, header = int(b[2])<<8|int(b[3]), 4
	case b[1] >= 0x80:
		return nil, false
	}
	if len(b)-header < n {
		return nil, false
	}
	*e = b[header+n:]
	return b[header : header+n], true
}

// takeBare returns the byte that follows the tag without a length between them (PUT's property).
func (e *elements) takeBare(tag byte) (byte, bool) {
	b := *e
	if len(b) < 2 || b[0] != tag {
		return 0, false
	}
	*e = b[2:]
	return b[1], true
}

// skipEntry drops the next entry of a list: a name together with the response that follows it, or
// any other element alone.
func (e *elements) skipEntry() {
	b := *e
	name := b[0] == tagName
	if _, ok := e.take(b[0]); !ok {
		*e = nil
		return
	}
	if name && len(*e) > 0 {
		_, _ = e.take((*e)[0])
	}
}
