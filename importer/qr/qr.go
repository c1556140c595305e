// Package qr owns the way from a picture to the texts of the QR codes in it: PNG, JPEG and WebP, several codes each,
// photographs included. Pictures are strangers' files: what they may cost is bounded, and they cannot make it panic.
package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // one of the formats that are read
	_ "image/png"  // another

	_ "golang.org/x/image/webp" // another
)

// The bounds of a picture. Two 5K screens side by side have 29 million pixels; a picture that says it has more than
// maxPixels is refused before it is unpacked, which takes up to 5 bytes a pixel.
const (
	// MaxBytes is how large a picture may be, in bytes.
	MaxBytes  = 64 << 20
	maxPixels = 50_000_000
)

var (
	// ErrFormat is the error of what is no picture, or none of a format that is read.
	ErrFormat = errors.New("it is neither PNG nor JPEG nor WebP")
	// ErrNone is the error of a picture in which no code was found.
	ErrNone = errors.New("it shows no QR code that can be read")
)

// Is reports whether data begins as a picture does that Read reads.
func Is(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(data, []byte("\xff\xd8\xff")) ||
		len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// Read returns the text of every QR code in a picture, each once, row by row, whatever they say; at least one, or an error:
// ErrFormat, ErrNone, or why the picture cannot be unpacked. The texts may be seeds, in strings that nobody can wipe: it is for
// programs that end soon.
func Read(data []byte) ([]string, error) {
	img, err := decode(data)
	if err != nil {
		return nil, err
	}
	s := newSearch()
	s.run(grey(img))
	if len(s.found) == 0 {
		return nil, ErrNone
	}
	return s.texts(), nil
}

// decode unpacks the picture, after a look at how large it says it is.
func decode(data []byte) (image.Image, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("it is larger than %d MiB", MaxBytes>>20)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return nil, ErrFormat
	}
	if err != nil {
		return nil, err
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return nil, fmt.Errorf("%d × %d pixels are more than the %d million that are read", config.Width, config.Height, maxPixels/1_000_000)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	return img, err
}
