package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"slices"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/multi/qrcode"
	_ "golang.org/x/image/webp"
)

// The bounds of a picture. Two 5K screens side by side have 29 million pixels; a picture that says it
// has more than maxPixels is refused before it is unpacked.
const (
	maxBytes  = 64 << 20
	maxPixels = 50_000_000
)

// codes is what a picture holds.
type codes struct {
	// uris are the texts that begin with "otpauth", in the order in which they are read.
	uris []string
	// others counts the codes with any other text.
	others int
}

// read finds the QR codes in the picture that r holds. A picture without an otpauth URI is an error.
func read(r io.Reader) (codes, error) {
	img, err := decode(r)
	if err != nil {
		return codes{}, err
	}
	found, err := sort(scan(img))
	if err != nil {
		return codes{}, err
	}
	return found, nil
}

// decode unpacks the picture, after a look at how large it says it is.
func decode(r io.Reader) (image.Image, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("it is larger than %d MiB", maxBytes>>20)
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return nil, errors.New("it is neither PNG nor JPEG nor WebP")
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

// sort keeps the texts that oathctl can make something of, and counts the others.
func sort(texts []string) (codes, error) {
	var found codes
	for _, text := range texts {
		if text = strings.TrimSpace(text); isOtpauth(text) {
			found.uris = append(found.uris, text)
		} else {
			found.others++
		}
	}
	switch {
	case len(texts) == 0:
		return codes{}, errors.New("it shows no QR code that can be read")
	case len(found.uris) == 0:
		return codes{}, fmt.Errorf("it shows %s, none with an otpauth URI", count(found.others, "QR code"))
	}
	return found, nil
}

// isOtpauth holds for "otpauth-migration:" too: oathctl says what that is. A line break would make
// two lines of one text.
func isOtpauth(text string) bool {
	return len(text) > 8 && strings.EqualFold(text[:7], "otpauth") && !strings.ContainsAny(text, "\r\n")
}
