package softkey

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// rfcSeed is the seed of RFC 4226, appendix D, and of RFC 6238, appendix B, for SHA-1.
var rfcSeed = []byte("12345678901234567890")

// client speaks to a key in raw APDUs, as no client of this project does.
type client struct {
	testing.TB
	card hw.Card
	le   bool // short APDUs end with Le 00
}

func newKey(t testing.TB, o Options) *Key {
	t.Helper()
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open makes a key and selects its OATH applet.
func open(t testing.TB, o Options) (*Key, client) {
	t.Helper()
	k := newKey(t, o)
	c := client{TB: t, card: k, le: true}
	c.ok(c.selectOATH())
	return k, c
}

// answer is what came back, with the 61xx still in it.
type answer struct {
	data   []byte
	status hw.Status
}

func (c client) transmit(apdu []byte) answer {
	c.Helper()
	b, err := c.card.Transmit(apdu)
	if err != nil {
		c.Fatalf("%x: %v", apdu, err)
	}
	if len(b) < 2 {
		c.Fatalf("%x: an answer of %d bytes", apdu, len(b))
	}
	return answer{b[:len(b)-2], hw.Status(binary.BigEndian.Uint16(b[len(b)-2:]))}
}

func (c client) send(ins, p1, p2 byte, data ...byte) answer {
	c.Helper()
	apdu := []byte{0, ins, p1, p2}
	if len(data) > 0 {
		apdu = append(append(apdu, byte(len(data))), data...)
	}
	if c.le {
		apdu = append(apdu, 0)
	}
	return c.transmit(apdu)
}

// ok ends the test unless the status is 9000.
func (c client) ok(a answer) []byte {
	c.Helper()
	c.want(a, hw.StatusOK)
	return a.data
}

func (c client) want(a answer, s hw.Status) {
	c.Helper()
	if a.status != s {
		c.Fatalf("status %04X with %x, want %04X", uint16(a.status), a.data, uint16(s))
	}
}

// more is the instruction that fetches the rest of an answer.
func (c client) more() byte {
	if k, ok := c.card.(*Key); ok && k.personality.getResponse {
		return insGetResponse
	}
	return insSendRemaining
}

// all fetches the rest of an answer.
func (c client) all(a answer) []byte {
	c.Helper()
	data := bytes.Clone(a.data)
	for range 1000 {
		if a.status>>8 != 0x61 {
			c.ok(a)
			return data
		}
		a = c.send(c.more(), 0, 0)
		data = append(data, a.data...)
	}
	c.Fatal("a chain without an end")
	return nil
}

func (c client) selectOATH() answer { return c.send(insSelect, p1SelectByName, 0, aidOATH...) }

// newCredential is the data of a PUT.
type newCredential struct {
	name     string
	kind     byte
	digits   byte
	key      []byte
	property byte
	counter  uint32
}

// totp is a SHA-1 TOTP credential with the RFC's seed.
func totp(name string) newCredential { return newCredential{name: name, kind: 0x21} }

func (n newCredential) encode() []byte {
	if n.digits == 0 {
		n.digits = 6
	}
	if n.key == nil {
		n.key = rfcSeed
	}
	b := tlv.Append(nil, tagName, []byte(n.name)...)
	b = tlv.Append(b, tagKey, append([]byte{n.kind, n.digits}, n.key...)...)
	if n.property != 0 {
		b = tlv.AppendBare(b, tagProperty, n.property)
	}
	if n.counter != 0 {
		b = tlv.Append(b, tagCounter, binary.BigEndian.AppendUint32(nil, n.counter)...)
	}
	return b
}

func (c client) put(n newCredential) answer {
	c.Helper()
	return c.send(insPut, 0, 0, n.encode()...)
}

func (c client) delete(name string) answer {
	c.Helper()
	return c.send(insDelete, 0, 0, tlv.Append(nil, tagName, []byte(name)...)...)
}

func (c client) rename(from, to string) answer {
	c.Helper()
	return c.send(insRename, 0, 0, tlv.Append(tlv.Append(nil, tagName, []byte(from)...), tagName, []byte(to)...)...)
}

func challengeOf(step uint64) []byte { return binary.BigEndian.AppendUint64(nil, step) }

func (c client) calculate(p2 byte, name string, challenge []byte) answer {
	c.Helper()
	return c.send(insCalculate, 0, p2, tlv.Append(tlv.Append(nil, tagName, []byte(name)...), tagChallenge, challenge...)...)
}

func (c client) calculateAll(p2 byte, step uint64) answer {
	c.Helper()
	return c.send(insCalculateAll, 0, p2, tlv.Append(nil, tagChallenge, challengeOf(step)...)...)
}

// code reads a truncated answer: the number modulo 10^digits.
func (c client) code(a answer) uint32 {
	c.Helper()
	b := c.ok(a)
	if len(b) != 7 || b[0] != tagTruncated || b[1] != 5 {
		c.Fatalf("%x is no truncated answer", b)
	}
	return binary.BigEndian.Uint32(b[3:]) % powersOfTen[b[2]]
}

// names lists the credentials' names in the key's order.
func (c client) names() []string {
	c.Helper()
	list, err := tlv.Parse(c.all(c.send(insList, 0, 0)))
	if err != nil {
		c.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, string(e.Value[1:]))
	}
	return names
}

// setCode sets a code of 16 bytes with a type byte.
func (c client) setCode(kind byte, code []byte) answer {
	c.Helper()
	challenge := challengeOf(1)
	b := tlv.Append(nil, tagKey, append([]byte{kind}, code...)...)
	b = tlv.Append(b, tagChallenge, challenge...)
	return c.send(insSetCode, 0, 0, tlv.Append(b, tagResponse, mac(kind&maskAlg, code, challenge)...)...)
}

// unlock answers the challenge in a SELECT's answer.
func (c client) unlock(selected, code []byte) answer {
	c.Helper()
	b := tlv.Append(nil, tagResponse, mac(algSHA1, code, c.tag(selected, tagChallenge))...)
	return c.send(insValidate, 0, 0, tlv.Append(b, tagChallenge, challengeOf(7)...)...)
}

// tag returns the value of a tag that has to be there.
func (c client) tag(b []byte, tag byte) []byte {
	c.Helper()
	list, err := tlv.Parse(b)
	if err != nil {
		c.Fatal(err)
	}
	v, ok := tlv.Find(list, tag)
	if !ok {
		c.Fatalf("no tag %02x in %x", tag, b)
	}
	return v
}

func hasTag(b []byte, tag byte) bool {
	list, _ := tlv.Parse(b)
	_, ok := tlv.Find(list, tag)
	return ok
}
