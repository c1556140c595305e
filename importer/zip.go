package importer

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strings"

	"github.com/oathd/oathd/oath"
)

const (
	// zipMagic begins an archive, zipDirectory each line of its directory (APPNOTE.TXT, sections 4.3.7 and 4.3.12).
	zipMagic     = "PK\x03\x04"
	zipDirectory = "PK\x01\x02"

	// maxPacked is how many files an archive may have: 1Password puts one in for each attachment.
	maxPacked = 100_000

	// maxUnpacked is how large a file may become, besides the size of the archive: 10,000 accounts of 1Password take half
	// of it.
	maxUnpacked = 32 << 20

	// maxRatio is more than what deflate makes of a byte at best, 1032 (zlib.net/zlib_tech.html).
	maxRatio = 1100

	// zipEncrypted is the flag of an encrypted file.
	zipEncrypted = 1
)

// errDamaged is for a file that does not unpack to what the archive says of it.
var errDamaged = errors.New("it is damaged")

// archive lists the files of a zip archive; nothing if the input is none.
func (in *input) archive() []*zip.File {
	if !in.begins(zipMagic) || bytes.Count(in.data, []byte(zipDirectory)) > maxPacked {
		return nil
	}
	// Odd paths are no matter: nothing is written under them.
	r, err := zip.NewReader(bytes.NewReader(in.data), int64(len(in.data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil
	}
	return r.File
}

// packed finds a file in the archive by its base name, in any case; nil if there is none.
func (in *input) packed(name string) *zip.File {
	for _, f := range in.archive() {
		if strings.EqualFold(path.Base(f.Name), name) {
			return f
		}
	}
	return nil
}

// unpack returns a file of the archive, and asks for a password if it is encrypted. in wipes the content.
func (in *input) unpack(f *zip.File) ([]byte, error) {
	raw, err := in.rawFile(f)
	if err != nil {
		return nil, err
	}
	if f.Flags&zipEncrypted != 0 {
		return in.decrypt(func(password *oath.Secret) (*oath.Secret, error) { return in.openPacked(f, raw, password) })
	}
	plain, err := in.inflate(f, f.Method, raw)
	if err != nil {
		return nil, fmt.Errorf("its file %s: %w", short(f.Name), err)
	}
	in.own(plain)
	if crc32.ChecksumIEEE(plain.Bytes()) != f.CRC32 {
		return nil, fmt.Errorf("its file %s: %w", short(f.Name), errDamaged)
	}
	return plain.Bytes(), nil
}

// rawFile returns the part of the data that is the file, as it is packed.
func (in *input) rawFile(f *zip.File) ([]byte, error) {
	start, err := f.DataOffset()
	if size := uint64(len(in.data)); err != nil || start < 0 || uint64(start) > size || f.CompressedSize64 > size-uint64(start) {
		return nil, fmt.Errorf("it is cut off: its file %s is not all there", short(f.Name))
	}
	return in.data[start:][:f.CompressedSize64], nil
}

// openPacked decrypts and unpacks a file.
func (in *input) openPacked(f *zip.File, raw []byte, password *oath.Secret) (*oath.Secret, error) {
	if f.Method != zipAES {
		return in.openZipCrypto(f, raw, password)
	}
	return in.openAES(f, raw, password)
}

// inflate unpacks raw, of which f says how long it becomes.
func (in *input) inflate(f *zip.File, method uint16, raw []byte) (*oath.Secret, error) {
	size, most := f.UncompressedSize64, uint64(maxUnpacked+len(in.data))
	if size > most {
		return nil, fmt.Errorf("%w: it unpacks to %d MiB, at most %d are granted", ErrLimit, size>>20, most>>20)
	}
	var r io.Reader = bytes.NewReader(raw)
	switch method {
	case zip.Deflate:
		r = flate.NewReader(r)
	case zip.Store:
	default:
		return nil, fmt.Errorf("it is packed by a method (%d) that is not known: unzip it first", method)
	}
	if size > uint64(len(raw))*maxRatio {
		return nil, errDamaged
	}
	plain, err := oath.ReadSecret(r, int(size))
	if err != nil {
		return nil, errDamaged
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		plain.Wipe()
		return nil, errDamaged
	}
	return plain, nil
}
