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
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/multi/qrcode"
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

// Read returns the text of every QR code in a picture, each once, whatever they say; at least one, or an error: ErrFormat,
// ErrNone, or why the picture cannot be unpacked. The texts may be seeds, in strings that nobody can wipe: it is for
// programs that end soon.
func Read(data []byte) ([]string, error) {
	img, err := decode(data)
	if err != nil {
		return nil, err
	}
	texts := scan(img)
	if len(texts) == 0 {
		return nil, ErrNone
	}
	return texts, nil
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

// scan returns the text of every QR code, each once. It looks four times, because one way of telling
// black from white misses what another finds: by surroundings (photos) and by the whole picture
// (screenshots), and both on the negative, for codes shown white on black.
func scan(img image.Image) []string {
	var texts []string
	light := gozxing.NewLuminanceSourceFromImage(img)
	for _, source := range []gozxing.LuminanceSource{light, light.Invert()} {
		for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
			for _, text := range look(binarizer) {
				if !slices.Contains(texts, text) {
					texts = append(texts, text)
				}
			}
		}
	}
	return texts
}

// look reads the codes that one binarizer shows. "Nothing found" is no error, and neither is a panic:
// the library is young, and the other looks may still succeed.
func look(binarizer gozxing.Binarizer) (texts []string) {
	defer func() { _ = recover() }()
	bitmap, err := gozxing.NewBinaryBitmap(binarizer)
	if err != nil {
		return nil
	}
	results, err := qrcode.NewQRCodeMultiReader().DecodeMultiple(bitmap, map[gozxing.DecodeHintType]any{
		gozxing.DecodeHintType_TRY_HARDER:    true,
		gozxing.DecodeHintType_CHARACTER_SET: "UTF-8",
	})
	if err != nil {
		return nil
	}
	for _, result := range results {
		texts = append(texts, result.GetText())
	}
	return texts
}
