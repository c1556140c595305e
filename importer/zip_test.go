package importer

import (
	"archive/zip"
	"bytes"
	"errors"
	"testing"
)

// zipOf makes an archive with one file.
func zipOf(t testing.TB, header zip.FileHeader, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpackOnly(data []byte) ([]byte, error) {
	in := &input{data: data, limits: usualLimits}
	defer in.wipe()
	f := in.packed("LIST.json")
	if f == nil {
		return nil, errors.New("no such file")
	}
	content, err := in.unpack(f)
	return bytes.Clone(content), err
}

func TestUnpack(t *testing.T) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		data := zipOf(t, zip.FileHeader{Name: "../a folder/list.json", Method: method}, []byte("some content"))
		if content, err := unpackOnly(data); err != nil || string(content) != "some content" {
			t.Errorf("method %d: %q, %v", method, content, err)
		}
		for i := range data {
			broken := bytes.Clone(data)
			broken[i] ^= 0x55
			if content, err := unpackOnly(broken); err == nil && string(content) != "some content" {
				t.Errorf("method %d, byte %d: %q", method, i, content)
			}
			if _, err := unpackOnly(data[:i]); err == nil {
				t.Errorf("method %d: cut off after %d bytes, and nobody noticed", method, i)
			}
		}
	}
}

// TestUnpackClaims has archives say of a file that it is longer, or shorter, than it is.
func TestUnpackClaims(t *testing.T) {
	data := zipOf(t, zip.FileHeader{Name: "list.json", Method: zip.Deflate}, make([]byte, 100_000))
	for claim, want := range map[uint64]error{1 << 40: ErrLimit, maxUnpacked + 1<<20: ErrLimit, maxUnpacked: errDamaged, 100_001: errDamaged, 10: errDamaged, 0: errDamaged} {
		in := &input{data: data}
		f := in.packed("list.json")
		f.UncompressedSize64 = claim
		if _, err := in.unpack(f); !errors.Is(err, want) {
			t.Errorf("%d bytes that claim to unpack to %d: %v", len(data), claim, err)
		}
		in.wipe()
	}
	if many := bytes.Repeat([]byte(zipDirectory), maxPacked+1); (&input{data: append([]byte(zipMagic), many...)}).archive() != nil {
		t.Error("an archive of too many files is read")
	}
}
