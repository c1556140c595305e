package escrow

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// tarBlock is the unit of a tar archive (POSIX.1-1988, ustar).
const tarBlock = 512

// file is one of an archive's.
type file struct {
	name    string
	content []byte
}

// packTar returns a ustar archive. It is written here and not by archive/tar, so that the same files yield the
// same bytes under every Go, which is how unpackTar notices changes.
func packTar(files []file, at time.Time) []byte {
	var b bytes.Buffer
	for _, f := range files {
		b.Write(tarHeader(f, at))
		b.Write(f.content)
		b.Write(make([]byte, -len(f.content)&(tarBlock-1)))
	}
	b.Write(make([]byte, 2*tarBlock))
	return b.Bytes()
}

func tarHeader(f file, at time.Time) []byte {
	h := make([]byte, tarBlock)
	copy(h, f.name)
	copy(h[100:], "0000600\x000000000\x000000000\x00") // mode, uid, gid
	copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00        0", len(f.content), at.Unix()))
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// unpackTar reads what packTar writes, and nothing else.
func unpackTar(archive []byte) (files []file, at time.Time, err error) {
	var seconds int64
	for rest := archive; ; {
		if len(rest) < tarBlock {
			return nil, at, damaged("the archive is cut off")
		}
		if rest[0] == 0 {
			break
		}
		size, err := strconv.ParseUint(string(rest[124:135]), 8, 31)
		if err == nil {
			seconds, err = strconv.ParseInt(string(rest[136:147]), 8, 64)
		}
		name, _, _ := bytes.Cut(rest[:100], []byte{0})
		end := tarBlock + (int(size)+tarBlock-1)&^(tarBlock-1)
		if err != nil || end > len(rest) {
			return nil, at, damaged("the archive's file %q", name)
		}
		files = append(files, file{string(name), rest[tarBlock : tarBlock+int(size)]})
		rest = rest[end:]
	}
	at = time.Unix(seconds, 0).UTC()
	if !bytes.Equal(packTar(files, at), archive) {
		return nil, at, damaged("the archive is not as oathd writes it")
	}
	return files, at, nil
}
