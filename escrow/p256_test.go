package escrow

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestPluginVector compares with what age-plugin-yubikey wrote for a real key, as shown in
// https://words.filippo.io/dispatches/age-plugins/.
func TestPluginVector(t *testing.T) {
	r := Recipient{Public: "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", Serial: 15737904, Slot: 0x95}
	if got := r.IdentityLine(); got != "AGE-PLUGIN-YUBIKEY-1XQJ0QQY48ZQH3UC845XQL" {
		t.Errorf("identity %s", got)
	}
	public, err := parsePIV(r.Public)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawStdEncoding.EncodeToString(keyTag(public)); got != "OIF48w" {
		t.Errorf("tag %s", got)
	}
	if got, err := PIVRecipient(public.Bytes()); err != nil || got != r.Public {
		t.Errorf("recipient %s, %v", got, err)
	}
}

// enclave returns a key and a stanza for it from the tests of age-plugin-se (Tests/PluginTests.swift), an
// implementation by other people for other hardware.
func enclave(t *testing.T) (*slot, *age.Stanza) {
	t.Helper()
	_, scalar, err := decodeBech32([]byte("AGE-PLUGIN-SE-18YNMANPJKHE2ZAZJHRCKZKFXCT78YYWUTY0F730TMTZFV0CM9YHSRP8GPG"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.RawStdEncoding.DecodeString("SLgnrcnHLaJHCx+fwSEWWoflDgL91oDGCGNwb2YaT+4")
	if err != nil {
		t.Fatal(err)
	}
	return &slot{private: private}, &age.Stanza{Type: "piv-p256", Args: []string{"14yi6A", "Az7IeMpB4oX0CHt/Bc9xzk6x1K262zNxoUtfAikZa5T7"}, Body: body}
}

func TestStanzaVector(t *testing.T) {
	s, stanza := enclave(t)
	fileKey, err := s.identity(t).key.Unwrap([]*age.Stanza{{Type: "X25519"}, stanza})
	if err != nil || base64.RawStdEncoding.EncodeToString(fileKey) != "AAAAAAAAAAAAAAAAAAAAAQ" {
		t.Errorf("file key %x, %v", fileKey, err)
	}
}

// TestTagVector opens a file that age's own package tag v1.3.2 made.
func TestTagVector(t *testing.T) {
	scalar, _ := hex.DecodeString("77c5d9d1ae4d2ea3e1d3d2f5a2b3e6c0f1029384756473829100aabbccddeeff")
	private, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "p256tag.age"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := dearmor(text)
	if err != nil {
		t.Fatal(err)
	}
	s := &slot{private: private}
	got, err := decrypt(file, s.identity(t).key)
	if err != nil || string(got.Bytes()) != "wrapped by filippo.io/age/tag v1.3.2\n" || s.asked != 1 {
		t.Errorf("%q, %v; the card was asked %d times", got.Bytes(), err, s.asked)
	}
}

// tagRecipient wraps as C2SP's age.md has it for p256tag, with another implementation of HPKE than age's.
type tagRecipient struct{ public *ecdh.PublicKey }

func (r tagRecipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	public, err := hpke.NewDHKEMPublicKey(r.public)
	if err != nil {
		return nil, err
	}
	share, sender, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelTag))
	if err != nil {
		return nil, err
	}
	body, err := sender.Seal(nil, fileKey)
	if err != nil {
		return nil, err
	}
	tag, err := hkdf.Extract(sha256.New, append(bytes.Clone(share), keyTag(r.public)...), []byte(labelTag))
	if err != nil {
		return nil, err
	}
	arg := base64.RawStdEncoding.EncodeToString
	return []*age.Stanza{{Type: "p256tag", Args: []string{arg(tag[:4]), arg(share)}, Body: body}}, nil
}

// TestOneTouch wants the card to be asked only for the stanza that is for it, whichever type it has.
func TestOneTouch(t *testing.T) {
	mine, other := newSlot(t), newSlot(t)
	for name, recipient := range map[string]age.Recipient{
		"piv-p256": pivRecipient{mine.private.PublicKey()},
		"p256tag":  tagRecipient{mine.private.PublicKey()},
	} {
		mine.asked = 0
		others := []age.Recipient{pivRecipient{other.private.PublicKey()}, tagRecipient{other.private.PublicKey()}}
		file, err := encrypt(secret("hello"), append(others, recipient)...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decrypt(file, mine.identity(t).key)
		if err != nil || string(got.Bytes()) != "hello" || mine.asked != 1 {
			t.Errorf("%s: %q, %v; asked %d times", name, got.Bytes(), err, mine.asked)
		}
		_, err = decrypt(file, newSlot(t).identity(t).key)
		wants(t, name+" with another key", err, age.ErrIncorrectIdentity)
	}
}

// TestSameTag has a stanza before ours whose tag is ours by chance.
func TestSameTag(t *testing.T) {
	s, stanza := enclave(t)
	twin := *stanza
	twin.Body = make([]byte, wrappedLen)
	if _, err := s.identity(t).key.Unwrap([]*age.Stanza{&twin, stanza}); err != nil || s.asked != 2 {
		t.Errorf("%v; asked %d times", err, s.asked)
	}
}

func TestMalformedStanzas(t *testing.T) {
	s, good := enclave(t)
	for name, change := range map[string]func(*age.Stanza){
		"no arguments":           func(s *age.Stanza) { s.Args = nil },
		"one more":               func(s *age.Stanza) { s.Args = append(s.Args, "x") },
		"a long body":            func(s *age.Stanza) { s.Body = append(s.Body, 0) },
		"a short body":           func(s *age.Stanza) { s.Body = s.Body[1:] },
		"a tag of three bytes":   func(s *age.Stanza) { s.Args[0] = s.Args[0][:4] },
		"a tag that is padded":   func(s *age.Stanza) { s.Args[0] += "==" },
		"a tag of stray bits":    func(s *age.Stanza) { s.Args[0] = "14yi6B" },
		"a share of no curve":    func(s *age.Stanza) { s.Args[1] = base64.RawStdEncoding.EncodeToString(make([]byte, 33)) },
		"a share uncompressed":   func(s *age.Stanza) { s.Args[1] = base64.RawStdEncoding.EncodeToString(make([]byte, 65)) },
		"a share that is broken": func(s *age.Stanza) { s.Args[1] = s.Args[1][:43] + "\n" },
		"a share for p256tag":    func(s *age.Stanza) { s.Type = "p256tag" },
	} {
		bad := *good
		bad.Args, bad.Body = append([]string{}, good.Args...), bytes.Clone(good.Body)
		change(&bad)
		if key, err := s.identity(t).key.Unwrap([]*age.Stanza{&bad}); err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
			t.Errorf("%s: %x, %v", name, key, err)
		}
	}
	if s.asked != 0 {
		t.Errorf("the card was asked %d times", s.asked)
	}
}

// TestCardTrouble wants what the card says to arrive as it is, and an answer of the wrong length to be noticed.
func TestCardTrouble(t *testing.T) {
	trouble := errors.New("wrong PIN, 2 tries left")
	for _, wrap := range []func(*ecdh.PublicKey) age.Recipient{
		func(k *ecdh.PublicKey) age.Recipient { return pivRecipient{k} },
		func(k *ecdh.PublicKey) age.Recipient { return tagRecipient{k} },
	} {
		s := newSlot(t)
		file, err := encrypt(secret("hello"), wrap(s.private.PublicKey()))
		if err != nil {
			t.Fatal(err)
		}
		s.err = trouble
		if _, err := decrypt(file, s.identity(t).key); err != trouble {
			t.Errorf("%v", err)
		}
		s.err, s.answer = nil, make([]byte, 31)
		if _, err := decrypt(file, s.identity(t).key); err == nil || !strings.Contains(err.Error(), "31 bytes") {
			t.Errorf("%v", err)
		}
		s.answer = make([]byte, 32)
		_, err = decrypt(file, s.identity(t).key)
		wants(t, "a wrong answer", err, age.ErrIncorrectIdentity)
	}
}

func TestBadPIVKeys(t *testing.T) {
	if r, err := PIVRecipient(make([]byte, 65)); err == nil {
		t.Errorf("a point of no curve became %s", r)
	}
	piv := newSlot(t).recipient(t)
	for _, recipient := range []string{"", "age1yubikey1qqqq", piv[:60], string(encodeBech32(prefixPIV, make([]byte, 33))),
		string(encodeBech32("age1tag", make([]byte, 33)))} {
		if _, err := PIV(recipient, newSlot(t)); err == nil {
			t.Errorf("%q was taken", recipient)
		}
		if line := (Recipient{Public: recipient}).IdentityLine(); line != "" {
			t.Errorf("%q: %s", recipient, line)
		}
	}
}
