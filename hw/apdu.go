package hw

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

// Command is a command APDU before it is encoded.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	// Le is the expected length of the answer; 0 is as much as fits.
	Le byte
}

const (
	maxShortData = 255
	// InsGetResponse fetches the rest of an answer (ISO/IEC 7816-4, section 11.7.1).
	InsGetResponse = 0xc0
	classChain     = 0x10 // ISO/IEC 7816-4, section 5.1.1: this is not the last command of a chain

	// maxResponse bounds what a chain of responses may add up to. The longest honest one is a LIST or
	// CALCULATE ALL of some 130 accounts (pico-fido), under 16 KiB.
	maxResponse = 64 << 10

	// maxParts bounds in how many parts it comes, so that a card that yields a byte at a time does not hold
	// everybody up for long. The honest ones send 100 bytes and more; a full key that did so needs some 3500.
	maxParts = 4096
)

// SelectCommand returns the SELECT of an application by its AID.
func SelectCommand(aid []byte) Command { return Command{INS: 0xa4, P1: 0x04, Data: aid} }

// Encode returns the short APDU of c. Le is always sent, for without it CanoKey answers 61FF with no data
// for ever; but not in the middle of a chain, where no data can come back. Data is at most 255 bytes;
// Link splits what is longer.
func (c Command) Encode() ([]byte, error) {
	if len(c.Data) > maxShortData {
		return nil, fmt.Errorf("cannot encode a short APDU with %d bytes of data", len(c.Data))
	}
	b := make([]byte, 0, 6+len(c.Data))
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(append(b, byte(len(c.Data))), c.Data...)
	}
	if c.CLA&classChain != 0 {
		return b, nil
	}
	return append(b, c.Le), nil
}

// Link exchanges commands with one applet: it splits long commands into a chain and puts the parts of long
// answers together. Short APDUs only, which every key takes over every interface.
type Link struct {
	Card Card
	// MoreINS is the instruction that fetches the next part of an answer: C0 in ISO/IEC 7816-4, A5 in
	// the OATH applet.
	MoreINS byte
}

// ErrNoRest: the card announced more of an answer, and the instruction that was to fetch it brought nothing. It
// may be lost by then; where c may be sent twice, another MoreINS may help.
var ErrNoRest = errors.New("the key does not give the rest of its answer")

// Exchange sends c and returns the whole answer without its status word. A final status word other
// than 9000 is returned as a Status, together with the data that came before it; a rest that does not come is
// ErrNoRest. The buffers of the command are wiped, for a PUT carries a seed, and so are the parts of the answer.
func (l Link) Exchange(c Command) ([]byte, error) {
	part, status, err := l.send(c)
	var answer []byte
	counted := false // the card said how much is left; CanoKey does not, and what is left may be nothing
	for parts := 1; err == nil; parts++ {
		answer = append(answer, part...)
		oath.Wipe(part) // it can be a code, or a shared secret
		n, more := status.More()
		switch {
		case len(answer) > maxResponse || parts > maxParts:
			return nil, fmt.Errorf("%w: more than %d bytes or %d parts", ErrMalformed, maxResponse, maxParts)
		case more && parts > 1 && len(part) == 0:
			return nil, fmt.Errorf("%w: a chain that makes no progress", ErrMalformed)
		case parts > 1 && len(part) == 0 && (counted && status == StatusOK || status == StatusConditions):
			return nil, fmt.Errorf("%w: %w (%v)", ErrMalformed, ErrNoRest, status)
		case more:
			counted = n < maxShortData
			part, status, err = l.next()
		case status != StatusOK:
			return answer, status
		default:
			return answer, nil
		}
	}
	return nil, err
}

// next fetches the next part of an answer. Where the applet does not know its own instruction for that, it
// may know the standard's.
func (l *Link) next() ([]byte, Status, error) {
	part, status, err := l.transmit(Command{INS: l.MoreINS})
	if status == StatusInsUnknown && l.MoreINS != InsGetResponse {
		l.MoreINS = InsGetResponse
		part, status, err = l.transmit(Command{INS: l.MoreINS})
	}
	return part, status, err
}

// send transmits c, split into a chain of commands where it is too long for one.
func (l Link) send(c Command) ([]byte, Status, error) {
	for len(c.Data) > maxShortData {
		head := c
		head.CLA |= classChain
		head.Data, c.Data = c.Data[:maxShortData], c.Data[maxShortData:]
		part, status, err := l.transmit(head)
		if _, more := status.More(); more {
			return nil, 0, fmt.Errorf("%w: an answer in the middle of a command", ErrMalformed)
		}
		if err != nil || status != StatusOK {
			return part, status, err
		}
	}
	return l.transmit(c)
}

// transmit sends a command, once more if the card wants to be asked for its answer's exact length.
func (l Link) transmit(c Command) ([]byte, Status, error) {
	part, status, err := l.transmitOnce(c)
	if le, wrong := status.Exact(); wrong {
		c.Le = le
		return l.transmitOnce(c)
	}
	return part, status, err
}

func (l Link) transmitOnce(c Command) ([]byte, Status, error) {
	command, err := c.Encode()
	if err != nil {
		return nil, 0, err
	}
	defer oath.Wipe(command)
	answer, err := l.Card.Transmit(command)
	if err != nil {
		return nil, 0, err
	}
	// Some readers report success with no bytes when the card dies in the middle of an APDU.
	if len(answer) < 2 {
		return nil, 0, fmt.Errorf("%w: %d bytes", ErrMalformed, len(answer))
	}
	body := len(answer) - 2
	return answer[:body:body], Status(binary.BigEndian.Uint16(answer[body:])), nil
}
