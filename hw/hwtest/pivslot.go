package hwtest

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/tlv"
)

// The factory's secrets of a PIV application.
const (
	FactoryPIN        = "123456"
	FactoryPUK        = "12345678"
	FactoryManagement = "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08"
)

// EscrowSlot sets up an escrow slot on a key that is as the factory made it, in any bay: what piv.Enroller does
// behind pcscd. The certificate's organization is piv.Organization unless another is given.
func EscrowSlot(t testing.TB, card hw.Card, id byte, organization ...string) piv.Slot {
	t.Helper()
	if organization == nil {
		organization = []string{piv.Organization}
	}
	s := &slotMaker{link: hw.Link{Card: card, MoreINS: 0xc0}, id: id}
	der, err := s.make(organization)
	if err != nil {
		t.Fatalf("cannot set up slot %02x: %v", id, err)
	}
	slot, err := piv.ParseSlot(id, der)
	if err != nil && organization[0] == piv.Organization {
		t.Fatal(err)
	}
	return slot
}

// slotMaker is a key's PIV application while a slot is made.
type slotMaker struct {
	link   hw.Link
	id     byte
	public *ecdsa.PublicKey
}

func (s *slotMaker) make(organization []string) ([]byte, error) {
	if _, err := s.link.Exchange(hw.SelectCommand(piv.AID)); err != nil {
		return nil, err
	}
	if err := s.authenticate(); err != nil {
		return nil, err
	}
	if err := s.generate(); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: organization, CommonName: "made by a test"},
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}, Value: []byte{byte(piv.PINAlways), byte(piv.TouchAlways)},
		}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.public, s)
	if err != nil {
		return nil, err
	}
	object := tlv.Append(tlv.Append(tlv.Append(nil, 0x70, der...), 0x71, 0), 0xfe)
	data := append(tlv.Append(nil, 0x5c, 0x5f, 0xc1, s.id-0x82+0x0d), tlv.Append(nil, 0x53, object...)...)
	_, err = s.link.Exchange(hw.Command{INS: 0xdb, P1: 0x3f, P2: 0xff, Data: data})
	return der, err
}

// authenticate shows that we know the management key, which is a 3DES key before firmware 5.7 and AES-192 since.
func (s *slotMaker) authenticate() error {
	const alg3DES, algAES192 = 0x03, 0x0a
	block, err := des.NewTripleDESCipher([]byte(FactoryManagement))
	alg := byte(alg3DES)
	if m, ask := s.link.Exchange(hw.Command{INS: 0xf7, P2: 0x9b}); ask == nil && len(m) > 2 && m[2] == algAES192 {
		alg = algAES192
		block, err = aes.NewCipher([]byte(FactoryManagement))
	}
	if err != nil {
		return err
	}
	answer, err := s.link.Exchange(hw.Command{INS: 0x87, P1: alg, P2: 0x9b, Data: []byte{0x7c, 2, 0x81, 0}})
	if err != nil {
		return err
	}
	_, err = s.link.Exchange(hw.Command{INS: 0x87, P1: alg, P2: 0x9b, Data: respond(block, answer)})
	return err
}

// respond answers a challenge of the card.
func respond(block cipher.Block, challenge []byte) []byte {
	response := make([]byte, block.BlockSize())
	block.Encrypt(response, challenge[4:])
	return tlv.Append(nil, 0x7c, tlv.Append(nil, 0x82, response...)...)
}

func (s *slotMaker) generate() error {
	data := []byte{0xac, 9, 0x80, 1, 0x11, 0xaa, 1, byte(piv.PINAlways), 0xab, 1, byte(piv.TouchAlways)}
	answer, err := s.link.Exchange(hw.Command{INS: 0x47, P2: s.id, Data: data})
	if err != nil {
		return err
	}
	if len(answer) < 5 { // 7F49 and a length, 86 and a length
		return fmt.Errorf("a public key of %d bytes", len(answer))
	}
	s.public, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), answer[5:])
	return err
}

// Public and Sign make the slot a crypto.Signer.
func (s *slotMaker) Public() crypto.PublicKey { return s.public }

// Sign gives the PIN, and has the slot sign.
func (s *slotMaker) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	if _, err := s.link.Exchange(hw.Command{INS: 0x20, P2: 0x80, Data: []byte(FactoryPIN + "\xff\xff")}); err != nil {
		return nil, err
	}
	data := tlv.Append(nil, 0x7c, tlv.Append([]byte{0x82, 0}, 0x81, digest...)...)
	answer, err := s.link.Exchange(hw.Command{INS: 0x87, P1: 0x11, P2: s.id, Data: data})
	if err != nil {
		return nil, err
	}
	return answer[4:], nil // 7C and a length, 82 and a length
}
