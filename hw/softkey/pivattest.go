package softkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

// The extensions of an attestation (developers.yubico.com/PIV/Introduction/PIV_attestation.html). All values
// but the serial number are bare bytes.
var (
	oidFirmware   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}
	oidSerial     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 7}
	oidPolicies   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
	oidFormFactor = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 9}
)

// The tags of a certificate object (SP 800-73-4, part 1, table 10).
const (
	tagCertificate     = 0x70
	tagCertificateInfo = 0x71
	tagErrorDetection  = 0xfe
)

// AttestationCA is the certificate of the authority that vouches for all soft keys. It vouches for
// nothing: its private key is in this program's source, so that soft keys of any process are under it.
func AttestationCA() *x509.Certificate { return attestationCA().certificate }

// authority is a certificate with its private key.
type authority struct {
	certificate *x509.Certificate
	private     *ecdsa.PrivateKey
}

var attestationCA = sync.OnceValue(func() authority {
	seed := sha256.Sum256([]byte("oathd soft key attestation"))
	private := must(ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]))
	ca := authority{certificate: certificateTemplate("oathd soft key PIV Root CA"), private: private}
	ca.certificate.SerialNumber = big.NewInt(1)
	ca.certificate.IsCA, ca.certificate.BasicConstraintsValid = true, true
	// Without a source of randomness the signature is deterministic, and the certificate the same everywhere.
	der := must(x509.CreateCertificate(nil, ca.certificate, ca.certificate, private.Public(), private))
	ca.certificate = must(x509.ParseCertificate(der))
	return ca
})

// certificateTemplate is valid from before any clock of a test, as real ones are from before they were made.
func certificateTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:      pkix.Name{CommonName: name},
		SerialNumber: new(big.Int).SetBytes(append([]byte{1}, randomBytes(15)...)),
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC),
	}
}

// must is for what cannot fail on this package's own data.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("softkey: %v", err))
	}
	return v
}

// addAttestor gives the key its attestation key and certificate, as the factory does.
func (s *pivState) addAttestor(v firmware) {
	if !v.hasSlot(slotAttestation) {
		return
	}
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := attestationCA()
	certificate := certificateTemplate("oathd soft key PIV Attestation")
	certificate.IsCA, certificate.BasicConstraintsValid = true, true
	der := must(x509.CreateCertificate(rand.Reader, certificate, ca.certificate, private.Public(), ca.private))
	s.Keys[slotAttestation] = &pivKey{
		Algorithm: algP256, PIN: pinNever, Touch: touchNever, Origin: originGenerated,
		Private: must(x509.MarshalPKCS8PrivateKey(private)),
	}
	object := tlv.Append(nil, tagCertificate, der...)
	object = tlv.Append(object, tagCertificateInfo, 0)
	s.Objects[objectAttestation] = tlv.Append(object, tagErrorDetection)
}

// keepAttestor takes the attestation key and certificate over from an earlier state.
func (s *pivState) keepAttestor(from *pivState) {
	if k := from.Keys[slotAttestation]; k != nil {
		s.Keys[slotAttestation] = k
	}
	if o := from.Objects[objectAttestation]; o != nil {
		s.Objects[objectAttestation] = o
	}
}

// attest answers ATTEST: a certificate for a key that was made here, signed by the attestation key.
func (a *pivApplet) attest(c command) effect {
	k := a.state.PIV.Keys[pivSlot(c.p1)]
	attestor, ok := a.state.PIV.attestor()
	if k == nil || k.Origin != originGenerated || !ok {
		return fail(hw.StatusWrongData)
	}
	certificate := certificateTemplate(fmt.Sprintf("YubiKey PIV Attestation %02x", c.p1))
	certificate.ExtraExtensions = []pkix.Extension{
		{Id: oidFirmware, Value: a.version[:]},
		{Id: oidPolicies, Value: []byte{k.PIN, k.Touch}},
	}
	if a.serial != 0 {
		certificate.ExtraExtensions = append(certificate.ExtraExtensions, pkix.Extension{Id: oidSerial, Value: must(asn1.Marshal(int64(a.serial)))})
	}
	if a.formFactor != 0 {
		certificate.ExtraExtensions = append(certificate.ExtraExtensions, pkix.Extension{Id: oidFormFactor, Value: []byte{a.formFactor}})
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, attestor.certificate, publicOf(k), attestor.private)
	if err != nil {
		return fail(hw.StatusWrongData)
	}
	return done(der)
}

// attestor returns the attestation key, if it is one of the factory's kind and its certificate is there.
func (s *pivState) attestor() (authority, bool) {
	k := s.Keys[slotAttestation]
	if k == nil {
		return authority{}, false
	}
	private, ok := k.key().(*ecdsa.PrivateKey)
	e := elements(s.Objects[objectAttestation])
	der, _ := e.take(tagCertificate)
	certificate, err := x509.ParseCertificate(der)
	return authority{certificate, private}, ok && err == nil
}

// publicOf returns the public key.
func publicOf(k *pivKey) crypto.PublicKey {
	return k.key().(interface{ Public() crypto.PublicKey }).Public()
}
