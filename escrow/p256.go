package escrow

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// ECDH is what a PIV slot does for the vault: the x coordinate, 32 bytes, of its private key times a point of
// P-256 (65 bytes, uncompressed; NIST SP 800-73-4, part 2, section 3.2.4). The result is the caller's to wipe.
// Its errors come back from Unlock as they are.
type ECDH interface {
	SharedSecret(point []byte) ([]byte, error)
}

// Stanza types and their labels (C2SP, age-piv-p256.md and age.md, "The p256tag recipient type").
const (
	stanzaPIV = "piv-p256"
	stanzaTag = "p256tag"
	labelTag  = "age-encryption.org/p256tag"

	compressedLen, pointLen, tagLen = 33, 65, 4
)

// Prefixes of Bech32 texts; the vault and the recovery keys have age's own.
const (
	prefixRecipient      = "age"
	prefixSecretKey      = "age-secret-key-"
	prefixPIV            = "age1yubikey"
	prefixPluginIdentity = "age-plugin-yubikey-"
)

// PIVRecipient returns the recipient, "age1yubikey1…", of a slot by its public key (65 bytes, uncompressed).
func PIVRecipient(point []byte) (string, error) {
	if _, err := ecdh.P256().NewPublicKey(point); err != nil {
		return "", fmt.Errorf("cannot make a recipient of this key: %w", err)
	}
	return string(encodeBech32(prefixPIV, compress(point))), nil
}

// parsePIV returns the public key of an "age1yubikey1…".
func parsePIV(recipient string) (*ecdh.PublicKey, error) {
	prefix, data, err := decodeBech32([]byte(recipient))
	if err != nil {
		return nil, err
	}
	if prefix != prefixPIV {
		return nil, fmt.Errorf("it begins with %q", prefix)
	}
	return decompress(data)
}

func compress(point []byte) []byte {
	return append([]byte{2 | point[pointLen-1]&1}, point[1:compressedLen]...)
}

func decompress(b []byte) (*ecdh.PublicKey, error) {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), b)
	if x == nil {
		return nil, errors.New("no point of P-256")
	}
	point := make([]byte, pointLen)
	point[0] = 4
	for i, n := range []*big.Int{x, y} {
		n.FillBytes(point[1+32*i : 33+32*i])
	}
	return ecdh.P256().NewPublicKey(point)
}

// keyTag is how age-plugin-yubikey names a key in a stanza and in an identity line.
func keyTag(public *ecdh.PublicKey) []byte {
	sum := sha256.Sum256(compress(public.Bytes()))
	return sum[:tagLen]
}

// pluginIdentity returns the line with which age-plugin-yubikey finds the slot: "AGE-PLUGIN-YUBIKEY-1…" of
// serial number, slot and key.
func pluginIdentity(serial uint32, slot byte, public *ecdh.PublicKey) string {
	data := binary.LittleEndian.AppendUint32(nil, serial)
	data = append(append(data, slot), keyTag(public)...)
	return string(upperCase(encodeBech32(prefixPluginIdentity, data)))
}

// pivRecipient wraps file keys for a PIV slot.
type pivRecipient struct{ public *ecdh.PublicKey }

// Wrap implements age.Recipient with a stanza "piv-p256", which every released age-plugin-yubikey opens.
func (r pivRecipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	shared, err := ephemeral.ECDH(r.public)
	if err != nil {
		return nil, err
	}
	defer oath.Wipe(shared)
	share := compress(ephemeral.PublicKey().Bytes())
	wrap, err := deriveCipher(shared, append(bytes.Clone(share), compress(r.public.Bytes())...), stanzaPIV)
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{
		Type: stanzaPIV,
		Args: []string{base64.RawStdEncoding.EncodeToString(keyTag(r.public)), base64.RawStdEncoding.EncodeToString(share)},
		Body: wrap.Seal(nil, wrapNonce[:], fileKey, nil),
	}}, nil
}

// pivIdentity unwraps file keys with a PIV slot. The tags in the stanzas tell which one is for it, so that the
// card is asked, and its owner touches it, only once.
type pivIdentity struct {
	public *ecdh.PublicKey
	card   ECDH
}

// Unwrap implements age.Identity for the stanzas "piv-p256" and "p256tag".
func (i pivIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		unwrap := map[string]func(tag, share, body []byte) ([]byte, error){stanzaPIV: i.unwrapPIV, stanzaTag: i.unwrapTag}[s.Type]
		if unwrap == nil {
			continue
		}
		tag, share, err := parseStanza(s)
		if err != nil {
			return nil, err
		}
		fileKey, err := unwrap(tag, share, s.Body)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return fileKey, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// parseStanza checks the form that both types share.
func parseStanza(s *age.Stanza) (tag, share []byte, err error) {
	shareLen := map[string]int{stanzaPIV: compressedLen, stanzaTag: pointLen}[s.Type]
	if len(s.Args) != 2 || len(s.Body) != wrappedLen {
		return nil, nil, fmt.Errorf("malformed stanza %s", s.Type)
	}
	tag, err = decodeArg(s.Args[0], tagLen)
	if err != nil {
		return nil, nil, err
	}
	share, err = decodeArg(s.Args[1], shareLen)
	return tag, share, err
}

func decodeArg(arg string, n int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(arg)
	if err != nil || len(b) != n || len(arg) != base64.RawStdEncoding.EncodedLen(n) {
		return nil, fmt.Errorf("malformed stanza: %q is not %d bytes in base64", arg, n)
	}
	return b, nil
}

func (i pivIdentity) unwrapPIV(tag, share, body []byte) ([]byte, error) {
	if !bytes.Equal(tag, keyTag(i.public)) {
		return nil, age.ErrIncorrectIdentity
	}
	point, err := decompress(share)
	if err != nil {
		return nil, err
	}
	shared, err := i.ECDH(point)
	if err != nil {
		return nil, err
	}
	defer oath.Wipe(shared)
	wrap, err := deriveCipher(shared, append(share, compress(i.public.Bytes())...), stanzaPIV)
	if err != nil {
		return nil, err
	}
	return orIncorrect(wrap.Open(nil, wrapNonce[:], body, nil))
}

func (i pivIdentity) unwrapTag(tag, share, body []byte) ([]byte, error) {
	want, err := hkdf.Extract(sha256.New, append(bytes.Clone(share), keyTag(i.public)...), []byte(labelTag))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(tag, want[:tagLen]) {
		return nil, age.ErrIncorrectIdentity
	}
	key, err := hpke.NewDHKEMPrivateKey(i)
	if err != nil {
		return nil, err
	}
	recipient, err := hpke.NewRecipient(share, key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelTag))
	if err != nil {
		return nil, err
	}
	return orIncorrect(recipient.Open(nil, body))
}

// orIncorrect takes a file key that does not open for somebody else's: a tag has 32 bits, and can be the same
// by chance.
func orIncorrect(fileKey []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, age.ErrIncorrectIdentity
	}
	return fileKey, nil
}

// PublicKey, Curve and ECDH make the slot an ecdh.KeyExchanger, which is what crypto/hpke works with.
func (i pivIdentity) PublicKey() *ecdh.PublicKey { return i.public }
func (i pivIdentity) Curve() ecdh.Curve          { return ecdh.P256() }
func (i pivIdentity) ECDH(point *ecdh.PublicKey) ([]byte, error) {
	shared, err := i.card.SharedSecret(point.Bytes())
	if err != nil {
		return nil, &cardError{err}
	}
	if len(shared) != 32 {
		oath.Wipe(shared)
		return nil, &cardError{fmt.Errorf("the card answered %d bytes for a shared secret of 32", len(shared))}
	}
	return shared, nil
}
