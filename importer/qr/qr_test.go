package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
	"rsc.io/qr"
)

const aws = "otpauth://totp/Amazon%20Web%20Services:root-account-mfa-device@123456789012" +
	"?secret=4SJHB4GSD43FZBAI7C2HLRJGPQKRSXG5CTMVRXEZLUKN2XAZLSKNUX&issuer=Amazon%20Web%20Services"

func uri(n int) string {
	return fmt.Sprintf("otpauth://totp/Service%d:user?secret=JBSWY3DPEHPK3PXP", n)
}

// code draws a QR code with its quiet zone, scale pixels a module. rsc.io/qr is not the library
// that reads it.
func code(t *testing.T, text string, scale int) image.Image {
	t.Helper()
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	size := (c.Size + 8) * scale
	picture := image.NewGray(image.Rect(0, 0, size, size))
	for i := range picture.Pix {
		if x, y := i%size/scale-4, i/size/scale-4; !c.Black(x, y) {
			picture.Pix[i] = 255
		}
	}
	return picture
}

// board is a screen of one colour with pictures on it, side by side from the left.
func board(width, height int, background color.Color, pictures ...image.Image) *image.Gray {
	b := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(b, b.Bounds(), image.NewUniform(background), image.Point{}, draw.Src)
	x := 20
	for i, p := range pictures {
		at := image.Pt(x, 20+30*i)
		draw.Draw(b, p.Bounds().Sub(p.Bounds().Min).Add(at), p, p.Bounds().Min, draw.Src)
		x += p.Bounds().Dx() + 20
	}
	return b
}

func rotated(p image.Image, degrees float64) image.Image {
	b := board(2*p.Bounds().Dx(), 2*p.Bounds().Dx(), color.White)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	half := float64(p.Bounds().Dx()) / 2
	draw.BiLinear.Transform(b, f64.Aff3{
		cos, -sin, 2*half - cos*half + sin*half,
		sin, cos, 2*half - sin*half - cos*half,
	}, p, p.Bounds(), draw.Src, nil)
	return b
}

func negative(p image.Image) image.Image {
	b := board(p.Bounds().Dx(), p.Bounds().Dy(), color.Black)
	for y := range b.Bounds().Dy() {
		for x := range b.Bounds().Dx() {
			g := color.GrayModel.Convert(p.At(x, y)).(color.Gray)
			b.Set(x, y, color.Gray{255 - g.Y})
		}
	}
	return b
}

// photographed is a picture in dim light, with noise, as JPEG.
func photographed(t *testing.T, p image.Image) []byte {
	t.Helper()
	noise := rand.New(rand.NewPCG(1, 2))
	b := board(p.Bounds().Dx()+200, p.Bounds().Dy()+150, color.Gray{90})
	for y := range b.Bounds().Dy() {
		for x := range b.Bounds().Dx() {
			g := 90
			if at := image.Pt(x-100, y-75); at.In(p.Bounds()) {
				g = 40 + int(color.GrayModel.Convert(p.At(at.X, at.Y)).(color.Gray).Y)/2
			}
			b.Set(x, y, color.Gray{uint8(g + noise.IntN(21) - x/20)})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, b, &jpeg.Options{Quality: 50}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encoded(t *testing.T, p image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// webp writes a picture as lossless WebP in black and white (RFC 9649, section 3): green is coded in one
// bit a pixel, and red and blue are the same by the transform "subtract green".
func webp(p image.Image) []byte {
	var bits bitWriter
	width, height := p.Bounds().Dx(), p.Bounds().Dy()
	bits.put(0x2f, 8)
	bits.put(width-1, 14)
	bits.put(height-1, 14)
	bits.put(0, 4)      // no alpha, version 0
	bits.put(1|2<<1, 3) // a transform follows: subtract green
	bits.put(0, 3)      // no other transform, no colour cache, one group of prefix codes
	bits.put(1|1<<1|1<<2, 3)
	bits.put(0|255<<8, 16)                     // green is 0 or 255
	for _, only := range []int{0, 0, 255, 0} { // red, blue, alpha, distance
		bits.put(1|0<<1|1<<2, 3)
		bits.put(only, 8)
	}
	for y := range height {
		for x := range width {
			gray := color.GrayModel.Convert(p.At(x, y)).(color.Gray)
			bits.put(int(gray.Y>>7), 1)
		}
	}
	return riff(bits.bytes())
}

func riff(chunk []byte) []byte {
	if len(chunk)%2 == 1 {
		chunk = append(chunk, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(chunk)+12))
	out = binary.LittleEndian.AppendUint32(append(out, "WEBPVP8L"...), uint32(len(chunk)))
	return append(out, chunk...)
}

// bitWriter packs bits, the lowest first.
type bitWriter struct {
	out  []byte
	held uint64
	n    int
}

func (w *bitWriter) put(value, bits int) {
	w.held |= uint64(value) << w.n
	for w.n += bits; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.held))
		w.held >>= 8
	}
}

func (w *bitWriter) bytes() []byte { return append(w.out, byte(w.held)) }

func TestPictures(t *testing.T) {
	dark := color.Gray{0x20}
	tests := map[string]struct {
		picture []byte
		want    []string
	}{
		"1 pixel a module":   {encoded(t, code(t, aws, 1)), []string{aws}},
		"2 pixels a module":  {encoded(t, code(t, aws, 2)), []string{aws}},
		"12 pixels a module": {encoded(t, code(t, aws, 12)), []string{aws}},
		"rotated by 7°":      {encoded(t, rotated(code(t, aws, 4), 7)), []string{aws}},
		"rotated by 30°":     {encoded(t, rotated(code(t, aws, 4), 30)), []string{aws}},
		"upside down":        {encoded(t, rotated(code(t, aws, 4), 180)), []string{aws}},
		"white on black":     {encoded(t, negative(code(t, aws, 5))), []string{aws}},
		"photo":              {photographed(t, code(t, aws, 6)), []string{aws}},
		"webp":               {webp(code(t, aws, 4)), []string{aws}},
		"dark screen":        {encoded(t, board(960, 540, dark, code(t, aws, 4))), []string{aws}},
		"light screen":       {encoded(t, board(1280, 720, color.White, code(t, aws, 3))), []string{aws}},
		"two":                {encoded(t, board(700, 400, color.White, code(t, uri(1), 4), code(t, uri(2), 4))), []string{uri(1), uri(2)}},
		"three sizes": {encoded(t, board(900, 450, color.White, code(t, uri(1), 3), code(t, uri(2), 4), code(t, aws, 6))),
			[]string{uri(1), uri(2), aws}},
		"dark and light": {encoded(t, board(700, 400, dark, code(t, uri(1), 4), negative(code(t, uri(2), 4)))), []string{uri(1), uri(2)}},
		"same twice":     {encoded(t, board(700, 400, color.White, code(t, aws, 4), code(t, aws, 4))), []string{aws}},
		"unicode":        {encoded(t, code(t, "otpauth://totp/Straße:漢字?secret=MY", 4)), []string{"otpauth://totp/Straße:漢字?secret=MY"}},
		"migration":      {encoded(t, code(t, "otpauth-migration://offline?data=x", 4)), []string{"otpauth-migration://offline?data=x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if status := run(bytes.NewReader(test.picture), &out, &errOut); status != 0 || errOut.Len() > 0 {
				t.Fatalf("status %d, %s", status, errOut.String())
			}
			got := strings.Split(strings.TrimSpace(out.String()), "\n")
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOtherCodesAreLeftOut(t *testing.T) {
	picture := encoded(t, board(700, 400, color.White, code(t, "https://example.com/", 5), code(t, uri(1), 4)))
	var out, errOut bytes.Buffer
	if status := run(bytes.NewReader(picture), &out, &errOut); status != 0 || out.String() != uri(1)+"\n" {
		t.Errorf("status %d, got %q", status, out.String())
	}
	if want := "1 QR code in the picture left out: not an otpauth URI\n"; errOut.String() != want {
		t.Errorf("got %q, want %q", errOut.String(), want)
	}
}

// bomb is a PNG of 40 bytes whose header promises a picture of the given size.
func bomb(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
}

func TestUnusablePictures(t *testing.T) {
	whole := encoded(t, code(t, aws, 4))
	two := board(700, 400, color.White, code(t, "https://example.com/", 5), code(t, "WIFI:S:x;;", 4))
	tests := map[string]struct {
		picture io.Reader
		want    string
	}{
		"empty":       {strings.NewReader(""), "neither PNG nor JPEG nor WebP"},
		"text":        {strings.NewReader(aws), "neither PNG nor JPEG nor WebP"},
		"cut off":     {bytes.NewReader(whole[:len(whole)/2]), "not enough pixel data"},
		"cut header":  {bytes.NewReader(whole[:20]), "unexpected EOF"},
		"no code":     {bytes.NewReader(encoded(t, board(300, 300, color.White))), "no QR code that can be read"},
		"tiny":        {bytes.NewReader(encoded(t, board(1, 1, color.White))), "no QR code that can be read"},
		"no otpauth":  {bytes.NewReader(encoded(t, code(t, "https://example.com/", 4))), "1 QR code, none with an otpauth URI"},
		"two others":  {bytes.NewReader(encoded(t, two)), "2 QR codes, none with an otpauth URI"},
		"two lines":   {bytes.NewReader(encoded(t, code(t, "otpauth://x\notpauth://y", 4))), "none with an otpauth URI"},
		"bomb":        {bytes.NewReader(bomb(50_000, 50_000)), "50000 × 50000 pixels are more than the 50 million"},
		"wide bomb":   {bytes.NewReader(bomb(1<<31-1, 1)), "more than the 50 million"},
		"huge file":   {io.LimitReader(zeros{}, 64<<20+1), "larger than 64 MiB"},
		"broken pipe": {iotest.ErrReader(os.ErrClosed), "file already closed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			status := run(test.picture, &out, &errOut)
			if got := errOut.String(); status != 1 || !strings.HasPrefix(got, "cannot use the picture: ") || !strings.Contains(got, test.want) {
				t.Errorf("status %d, got %q, want %q", status, got, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %q", out.String())
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestOutputFails(t *testing.T) {
	var errOut bytes.Buffer
	if status := run(bytes.NewReader(encoded(t, code(t, aws, 4))), full{}, &errOut); status != 1 {
		t.Errorf("status %d", status)
	}
	if want := "cannot write what the picture holds: no space left\n"; errOut.String() != want {
		t.Errorf("got %q, want %q", errOut.String(), want)
	}
}

// FuzzRead holds no more than that nothing panics or hangs: the pictures come from anywhere.
func FuzzRead(f *testing.F) {
	f.Add(bomb(1<<20, 1<<20))
	f.Add(bomb(30, 30))
	f.Fuzz(func(t *testing.T, picture []byte) {
		found, err := read(bytes.NewReader(picture))
		if err == nil && len(found.uris) == 0 {
			t.Error("nothing found, and no error")
		}
	})
}
