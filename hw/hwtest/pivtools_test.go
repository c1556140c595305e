package hwtest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/internal/need"
)

const (
	factoryPIN        = "123456"
	factoryPUK        = "12345678"
	factoryManagement = "010203040506070801020304050607080102030405060708"
)

// pivSeat is one soft key behind the real pcscd, with Yubico's two programs in front of it.
type pivSeat struct {
	*testing.T
	key    *softkey.Key
	ykman  *hwtest.Ykman
	reader string
	env    []string
	dir    string
}

// file is the path of a file of that name, for this test.
func (s *pivSeat) file(name string) string { return filepath.Join(s.dir, name) }

// tool runs yubico-piv-tool and returns all that it prints.
func (s *pivSeat) tool(args ...string) (string, error) {
	command := exec.Command("yubico-piv-tool", append([]string{"--reader", s.reader}, args...)...)
	command.Env = s.env
	out, err := command.CombinedOutput()
	return string(out), err
}

// must is tool that has to succeed, and to print these words.
func (s *pivSeat) must(words string, args ...string) {
	s.Helper()
	if out, err := s.tool(args...); err != nil || !strings.Contains(out, words) {
		s.Fatalf("yubico-piv-tool %q: %v, and not %q\n%s", args, err, words, out)
	}
}

// refuses is tool that has to fail, and to print these words.
func (s *pivSeat) refuses(words string, args ...string) {
	s.Helper()
	if out, err := s.tool(args...); err == nil || !strings.Contains(out, words) {
		s.Errorf("yubico-piv-tool %q: %v, and not %q\n%s", args, err, words, out)
	}
}

// ykmanRefuses runs ykman and wants it to fail with these words.
func (s *pivSeat) ykmanRefuses(words string, args ...string) {
	s.Helper()
	if out, err := s.ykman.Try(args...); err == nil || !strings.Contains(err.Error(), words) {
		s.Errorf("ykman %q: %v, not %q\n%s", args, err, words, out)
	}
}

// certificate reads a certificate from a file.
func (s *pivSeat) certificate(name string) *x509.Certificate {
	s.Helper()
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		s.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		s.Fatalf("%s holds no certificate:\n%s", name, text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.Fatal(err)
	}
	return certificate
}

// selfSigned checks that the certificate in a file is signed with its own key.
func (s *pivSeat) selfSigned(name, commonName string) *x509.Certificate {
	s.Helper()
	c := s.certificate(name)
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil || c.Subject.CommonName != commonName {
		s.Errorf("%s: %v, subject %s", name, err, c.Subject)
	}
	return c
}

// certify writes a certificate for the public key in a file. yubico-piv-tool's own "selfsign-certificate"
// fails on Debian 12 before it sends anything to the key (2.2.0 with OpenSSL 3).
func (s *pivSeat) certify(public, certificate string) *x509.Certificate {
	s.Helper()
	text, err := os.ReadFile(public)
	if err != nil {
		s.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		s.Fatalf("no public key:\n%s", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		s.Fatal(err)
	}
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "certified"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key, issuer)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		s.Fatal(err)
	}
	return s.certificate(filepath.Base(certificate))
}

// attests checks that the certificate in a file is an attestation of that public key.
func (s *pivSeat) attests(name, attestor string, want any) {
	s.Helper()
	c, ca := s.certificate(name), s.certificate(attestor)
	if err := c.CheckSignatureFrom(ca); err != nil {
		s.Error(err)
	}
	if err := ca.CheckSignatureFrom(softkey.AttestationCA()); err != nil {
		s.Error(err)
	}
	got, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		s.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(want)
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Equal(got, public) {
		s.Errorf("%s attests another key", name)
	}
}

func TestPIVTools(t *testing.T) {
	need.Program(t, "yubico-piv-tool", "yubico-piv-tool")
	t.Parallel()
	tests := []struct {
		name string
		key  softkey.Options
		run  func(*pivSeat)
	}{
		{"yubico-piv-tool makes EC keys", softkey.Options{Personality: "yubikey-5.4", Serial: 5401240}, func(s *pivSeat) { pivToolKeys(s, "ECCP256", "ECCP384") }},
		{"yubico-piv-tool makes RSA keys", softkey.Options{Personality: "yubikey-4.3", Serial: 4301240}, func(s *pivSeat) { pivToolKeys(s, "RSA1024", "RSA2048") }},
		{"yubico-piv-tool and a NEO", softkey.Options{Personality: "neo"}, pivToolNEO},
		{"yubico-piv-tool imports", softkey.Options{Personality: "yubikey-5.4", Serial: 5401241}, pivToolImports},
		{"yubico-piv-tool's PINs", softkey.Options{Personality: "yubikey-5.4", Serial: 5401242}, pivToolPINs},
		{"ykman info", softkey.Options{Personality: "yubikey-5.7", Serial: 5701240}, pivYkmanInfo},
		{"ykman makes keys on a 5.7", softkey.Options{Personality: "yubikey-5.7", Serial: 5701241}, pivYkmanKeys},
		{"ykman makes keys on a 4.3", softkey.Options{Personality: "yubikey-4.3", Serial: 4301241}, pivYkmanKeys},
		{"ykman's access", softkey.Options{Personality: "yubikey-5.7", Serial: 5701242}, pivYkmanAccess},
		{"ykman waits for a touch", softkey.Options{Personality: "yubikey-5.7", Serial: 5701243, TouchTimeout: time.Second}, pivYkmanTouch},
	}
	p := hwtest.StartPCSCD(t, (len(tests)+1)/2)
	t.Run("all", func(t *testing.T) { // ends when the parallel tests have
		for slot, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				key, err := softkey.New(test.key)
				if err != nil {
					t.Fatal(err)
				}
				p.Plug(key, slot)
				test.run(&pivSeat{t, key, p.Ykman(t, slot), p.Reader(slot), p.Env(), t.TempDir()})
			})
		}
	})
}

// pivToolKeys makes keys in an ordinary and in a retired slot, and uses them.
func pivToolKeys(s *pivSeat, algorithms ...string) {
	slots := []string{"9a", "82"}
	for i, algorithm := range algorithms {
		slot := slots[i]
		public, own := s.file(slot+".pub"), s.file(slot+".crt")
		s.must("", "-a", "generate", "-s", slot, "-A", algorithm, "--pin-policy", "always", "-o", public)
		c := s.certify(public, own)
		s.must("Successfully imported", "-a", "import-certificate", "-s", slot, "-i", own)
		s.must("", "-a", "read-certificate", "-s", slot, "-o", s.file("read.crt"))
		if !s.certificate("read.crt").Equal(c) {
			s.Error("the certificate changed on the key")
		}
		s.must("", "-a", "verify-pin", "-a", "test-signature", "-P", factoryPIN, "-s", slot, "-i", own)
		s.must("", "-a", "verify-pin", "-a", "test-decipher", "-P", factoryPIN, "-s", slot, "-i", own)
		s.refuses("", "-a", "test-decipher", "-s", slot, "-i", own)
		s.must("", "-a", "attest", "-s", slot, "-o", s.file("attestation.crt"))
		s.must("", "-a", "read-certificate", "-s", "f9", "-o", s.file("f9.crt"))
		s.attests("attestation.crt", "f9.crt", c.PublicKey)
	}
	s.must("CN=certified", "-a", "status")
	s.must("", "-a", "delete-certificate", "-s", "82")
	s.refuses("", "-a", "read-certificate", "-s", "82")
}

// pivToolNEO: no policies, no attestation, no retired slots.
func pivToolNEO(s *pivSeat) {
	public := s.file("pub")
	s.must("1.0.4", "-a", "version")
	s.must("", "-a", "generate", "-s", "9e", "-A", "ECCP256", "-o", public)
	s.certify(public, s.file("crt"))
	s.must("", "-a", "test-signature", "-s", "9e", "-i", s.file("crt"))
	s.refuses("", "-a", "generate", "-s", "9a", "-A", "ECCP256", "--touch-policy", "always", "-o", public)
	s.refuses("", "-a", "generate", "-s", "9a", "-A", "ECCP384", "-o", public)
	s.refuses("", "-a", "generate", "-s", "82", "-A", "ECCP256", "-o", public)
	s.refuses("", "-a", "attest", "-s", "9e")
}

// pivToolImports brings in keys that openssl made.
func pivToolImports(s *pivSeat) {
	for _, kind := range [][]string{
		{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
		{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
	} {
		private, own := s.file("private.pem"), s.file("own.crt")
		for _, args := range [][]string{
			append([]string{"genpkey", "-out", private}, kind...),
			{"req", "-new", "-x509", "-key", private, "-subj", "/CN=by openssl/", "-out", own},
		} {
			if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
				s.Fatalf("openssl %q: %v\n%s", args, err, out)
			}
		}
		s.must("Successfully imported", "-a", "import-key", "-s", "9d", "-i", private)
		s.must("", "-a", "verify-pin", "-a", "test-signature", "-P", factoryPIN, "-s", "9d", "-i", own)
		s.must("", "-a", "verify-pin", "-a", "test-decipher", "-P", factoryPIN, "-s", "9d", "-i", own)
		s.refuses("", "-a", "attest", "-s", "9d") // it was not made here
	}
}

func pivToolPINs(s *pivSeat) {
	s.must("Successfully", "-a", "change-pin", "-P", factoryPIN, "-N", "654321")
	s.refuses("2 tries", "-a", "verify-pin", "-P", factoryPIN)
	s.must("", "-a", "verify-pin", "-P", "654321")
	for range 3 {
		s.refuses("", "-a", "verify-pin", "-P", "000000")
	}
	s.refuses("", "-a", "verify-pin", "-P", "654321")
	s.must("", "-a", "unblock-pin", "-P", factoryPUK, "-N", "111111")
	s.must("", "-a", "change-puk", "-P", factoryPUK, "-N", "87654321")
	s.must("", "-a", "set-mgm-key", "-n", strings.Repeat("a1b2c3d4e5f60718", 3))
	s.refuses("", "-a", "set-chuid")
	s.must("", "-k"+strings.Repeat("a1b2c3d4e5f60718", 3), "-a", "set-chuid", "-a", "set-ccc")
	s.must("", "-k"+strings.Repeat("a1b2c3d4e5f60718", 3), "-a", "verify-pin", "-a", "pin-retries", "-P", "111111", "--pin-retries", "5", "--puk-retries", "2")
	s.refuses("4 tries", "-a", "verify-pin", "-P", "111111")
	s.refuses("", "-a", "reset")
	for range 5 {
		s.refuses("", "-a", "verify-pin", "-P", "000000")
		s.refuses("", "-a", "change-puk", "-P", "00000000", "-N", "00000001")
	}
	s.must("", "-a", "reset")
	s.must("PIN tries left:\t3", "-a", "status")
}

func pivYkmanInfo(s *pivSeat) {
	info := s.ykman.Run("piv", "info")
	for _, want := range []string{"5.7.1", "3/3", "AES192", "default"} {
		if !strings.Contains(info, want) {
			s.Errorf("info lacks %q:\n%s", want, info)
		}
	}
}

// pivYkmanKeys makes a key and a certificate, reads them back, and has the key attested.
func pivYkmanKeys(s *pivSeat) {
	public := s.file("public.pem")
	for _, slot := range []string{"9c", "95"} {
		s.ykman.Run("piv", "keys", "generate", "--algorithm", "ECCP256", "--pin-policy", "ONCE", "-m", factoryManagement, slot, public)
		s.ykman.Run("piv", "certificates", "generate", "-P", factoryPIN, "-m", factoryManagement, "--subject", "CN=by ykman", slot, public)
		s.ykman.Run("piv", "certificates", "export", slot, s.file("own.crt"))
		c := s.selfSigned("own.crt", "by ykman")
		s.ykman.Run("piv", "keys", "attest", slot, s.file("attestation.crt"))
		s.ykman.Run("piv", "certificates", "export", "f9", s.file("f9.crt"))
		s.attests("attestation.crt", "f9.crt", c.PublicKey)
		s.ykman.Run("piv", "keys", "export", "--verify", "-P", factoryPIN, slot, s.file("exported.pem"))
		if info := s.ykman.Run("piv", "info"); !strings.Contains(info, "CN=by ykman") {
			s.Errorf("piv info:\n%s", info)
		}
		s.ykman.Run("piv", "certificates", "delete", "-m", factoryManagement, slot)
		s.ykmanRefuses("No certificate found", "piv", "certificates", "export", slot, s.file("none.crt"))
	}
	s.ykman.Run("piv", "reset", "--force")
	s.ykmanRefuses("", "piv", "keys", "attest", "95", s.file("none.crt"))
}

func pivYkmanAccess(s *pivSeat) {
	s.ykman.Run("piv", "access", "change-pin", "-P", factoryPIN, "-n", "246810")
	s.ykmanRefuses("2", "piv", "access", "change-pin", "-P", factoryPIN, "-n", "111111")
	s.ykman.Run("piv", "access", "change-puk", "-p", factoryPUK, "-n", "13579111")
	s.ykman.Run("piv", "access", "unblock-pin", "-p", "13579111", "-n", "135791")
	// An AES key that the PIN protects: kept in an object that only a verified PIN can read.
	s.ykman.Run("piv", "access", "change-management-key", "-P", "135791", "-m", factoryManagement, "--algorithm", "AES256", "--generate", "--protect", "--force")
	info := s.ykman.Run("piv", "info")
	for _, want := range []string{"AES256", "protected by PIN"} {
		if !strings.Contains(info, want) {
			s.Errorf("info lacks %q:\n%s", want, info)
		}
	}
	s.ykman.Run("piv", "keys", "generate", "--algorithm", "ECCP256", "-P", "135791", "9a", s.file("public.pem"))
	s.ykman.Run("piv", "access", "set-retries", "--force", "-P", "135791", "7", "4")
	if info := s.ykman.Run("piv", "info"); !strings.Contains(info, "7/7") {
		s.Errorf("info after set-retries:\n%s", info)
	}
	s.ykman.Run("piv", "reset", "--force")
	if info := s.ykman.Run("piv", "info"); !strings.Contains(info, "3/3") {
		s.Errorf("info after reset:\n%s", info)
	}
}

func pivYkmanTouch(s *pivSeat) {
	public := s.file("public.pem")
	s.ykman.Run("piv", "keys", "generate", "--algorithm", "ECCP256", "--touch-policy", "ALWAYS", "-m", factoryManagement, "9a", public)
	generate := []string{"piv", "certificates", "generate", "-P", factoryPIN, "-m", factoryManagement, "--subject", "CN=touched", "9a", public}
	s.key.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchNever})
	s.ykmanRefuses("", generate...)
	began := time.Now()
	s.key.Fail(softkey.Fault{Kind: softkey.FaultTouch, Touch: softkey.TouchMode(200 * time.Millisecond)})
	s.ykman.Run(generate...)
	if waited := time.Since(began); waited < 200*time.Millisecond {
		s.Errorf("done after %v, before the touch", waited)
	}
	s.ykman.Run("piv", "certificates", "export", "9a", s.file("own.crt"))
	s.selfSigned("own.crt", "touched")
}
