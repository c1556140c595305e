package piv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"

	pivgo "github.com/go-piv/piv-go/v2/piv"
)

// Attest has the key vouch for a slot: its certificate for the slot's key, then the certificate of the key's own
// attestation key, both in DER. The error wraps ErrNotSupported where there is no such thing (firmware before 4.3), and
// ErrRejected for a key that was not made on the card.
func (s *Session) Attest(id byte) (chain [][]byte, err error) {
	version, err := s.Version()
	if err != nil {
		return nil, err
	}
	if !version.AtLeast(4, 3) {
		return nil, fmt.Errorf("cannot attest slot %02x: %w", id, ErrNotSupported)
	}
	leaf, err := s.ask(insAttest, uint16(id)<<8)
	if err != nil {
		return nil, fmt.Errorf("cannot attest slot %02x: %w", id, meaning(err, ErrRejected))
	}
	object, err := s.object(0x5f, 0xff, 0x01)
	if err != nil {
		return nil, fmt.Errorf("cannot read the attestation certificate: %w", meaning(err, ErrRejected))
	}
	attestor, err := certificateIn(object)
	if err != nil {
		return nil, fmt.Errorf("cannot read the attestation certificate: %w", err)
	}
	return [][]byte{leaf, attestor}, nil
}

// Attestation is what a manufacturer's signature says of a slot.
type Attestation struct {
	Version Version
	// Serial is 0 where it is not told.
	Serial uint32
	PIN    PINPolicy
	Touch  TouchPolicy
}

// VerifyAttestation checks that the chain of Attest was signed by an authority of roots (nil: Yubico's), and that it is
// for the slot's key.
func VerifyAttestation(chain [][]byte, slot Slot, roots *x509.CertPool) (Attestation, error) {
	a, err := verifyAttestation(chain, slot, roots)
	if err != nil {
		return Attestation{}, fmt.Errorf("cannot trust the attestation of slot %02x: %w", slot.ID, err)
	}
	return a, nil
}

func verifyAttestation(chain [][]byte, slot Slot, roots *x509.CertPool) (Attestation, error) {
	if len(chain) != 2 {
		return Attestation{}, fmt.Errorf("it has %d certificates, not 2", len(chain))
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return Attestation{}, err
	}
	attestor, err := x509.ParseCertificate(chain[1])
	if err != nil {
		return Attestation{}, err
	}
	verifier := pivgo.Verifier{Roots: roots}
	a, err := verifier.Verify(attestor, leaf)
	if err != nil {
		return Attestation{}, err
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return Attestation{}, fmt.Errorf("it is for a %s key", leaf.PublicKeyAlgorithm)
	}
	if point, err := key.Bytes(); err != nil || !bytes.Equal(point, slot.Point) {
		return Attestation{}, fmt.Errorf("it is for another key")
	}
	return Attestation{
		Version: Version{byte(a.Version.Major), byte(a.Version.Minor), byte(a.Version.Patch)},
		Serial:  a.Serial,
		PIN:     PINPolicy(a.PINPolicy),
		Touch:   TouchPolicy(a.TouchPolicy),
	}, nil
}
