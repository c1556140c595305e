package piv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	pivgo "github.com/go-piv/piv-go/v2/piv"

	"github.com/oathd/oathd/hw"
)

// ServeEnroll is the child's side of Enroll: it reads one request from in, does it, and writes to out how that went. An
// error is only what could not be said there. The process should end after it: piv-go may have left the card open, and
// its secrets are strings.
func ServeEnroll(in io.Reader, out io.Writer) error {
	lines := json.NewEncoder(out)
	r, s, err := readRequest(in)
	if err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	defer s.wipe()
	der, err := newSetup(r, s, func(step Step) { _ = lines.Encode(reply{Step: step}) }).run()
	if err != nil {
		return lines.Encode(reply{Error: encodeError(err)})
	}
	return lines.Encode(reply{Certificate: der})
}

// setup is one set-up in the child.
type setup struct {
	request
	pin        string
	management []byte // nil: find it
	report     func(Step)

	slot     pivgo.Slot
	key      *pivgo.YubiKey
	verified bool // a PIN was sent
}

func newSetup(r request, s secrets, report func(Step)) *setup {
	return &setup{request: r, report: report, pin: string(s.pin.Bytes()), management: slices.Clone(s.management.Bytes())}
}

// run does it all and returns the certificate.
func (s *setup) run() ([]byte, error) {
	slot, ok := pivgo.RetiredKeyManagementSlot(uint32(s.Slot))
	if !ok {
		return nil, fmt.Errorf("%02x is no retired slot", s.Slot)
	}
	s.slot = slot
	if err := s.open(); err != nil {
		return nil, err
	}
	defer s.close()
	for _, check := range []func() error{s.checkKey, s.checkSlot, s.verify} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	s.report(StepGenerate)
	management, err := s.mark()
	if err != nil {
		return nil, err
	}
	public, err := s.generate(management)
	if err != nil {
		return nil, err
	}
	der, err := s.sign(public)
	if err != nil {
		return nil, err
	}
	return der, s.write(management, der)
}

// open takes the card.
func (s *setup) open() error {
	readers, err := pivgo.Cards()
	if err != nil {
		return explain("reach the readers", err)
	}
	if !slices.Contains(readers, s.Reader) {
		return hw.WithHint(fmt.Errorf("%w: there is no reader %q", ErrNotBehindPCSCD, s.Reader),
			"plug the key into this machine, and see that pcscd shows it: pcsc_scan")
	}
	s.key, err = pivgo.Open(s.Reader)
	if errors.Is(err, pivgo.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNoApplet, err)
	}
	return explain("take the key", err)
}

// close gives the card back, with the PIN forgotten: piv-go leaves PIV selected, and a YubiKey then takes the PIN as
// entered from whoever comes next. Reading the form factor selects another application in between.
func (s *setup) close() {
	if s.verified {
		_, _ = s.key.FormFactor()
	}
	_ = s.key.Close() // what is left open ends with the process
}

// checkKey makes sure that it is the key that was meant, and not too old.
func (s *setup) checkKey() error {
	v := s.key.Version()
	version := Version{byte(v.Major), byte(v.Minor), byte(v.Patch)}
	if !version.AtLeast(4, 0) {
		return fmt.Errorf("%w: %s", ErrTooOld, version)
	}
	if s.Serial == 0 || !version.AtLeast(5, 0) {
		return nil // before 5.0 the number is in another application, which may be disabled
	}
	serial, err := s.key.Serial()
	if err == nil && serial != s.Serial {
		return fmt.Errorf("%w: %d, not %d", ErrOtherKey, serial, s.Serial)
	}
	return nil // a hidden number says nothing
}

// checkSlot makes sure that nothing is overwritten.
func (s *setup) checkSlot() error {
	switch certificate, err := s.key.Certificate(s.slot); {
	case broken(err):
		return explain("look at the slot", err)
	case err == nil && certificate.Subject.String() == unfinished.String():
		return nil
	case !errors.Is(err, pivgo.ErrNotFound):
		return fmt.Errorf("%w: it has a certificate", ErrSlotTaken)
	}
	free, err := s.hasNoKey()
	if err == nil && !free {
		err = fmt.Errorf("%w: it has a key", ErrSlotTaken)
	}
	return err
}

// hasNoKey is Session.hasKey the other way round, in piv-go's words.
func (s *setup) hasNoKey() (bool, error) {
	var err error
	v := s.key.Version()
	told := v.Major > 5 || v.Major == 5 && v.Minor >= 3
	if told {
		_, err = s.key.KeyInfo(s.slot)
	} else {
		_, err = s.key.Attest(s.slot)
	}
	if broken(err) {
		return false, explain("look at the slot", err)
	}
	return errors.Is(err, pivgo.ErrNotFound) || !told && statusOf(err) != 0, nil
}

// verify checks the PIN before anything is written, and never with the last try.
func (s *setup) verify() error {
	// An error means that it is verified, or blocked, which the next command tells.
	if tries, err := s.key.Retries(); err == nil && tries == 1 {
		return pinError(ErrLastTry, 1)
	}
	s.verified = true
	err := s.key.VerifyPIN(s.pin)
	if wrong, ok := errors.AsType[pivgo.AuthErr](err); ok {
		if wrong.Retries == 0 {
			return pinError(ErrPINBlocked, 0)
		}
		return pinError(ErrWrongPIN, wrong.Retries)
	}
	return explain("verify the PIN", err)
}

// refusedManagement begins piv-go's errors of a management key that does not fit (YubiKey.SetCertificate).
const refusedManagement = "authenticating with management key"

// mark writes into the slot that it is not finished, and returns the management key that permitted it.
func (s *setup) mark() (management []byte, err error) {
	mark, err := unfinishedCertificate()
	if err != nil {
		return nil, err
	}
	for _, management := range s.managementKeys() {
		err = s.key.SetCertificate(management, s.slot, mark)
		if err == nil || broken(err) || !strings.HasPrefix(err.Error(), refusedManagement) {
			return management, explain("mark the slot", err)
		}
	}
	return nil, hw.WithHint(fmt.Errorf("%w (%v)", ErrManagementKey, err), "%s", managementHint(len(s.management) > 0))
}

// unfinishedCertificate is signed by a key that nobody has any more.
func unfinishedCertificate() (*x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: unfinished, NotBefore: time.Now().UTC(), NotAfter: never}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// generate makes the key.
func (s *setup) generate(management []byte) (crypto.PublicKey, error) {
	public, err := s.key.GenerateKey(management, s.slot, pivgo.Key{
		Algorithm: pivgo.AlgorithmEC256, PINPolicy: pivgo.PINPolicyAlways, TouchPolicy: pivgo.TouchPolicyAlways,
	})
	return public, explain("make a key", err)
}

// managementKeys are the keys to try: there is no limit to the tries.
func (s *setup) managementKeys() [][]byte {
	if len(s.management) > 0 {
		return [][]byte{s.management}
	}
	keys := [][]byte{pivgo.DefaultManagementKey}
	// What else is in that object is not ours to judge.
	if kept, err := s.key.Metadata(s.pin); err == nil && kept.ManagementKey != nil {
		keys = slices.Insert(keys, 0, *kept.ManagementKey)
	}
	return keys
}

// touches is how often the key asks for a touch before it is given up.
const touches = 3

// sign has the new key sign its certificate, which takes PIN and touch.
func (s *setup) sign(public crypto.PublicKey) ([]byte, error) {
	point, ok := public.(*ecdsa.PublicKey)
	if !ok || point.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: it made a key of another kind", ErrRejected)
	}
	template, err := s.certificate(point)
	if err != nil {
		return nil, err
	}
	private, err := s.key.PrivateKey(s.slot, public, pivgo.KeyAuth{PIN: s.pin, PINPolicy: pivgo.PINPolicyAlways})
	if err != nil {
		return nil, explain("use the key", err)
	}
	var der []byte
	for range touches {
		s.report(StepTouch)
		der, err = x509.CreateCertificate(rand.Reader, template, template, public, private)
		if statusOf(err) != hw.StatusAuthRequired { // the PIN was verified right before, so that is the touch
			return der, explain("sign the certificate", err)
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrTouchTimeout, err)
}

// never is the end of certificates that have none (RFC 5280, section 4.1.2.5).
var never = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// certificate is one like those of age-plugin-yubikey (src/builder.rs): its mark, who made it, a name; a random
// serial number of 20 bytes; from now to never; the policies as an extension that is not critical.
func (s *setup) certificate(public *ecdsa.PublicKey) (*x509.Certificate, error) {
	name, err := s.name(public)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 20)
	_, _ = rand.Read(serial)
	serial[0] &= 0x7f // at most 20 bytes in DER, too (RFC 5280, section 4.1.2.2)
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{Organization: []string{Organization}, OrganizationalUnit: []string{"oathd"}, CommonName: name},
		NotBefore:    time.Now().UTC(),
		NotAfter:     never,
		ExtraExtensions: []pkix.Extension{
			{Id: oidPolicies, Value: []byte{byte(PINAlways), byte(TouchAlways)}},
		},
	}, nil
}

// name is what the certificate is called, by default by the tag that age-plugin-yubikey's stanzas carry.
func (s *setup) name(public *ecdsa.PublicKey) (string, error) {
	if s.Name != "" {
		return s.Name, nil
	}
	point, err := public.Bytes()
	if err != nil {
		return "", err
	}
	compressed := append([]byte{2 | point[pointLen-1]&1}, point[1:1+sharedLen]...)
	tag := sha256.Sum256(compressed)
	return fmt.Sprintf("age identity %x", tag[:4]), nil
}

// write stores the certificate.
func (s *setup) write(management, der []byte) error {
	s.report(StepCertificate)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	return explain("write the certificate", s.key.SetCertificate(management, s.slot, certificate))
}
