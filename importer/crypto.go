package importer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"

	"github.com/oathd/oathd/oath"
)

// limits bound what a password's hash may cost, which the export itself says.
type limits struct {
	// memory is in bytes; work in units of about a microsecond on a machine of today.
	memory, work uint64
}

// usualLimits admit what programs write: ente Auth's hash takes 1 GiB, Bitwarden's up to 1 GiB ten times
// over, Aegis' 32 MiB. The work is about half a minute.
var usualLimits = limits{memory: 1 << 30, work: 30_000_000}

// allow returns an error that names the limit if the hash would cost more. The numbers are the export's: they may
// be absurd, and are compared without multiplying.
func (l limits) allow(memory, work uint64) error {
	if memory > l.memory {
		return fmt.Errorf("%w: a password hash of %d MiB, at most %d are granted", ErrLimit, memory>>20, l.memory>>20)
	}
	if work > l.work {
		return fmt.Errorf("%w: a password hash of about %d seconds, at most %d are granted", ErrLimit, work/1e6, l.work/1e6)
	}
	return nil
}

// maxNumber is the largest parameter of a hash that is looked at: products of three stay in range.
const maxNumber = 1 << 31

var errParameters = errors.New("the parameters of its password hash mean nothing")

// scrypt derives a key of n bytes (RFC 7914).
func (l limits) scrypt(password *oath.Secret, salt []byte, cost, block, parallel, n int) (*oath.Secret, error) {
	for _, p := range []int{cost, block, parallel} {
		if p < 1 || p > maxNumber {
			return nil, errParameters
		}
	}
	if block > 1<<10 || parallel > 1<<10 {
		return nil, fmt.Errorf("%w: scrypt with r %d and p %d, at most 1024 are granted", ErrLimit, block, parallel)
	}
	memory := 128 * uint64(cost) * uint64(block)
	if err := l.allow(memory, memory/512*uint64(parallel)); err != nil {
		return nil, err
	}
	key, err := scrypt.Key(password.Bytes(), salt, cost, block, parallel, n)
	if err != nil {
		return nil, errParameters
	}
	return oath.TakeSecret(key), nil
}

// pbkdf2 derives a key of n bytes (RFC 8018).
func (l limits) pbkdf2(newHash func() hash.Hash, password *oath.Secret, salt []byte, rounds, n int) (*oath.Secret, error) {
	if rounds < 1 || rounds > maxNumber {
		return nil, errParameters
	}
	if err := l.allow(0, uint64(rounds)); err != nil {
		return nil, err
	}
	// pbkdf2.Key wants the password as a string, which is a copy that stays until the heap is used again.
	key, err := pbkdf2.Key(newHash, string(password.Bytes()), salt, rounds, n)
	if err != nil {
		return nil, errParameters
	}
	return oath.TakeSecret(key), nil
}

// argon2id derives a key of n bytes (RFC 9106); memory is in KiB.
func (l limits) argon2id(password *oath.Secret, salt []byte, passes, memory, lanes, n int) (*oath.Secret, error) {
	if passes < 1 || passes > maxNumber || memory < 1 || memory > maxNumber || lanes < 1 || lanes > 255 {
		return nil, errParameters
	}
	if err := l.allow(uint64(memory)<<10, uint64(memory)*uint64(passes)); err != nil {
		return nil, err
	}
	key := argon2.IDKey(password.Bytes(), salt, uint32(passes), uint32(memory), uint8(lanes), uint32(n))
	return oath.TakeSecret(key), nil
}

// openGCM decrypts AES-GCM, the tag at the end of box. A tag that does not fit is ErrPassword.
func openGCM(key *oath.Secret, nonce, box, bound []byte) (*oath.Secret, error) {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return nil, errors.New("its key is not one for AES")
	}
	if len(nonce) == 0 || len(nonce) > 64 {
		return nil, fmt.Errorf("its nonce has %d bytes", len(nonce))
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		return nil, fmt.Errorf("its nonce has %d bytes", len(nonce))
	}
	if len(box) < gcm.Overhead() {
		return nil, tooShort(len(box), gcm.Overhead())
	}
	plain := oath.NewSecret(len(box) - gcm.Overhead())
	if _, err := gcm.Open(plain.Bytes()[:0], nonce, box, bound); err != nil {
		plain.Wipe()
		return nil, ErrPassword
	}
	return plain, nil
}

// openCBC decrypts AES-CBC and takes the padding of PKCS #7 off. A padding that is none is ErrPassword.
func openCBC(key *oath.Secret, iv, box []byte) (*oath.Secret, error) {
	padded, err := decryptCBC(key, iv, box)
	if err != nil {
		return nil, err
	}
	defer padded.Wipe()
	return unpad(padded.Bytes(), aes.BlockSize)
}

// decryptCBC decrypts AES-CBC, padding included; box holds at least one block.
func decryptCBC(key *oath.Secret, iv, box []byte) (*oath.Secret, error) {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return nil, errors.New("its key is not one for AES")
	}
	if len(iv) != aes.BlockSize {
		return nil, fmt.Errorf("its initialization vector has %d bytes", len(iv))
	}
	if len(box) == 0 || len(box)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("it is cut off: %d encrypted bytes are no whole number of blocks", len(box))
	}
	padded := oath.NewSecret(len(box))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(padded.Bytes(), box)
	return padded, nil
}

// unpad copies what is before the padding of PKCS #7.
func unpad(padded []byte, size int) (*oath.Secret, error) {
	n := int(padded[len(padded)-1])
	if n < 1 || n > size {
		return nil, ErrPassword
	}
	for _, c := range padded[len(padded)-n:] {
		if int(c) != n {
			return nil, ErrPassword
		}
	}
	return oath.CopySecret(padded[:len(padded)-n]), nil
}

// fromHex decodes what is no secret, and names it in the error.
func fromHex(what, text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("its %s is not hexadecimal", what)
	}
	return b, nil
}

// fromBase64 decodes what is no secret, and names it in the error.
func fromBase64(what, text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("its %s is not base64", what)
	}
	return b, nil
}

// base64JSON decodes a JSON string of base64, which is encrypted and thus no secret.
func base64JSON(what string, quoted []byte) ([]byte, error) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil, fmt.Errorf("its %s is not a text", what)
	}
	inside := quoted[1 : len(quoted)-1]
	text := unquote(make([]byte, 0, len(inside)), inside)
	n, err := base64.StdEncoding.Decode(text, text)
	if err != nil {
		return nil, fmt.Errorf("its %s is not base64", what)
	}
	return text[:n], nil
}
