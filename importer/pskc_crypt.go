package importer

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/oathd/oathd/oath"
)

// pskcCrypt is what a container says of its encryption (RFC 6030, section 6), and the keys once they are known.
type pskcCrypt struct {
	// derivation and prf are names of algorithms, "" without a password.
	derivation, prf            string
	salt, iterations, size     string
	keyName                    string
	certificate                bool
	macAlgorithm               string
	macKey                     pskcValue
	encryptionKey, integrityBy *oath.Secret
}

// text takes what is said of the encryption.
func (c *pskcCrypt) text(name string, text []byte) {
	switch name {
	case "Specified":
		c.salt = clean(text)
	case "IterationCount":
		c.iterations = clean(text)
	case "KeyLength":
		c.size = clean(text)
	case "PRF": // an attribute; python-pskc writes it as text
		c.prf = clean(text)
	case "KeyName":
		c.keyName = clean(text)
	}
}

// unlock asks for the password if anything is encrypted. The first value shows whether it is right.
func (c *pskcContainer) unlock(in *input) error {
	first := c.firstEncrypted()
	if first == nil {
		return nil
	}
	if c.crypt.certificate && c.crypt.derivation == "" {
		return errors.New("it is encrypted to a certificate, and only who has that one's key can read it")
	}
	_, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := c.crypt.key(in.limits, password)
		if err != nil {
			return nil, err
		}
		return key, c.crypt.try(in, key, first)
	})
	return err
}

func (c *pskcContainer) firstEncrypted() *pskcValue {
	for _, key := range c.keys {
		for _, v := range []*pskcValue{&key.secret, &key.counter, &key.interval} {
			if v.encrypted() {
				return v
			}
		}
	}
	return nil
}

// key derives the encryption key, or decodes the one that both sides have known before.
func (c *pskcCrypt) key(l limits, password *oath.Secret) (*oath.Secret, error) {
	if c.derivation == "" {
		return c.presharedKey(password)
	}
	if lastWord(c.derivation) != "pbkdf2" {
		return nil, fmt.Errorf("its key is derived by %s, only PBKDF2 is known", short(c.derivation))
	}
	newHash, ok := pskcHashes[instead(strings.TrimPrefix(lastWord(c.prf), "hmac-"), "sha1")]
	if !ok {
		return nil, fmt.Errorf("its key is derived with %s, which is not known", short(c.prf))
	}
	salt, err := fromBase64("salt", c.salt)
	if err != nil {
		return nil, err
	}
	rounds, err1 := strconv.Atoi(c.iterations)
	size, err2 := strconv.Atoi(c.size)
	if err1 != nil || err2 != nil || size < 16 || size > 32 {
		return nil, errParameters
	}
	return l.pbkdf2(newHash, password, salt, rounds, size)
}

var pskcHashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// presharedKey takes the key itself for the password, in hexadecimal.
func (c *pskcCrypt) presharedKey(password *oath.Secret) (*oath.Secret, error) {
	key := oath.NewSecret(hex.DecodedLen(password.Len()))
	if _, err := hex.Decode(key.Bytes(), password.Bytes()); err != nil || key.Len() < 16 {
		key.Wipe()
		return nil, fmt.Errorf("%w: what it needs is the key %s in hexadecimal", ErrPassword, short(c.keyName))
	}
	return key, nil
}

// try keeps the keys if value opens with them. The key is wiped if it does not.
func (c *pskcCrypt) try(in *input, key *oath.Secret, value *pskcValue) error {
	c.encryptionKey, c.integrityBy = key, key
	if c.macKey.encrypted() {
		mac, err := c.decipher(&c.macKey)
		if err != nil {
			key.Wipe()
			return err
		}
		in.own(mac)
		c.integrityBy = mac
	}
	plain, err := c.open(value)
	if err != nil {
		key.Wipe()
		return err
	}
	plain.Wipe()
	return nil
}

// open returns what a value holds, as a Secret of the caller's.
func (c *pskcCrypt) open(v *pskcValue) (*oath.Secret, error) {
	if !v.encrypted() {
		return decodeLines(v.plain)
	}
	if v.mac != nil {
		if err := c.verify(v); err != nil {
			return nil, err
		}
	}
	return c.decipher(v)
}

// verify compares the MAC of the encrypted value, initialization vector included (RFC 6030, section 6.1.1).
func (c *pskcCrypt) verify(v *pskcValue) error {
	algorithm, err := oath.ParseAlgorithm(lastWord(c.macAlgorithm))
	if err != nil {
		return fmt.Errorf("its MAC is made by %s, which is not known", short(c.macAlgorithm))
	}
	box, err := fromBase64("encrypted value", compact(v.cipher))
	if err != nil {
		return err
	}
	want, err := fromBase64("MAC", compact(v.mac))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(oath.HMAC(algorithm, c.integrityBy.Bytes(), box), want) != 1 {
		return ErrPassword
	}
	return nil
}

// decipher decrypts AES-CBC as XML Encryption writes it (section 5.2): the initialization vector first, and of the
// padding only the last byte says something.
func (c *pskcCrypt) decipher(v *pskcValue) (*oath.Secret, error) {
	if want := map[string]int{"aes128-cbc": 16, "aes192-cbc": 24, "aes256-cbc": 32}[lastWord(v.algorithm)]; want == 0 {
		return nil, fmt.Errorf("it is encrypted by %s, only AES-CBC is known", short(v.algorithm))
	} else if want != c.encryptionKey.Len() {
		return nil, fmt.Errorf("its key has %d bytes, %s needs %d", c.encryptionKey.Len(), lastWord(v.algorithm), want)
	}
	box, err := fromBase64("encrypted value", compact(v.cipher))
	if err != nil {
		return nil, err
	}
	const block = 16
	if len(box) < 2*block {
		return nil, tooShort(len(box), 2*block)
	}
	padded, err := decryptCBC(c.encryptionKey, box[:block], box[block:])
	if err != nil {
		return nil, err
	}
	defer padded.Wipe()
	n := int(padded.Bytes()[padded.Len()-1])
	if n < 1 || n > block {
		return nil, ErrPassword
	}
	return oath.CopySecret(padded.Bytes()[:padded.Len()-n]), nil
}

// number reads a counter or an interval. 0 if it is not said.
func (c *pskcCrypt) number(v *pskcValue) (int64, error) {
	switch {
	case v.encrypted():
		plain, err := c.open(v)
		if err != nil {
			return 0, err
		}
		defer plain.Wipe()
		return bigEndian(plain.Bytes())
	case v.plain == nil:
		return 0, nil
	}
	n, err := strconv.ParseInt(string(v.plain), 10, 64)
	if err != nil {
		return 0, errNoNumber
	}
	return n, nil
}

var errNoNumber = errors.New("it is not a number")

// bigEndian reads a number that was encrypted: its digits, or its bytes, of which programs make either.
func bigEndian(text []byte) (int64, error) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	if len(text) == 0 || len(text) > 8 {
		return 0, errNoNumber
	}
	var n uint64
	for _, b := range text {
		n = n<<8 | uint64(b)
	}
	return int64(n), nil
}

// decodeLines decodes base64 with blanks in it.
func decodeLines(text []byte) (*oath.Secret, error) {
	buf := oath.NewSecret(len(text))
	defer buf.Wipe()
	out := buf.Bytes()[:0]
	for _, c := range text {
		if c > ' ' {
			out = append(out, c)
		}
	}
	n, err := base64.StdEncoding.Decode(out, out)
	if err != nil {
		return nil, errors.New("its secret is not base64")
	}
	return oath.CopySecret(out[:n]), nil
}

// compact takes the blanks out of a text that is no secret.
func compact(text []byte) string { return string(bytes.Join(bytes.Fields(text), nil)) }
