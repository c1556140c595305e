package importer

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"github.com/oathd/oathd/oath"
)

// The encryption of WinZip (https://www.winzip.com/en/support/aes-encryption/): of the password PBKDF2 makes a key for AES
// in counter mode, one for the code at the end, and two bytes that check the password.
const (
	// zipAES stands in the place of the method; the method itself is in the extra field zipAESExtra.
	zipAES       = 99
	zipAESExtra  = 0x9901
	zipAESRounds = 1000
	zipAESCheck  = 2
	zipAESCode   = 10
)

// openAES decrypts and unpacks a file.
func (in *input) openAES(f *zip.File, raw []byte, password *oath.Secret) (*oath.Secret, error) {
	strength, method, err := parametersAES(f.Extra)
	if err != nil {
		return nil, err
	}
	keyLen, saltLen := 8+8*strength, 4+4*strength
	if least := saltLen + zipAESCheck + zipAESCode; len(raw) < least {
		return nil, tooShort(len(raw), least)
	}
	keys, err := in.limits.pbkdf2(sha1.New, password, raw[:saltLen], zipAESRounds, 2*keyLen+zipAESCheck)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	key, codeKey, check := keys.Bytes()[:keyLen], keys.Bytes()[keyLen:2*keyLen], keys.Bytes()[2*keyLen:]
	box, code := raw[saltLen+zipAESCheck:len(raw)-zipAESCode], raw[len(raw)-zipAESCode:]
	if !bytes.Equal(check, raw[saltLen:saltLen+zipAESCheck]) ||
		subtle.ConstantTimeCompare(oath.HMAC(oath.SHA1, codeKey, box)[:zipAESCode], code) != 1 {
		return nil, ErrPassword
	}
	packed := oath.CopySecret(box)
	defer packed.Wipe()
	if err := countAES(key, packed.Bytes()); err != nil {
		return nil, err
	}
	return in.inflate(f, method, packed.Bytes())
}

// parametersAES finds the strength, 1 for 128 bits to 3 for 256, and the method: the extra field is version, "AE",
// strength and method.
func parametersAES(extra []byte) (strength int, method uint16, err error) {
	for len(extra) >= 4 {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; size > len(extra) {
			break
		}
		if field := extra[:size]; id == zipAESExtra && size >= 7 && field[4] >= 1 && field[4] <= 3 {
			return int(field[4]), binary.LittleEndian.Uint16(field[5:]), nil
		}
		extra = extra[size:]
	}
	return 0, 0, errors.New("it does not say how it is encrypted")
}

// countAES decrypts in place. The counter is little-endian, and begins with 1.
func countAES(key, data []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	var counter, stream [aes.BlockSize]byte
	for n := uint64(1); len(data) > 0; n++ {
		binary.LittleEndian.PutUint64(counter[:], n)
		block.Encrypt(stream[:], counter[:])
		data = data[subtle.XORBytes(data, data, stream[:]):]
	}
	return nil
}
