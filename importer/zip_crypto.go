package importer

import (
	"archive/zip"
	"errors"
	"hash/crc32"

	"github.com/oathd/oathd/oath"
)

// zipCrypto is the old encryption of zip (APPNOTE.TXT, section 6.1): three keys that turn with each byte. It is easily
// broken, and still what WinAuth and Raivo write.
type zipCrypto [3]uint32

func newZipCrypto(password []byte) *zipCrypto {
	z := &zipCrypto{0x12345678, 0x23456789, 0x34567890}
	for _, c := range password {
		z.turn(c)
	}
	return z
}

func (z *zipCrypto) turn(plain byte) {
	z[0] = turnCRC(z[0], plain)
	z[1] = (z[1]+z[0]&0xff)*134775813 + 1
	z[2] = turnCRC(z[2], byte(z[1]>>24))
}

func turnCRC(crc uint32, c byte) uint32 { return crc32.IEEETable[byte(crc)^c] ^ crc>>8 }

// decrypt works in place.
func (z *zipCrypto) decrypt(data []byte) {
	for i := range data {
		t := z[2] | 2
		data[i] ^= byte(t * (t ^ 1) >> 8)
		z.turn(data[i])
	}
}

// openZipCrypto decrypts and unpacks a file. Twelve bytes of noise are before it, of which the last checks the
// password; the one wrong password in 256 that it lets pass is known by what comes out.
func (in *input) openZipCrypto(f *zip.File, raw []byte, password *oath.Secret) (*oath.Secret, error) {
	const noise, streamed = 12, 8
	if len(raw) < noise {
		return nil, tooShort(len(raw), noise)
	}
	packed := oath.CopySecret(raw)
	defer packed.Wipe()
	newZipCrypto(password.Bytes()).decrypt(packed.Bytes())
	want := byte(f.CRC32 >> 24)
	if f.Flags&streamed != 0 {
		want = byte(f.ModifiedTime >> 8) // the sum was not known yet when the noise was written
	}
	if packed.Bytes()[noise-1] != want {
		return nil, ErrPassword
	}
	plain, err := in.inflate(f, f.Method, packed.Bytes()[noise:])
	if err == nil && crc32.ChecksumIEEE(plain.Bytes()) != f.CRC32 {
		plain.Wipe()
		err = errDamaged
	}
	if errors.Is(err, errDamaged) {
		return nil, ErrPassword
	}
	return plain, err
}
