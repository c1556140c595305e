// Package piv is about the escrow slot: a P-256 key in a retired slot of a security key's PIV application,
// marked as age-plugin-yubikey marks its own, so that stock age opens what it opens.
//
// It has two halves. The everyday one is a small client over hw.Card, for any key in any bay: Use decrypts,
// Look tells what is there. It works inside a shared transaction, as everything else in oathd does, and sets
// nothing on the card but the verified PIN, which it takes back by selecting another application before
// the transaction ends. hw/pcsc leaves the card as it is (SCARD_LEAVE_CARD), so gpg and ssh-agent go on working; at most they
// ask for their PIN again, for a YubiKey forgets what one application had verified when another is selected.
//
// Secure, of the same half, changes PIN, PUK and management key for those who ask for it.
//
// The other half, Enroll, makes the slot with piv-go. That library takes the card exclusively, by the name of
// its reader, for as long as it works, and does not give it back when selecting PIV fails. So it runs in a child
// process, which is this same program in ServeEnroll; a hang or a leak ends with it. It needs a key behind pcscd.
//
// Sources: NIST SP 800-73-4, part 2 (the section numbers in this package); Yubico's extensions
// (developers.yubico.com/PIV/Introduction/Yubico_extensions.html); age-plugin-yubikey, src/builder.rs and util.rs.
package piv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// AID is the PIV application's identifier, without the version (part 1, section 2.2).
var AID = []byte{0xa0, 0x00, 0x00, 0x03, 0x08}

// Instructions.
const (
	insVerify       = 0x20 // 3.2.1
	insChange       = 0x24 // 3.2.2
	insAuthenticate = 0x87 // 3.2.4
	insGetData      = 0xcb // 3.1.2
	insPutData      = 0xdb // 3.3.1
	insMetadata     = 0xf7 // Yubico, firmware 5.3
	insSerial       = 0xf8 // Yubico, firmware 5
	insAttest       = 0xf9 // Yubico, firmware 4.3
	insVersion      = 0xfd // Yubico
	insSetKey       = 0xff // Yubico, "set management key"
	insGetResponse  = 0xc0 // ISO/IEC 7816-4, section 11.7.1
)

// References (part 1, table 4b).
const (
	refPIN        = 0x80
	refPUK        = 0x81
	refManagement = 0x9b
	firstRetired  = 0x82
	lastRetired   = 0x95
)

// paramsData is P1P2 of GET DATA and PUT DATA (3.1.2, 3.3.1).
const paramsData = 0x3fff

const (
	tagTagList = 0x5c // which object GET DATA is to return
	tagObject  = 0x53 // its content
)

// Version is that of the PIV application; on a YubiKey 4 and later it is the firmware's.
type Version struct{ Major, Minor, Patch byte }

// String returns "5.7.1".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// AtLeast reports whether v is that version or a later one.
func (v Version) AtLeast(major, minor byte) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Session is the PIV application, selected, inside one transaction. It is not safe for concurrent use.
type Session struct {
	link hw.Link
	// opened: a PIN was sent, so that another application is to be selected at the end.
	opened bool
}

// Select selects the PIV application. The error wraps ErrNoApplet if the card refuses.
func Select(card hw.Card) (*Session, error) {
	s := &Session{link: hw.Link{Card: card, MoreINS: insGetResponse}}
	if _, err := s.link.Exchange(hw.SelectCommand(AID)); err != nil {
		return nil, fmt.Errorf("cannot select the PIV application: %w", meaning(err, ErrNoApplet))
	}
	return s, nil
}

// ask exchanges one command. A refusal comes back as an hw.Status.
func (s *Session) ask(ins byte, params uint16, data ...byte) ([]byte, error) {
	return s.link.Exchange(hw.Command{INS: ins, P1: byte(params >> 8), P2: byte(params), Data: data})
}

// Version returns the version of the application.
func (s *Session) Version() (Version, error) {
	b, err := s.ask(insVersion, 0)
	if err == nil && len(b) != 3 {
		err = fmt.Errorf("%w: a version of %d bytes", hw.ErrMalformed, len(b))
	}
	if err != nil {
		return Version{}, fmt.Errorf("cannot read the version of the PIV application: %w", meaning(err, ErrNotSupported))
	}
	return Version{b[0], b[1], b[2]}, nil
}

// serial returns the serial number, 0 if the key does not tell it.
func (s *Session) serial() (uint32, error) {
	b, err := s.ask(insSerial, 0)
	if refused(err) {
		return 0, nil
	}
	if err == nil && len(b) != 4 {
		err = fmt.Errorf("%w: a serial number of %d bytes", hw.ErrMalformed, len(b))
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the serial number: %w", err)
	}
	return binary.BigEndian.Uint32(b), nil
}

// object returns the content of a data object. Where there is none the error is an hw.Status, 6A82.
func (s *Session) object(tag ...byte) ([]byte, error) {
	b, err := s.ask(insGetData, paramsData, tlv.Append(nil, tagTagList, tag...)...)
	if err != nil {
		return nil, err
	}
	return element(b, tagObject)
}

// metadata returns what GET METADATA tells of a reference. Where there is nothing the error is an hw.Status, 6A88.
func (s *Session) metadata(ref byte) ([]tlv.TLV, error) {
	b, err := s.ask(insMetadata, uint16(ref))
	if err != nil {
		return nil, err
	}
	return parse(b)
}

// element returns the value of the element with that tag.
func element(b []byte, tag byte) ([]byte, error) {
	list, err := parse(b)
	if err != nil {
		return nil, err
	}
	v, ok := tlv.Find(list, tag)
	if !ok {
		return nil, fmt.Errorf("%w: no tag %02X", hw.ErrMalformed, tag)
	}
	return v, nil
}

func parse(b []byte) ([]tlv.TLV, error) {
	list, err := tlv.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hw.ErrMalformed, err)
	}
	return list, nil
}

// refused reports whether the key answered with a status word: it is there, but will not.
func refused(err error) bool {
	_, ok := errors.AsType[hw.Status](err)
	return ok
}
