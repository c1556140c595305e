package piv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// Organization is the mark: the subject's O of the certificates that age-plugin-yubikey looks for
// (src/util.rs, extract_name).
const Organization = "age-plugin-yubikey"

// unfinished is the subject of the certificate that Enroll puts into a slot until it has its own. So the key itself
// tells, to whatever machine it is plugged into, which slot may be made again.
var unfinished = pkix.Name{Organization: []string{"oathd"}, CommonName: "unfinished escrow slot"}

// oidPolicies is the extension that holds the two policies as bare bytes (src/util.rs, POLICY_EXTENSION_OID). It
// is that of Yubico's attestations.
var oidPolicies = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}

// PINPolicy says when a slot's key asks for the PIN.
type PINPolicy byte

// TouchPolicy says when it asks for a touch.
type TouchPolicy byte

// The policies, as Yubico numbers them; 0 is unknown.
const (
	PINNever  PINPolicy = 1
	PINOnce   PINPolicy = 2
	PINAlways PINPolicy = 3

	TouchNever  TouchPolicy = 1
	TouchAlways TouchPolicy = 2
	TouchCached TouchPolicy = 3
)

// Slot is an escrow slot.
type Slot struct {
	// ID is 82 to 95.
	ID byte
	// Point is the public key: 65 bytes, uncompressed.
	Point []byte
	// Name is the certificate's common name.
	Name string
	// Created is when the certificate says that it was made.
	Created time.Time
	// PIN and Touch are what the certificate says of the key's policies.
	PIN   PINPolicy
	Touch TouchPolicy
	// Certificate is the certificate in DER.
	Certificate []byte
}

// ParseSlot reads the certificate of a slot. The error wraps ErrForeignSlot if it is not an escrow's, and ErrUnfinished if it
// is to become one.
func ParseSlot(id byte, der []byte) (Slot, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Slot{}, fmt.Errorf("%w: its certificate cannot be read: %w", ErrForeignSlot, err)
	}
	if certificate.Subject.String() == unfinished.String() {
		return Slot{}, ErrUnfinished
	}
	if !slices.Contains(certificate.Subject.Organization, Organization) {
		return Slot{}, fmt.Errorf("%w: its certificate is for %s", ErrForeignSlot, certificate.Subject)
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return Slot{}, fmt.Errorf("%w: it has no key of P-256", ErrForeignSlot)
	}
	point, err := key.Bytes()
	if err != nil {
		return Slot{}, fmt.Errorf("%w: %w", ErrForeignSlot, err)
	}
	s := Slot{ID: id, Point: point, Name: certificate.Subject.CommonName, Created: certificate.NotBefore, Certificate: der}
	for _, e := range certificate.Extensions {
		if e.Id.Equal(oidPolicies) && len(e.Value) >= 2 {
			s.PIN, s.Touch = PINPolicy(e.Value[0]), TouchPolicy(e.Value[1])
		}
	}
	return s, nil
}

// Slots returns the escrow slots, those of age-plugin-yubikey included: one command per retired slot, and
// more for long certificates.
func (s *Session) Slots() ([]Slot, error) {
	var found []Slot
	for id := byte(firstRetired); id <= lastRetired; id++ {
		slot, err := s.Slot(id)
		switch {
		case err == nil:
			found = append(found, slot)
		case !errors.Is(err, ErrNoSlot) && !errors.Is(err, ErrForeignSlot):
			return nil, err
		}
	}
	return found, nil
}

// Slot returns the escrow slot of that number. The error wraps ErrNoSlot if there is no certificate in it, and
// ErrForeignSlot if it is another's.
func (s *Session) Slot(id byte) (Slot, error) {
	object, err := s.certificateObject(id)
	if err != nil {
		return Slot{}, fmt.Errorf("cannot read the certificate of slot %02x: %w", id, err)
	}
	der, err := certificateIn(object)
	if err != nil {
		return Slot{}, fmt.Errorf("cannot read the certificate of slot %02x: %w: %w", id, ErrForeignSlot, err)
	}
	slot, err := ParseSlot(id, der)
	if err != nil {
		return Slot{}, fmt.Errorf("cannot use slot %02x: %w", id, err)
	}
	return slot, nil
}

// certificateObject returns what is in a slot's place for a certificate. The error wraps ErrNoSlot if that is
// empty.
func (s *Session) certificateObject(id byte) ([]byte, error) {
	// The retired slots' objects are 5FC10D to 5FC120 (part 1, table 3).
	object, err := s.object(0x5f, 0xc1, id-firstRetired+0x0d)
	if err == nil && len(object) == 0 {
		err = hw.StatusFileNotFound
	}
	if errors.Is(err, hw.StatusFileNotFound) {
		return nil, fmt.Errorf("%w (%w)", ErrNoSlot, err)
	}
	return object, meaning(err, ErrRejected)
}

// certificateIn returns the certificate of an object (part 1, table 10).
func certificateIn(object []byte) ([]byte, error) {
	const (
		tagCertificate = 0x70
		tagInfo        = 0x71 // bit 0: compressed
	)
	list, err := tlv.Parse(object)
	if err != nil {
		return nil, err
	}
	if info, _ := tlv.Find(list, tagInfo); len(info) > 0 && info[0] != 0 {
		return nil, errors.New("it is compressed, which age-plugin-yubikey does not do")
	}
	der, ok := tlv.Find(list, tagCertificate)
	if !ok {
		return nil, errors.New("there is none in it")
	}
	return der, nil
}
