package qr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
	encoder "rsc.io/qr"
)

const aws = "otpauth://totp/Amazon%20Web%20Services:root-account-mfa-device@123456789012" +
	"?secret=4SJHB4GSD43FZBAI7C2HLRJGPQKRSXG5CTMVRXEZLUKN2XAZLSKNUX&issuer=Amazon%20Web%20Services"

func uri(n int) string {
	return fmt.Sprintf("otpauth://totp/Service%d:user?secret=JBSWY3DPEHPK3PXP", n)
}

// drawn draws a QR code with its quiet zone, scale pixels a module. rsc.io/qr is not the library
// that reads it.
func drawn(t testing.TB, text string, scale int) image.Image {
	t.Helper()
	c, err := encoder.Encode(text, encoder.M)
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
		"1 pixel a module":   {encoded(t, drawn(t, aws, 1)), []string{aws}},
		"2 pixels a module":  {encoded(t, drawn(t, aws, 2)), []string{aws}},
		"12 pixels a module": {encoded(t, drawn(t, aws, 12)), []string{aws}},
		"rotated by 7°":      {encoded(t, rotated(drawn(t, aws, 4), 7)), []string{aws}},
		"rotated by 30°":     {encoded(t, rotated(drawn(t, aws, 4), 30)), []string{aws}},
		"upside down":        {encoded(t, rotated(drawn(t, aws, 4), 180)), []string{aws}},
		"white on black":     {encoded(t, negative(drawn(t, aws, 5))), []string{aws}},
		"photo":              {photographed(t, drawn(t, aws, 6)), []string{aws}},
		"webp":               {webp(drawn(t, aws, 4)), []string{aws}},
		"dark screen":        {encoded(t, board(960, 540, dark, drawn(t, aws, 4))), []string{aws}},
		"light screen":       {encoded(t, board(1280, 720, color.White, drawn(t, aws, 3))), []string{aws}},
		"two":                {encoded(t, board(700, 400, color.White, drawn(t, uri(1), 4), drawn(t, uri(2), 4))), []string{uri(1), uri(2)}},
		"three sizes": {encoded(t, board(900, 450, color.White, drawn(t, uri(1), 3), drawn(t, uri(2), 4), drawn(t, aws, 6))),
			[]string{uri(1), uri(2), aws}},
		"dark and light": {encoded(t, board(700, 400, dark, drawn(t, uri(1), 4), negative(drawn(t, uri(2), 4)))), []string{uri(1), uri(2)}},
		"same twice":     {encoded(t, board(700, 400, color.White, drawn(t, aws, 4), drawn(t, aws, 4))), []string{aws}},
		"unicode":        {encoded(t, drawn(t, "otpauth://totp/Straße:漢字?secret=MY", 4)), []string{"otpauth://totp/Straße:漢字?secret=MY"}},
		"migration":      {encoded(t, drawn(t, "otpauth-migration://offline?data=x", 4)), []string{"otpauth-migration://offline?data=x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(test.picture)
			if err != nil || !Is(test.picture) {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
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
	whole := encoded(t, drawn(t, aws, 4))
	tests := map[string]struct {
		picture []byte
		want    string
	}{
		"empty":       {nil, ErrFormat.Error()},
		"text":        {[]byte(aws), ErrFormat.Error()},
		"cut off":     {whole[:len(whole)/2], "not enough pixel data"},
		"cut header":  {whole[:20], "unexpected EOF"},
		"no code":     {encoded(t, board(90, 90, color.White)), ErrNone.Error()},
		"tiny":        {encoded(t, board(1, 1, color.White)), ErrNone.Error()},
		"half a code": {encoded(t, half{drawn(t, aws, 2)}), ErrNone.Error()},
		"bomb":        {bomb(50_000, 50_000), "50000 × 50000 pixels are more than the 50 million"},
		"wide bomb":   {bomb(1<<31-1, 1), "more than the 50 million"},
		"huge file":   {append(whole, make([]byte, MaxBytes)...), "larger than 64 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(test.picture)
			if err == nil || !strings.Contains(err.Error(), test.want) || got != nil {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// half is the upper half of a picture.
type half struct{ image.Image }

func (h half) Bounds() image.Rectangle {
	b := h.Image.Bounds()
	b.Max.Y = b.Dy() / 2
	return b
}

// FuzzRead holds that nothing panics, and that there is a text or an error: the pictures come from anywhere.
func FuzzRead(f *testing.F) {
	f.Add(bomb(1<<20, 1<<20))
	f.Add(bomb(30, 30))
	f.Add(webp(drawn(f, "otpauth://totp/x?secret=MY", 1)))
	f.Fuzz(func(t *testing.T, picture []byte) {
		texts, err := Read(picture)
		if (err == nil) != (len(texts) > 0) {
			t.Errorf("%q, %v", texts, err)
		}
	})
}

// FuzzSearch searches any pixels at all.
func FuzzSearch(f *testing.F) {
	p := grey(drawn(f, "otpauth://totp/x?secret=MY", 2))
	f.Add(p.pix, p.width)
	f.Add(make([]byte, 1000), 1)
	f.Fuzz(func(t *testing.T, pix []byte, width int) {
		if width < 1 || width > len(pix) {
			return
		}
		height := len(pix) / width
		s := newSearch()
		s.end = time.Now().Add(time.Second / 2)
		s.run(plane{width, height, pix[:width*height]})
		if took := time.Since(s.end); took > time.Second {
			t.Errorf("it took %s too long", took)
		}
	})
}

// TestOrder wants rows from left to right, though the codes in them are not quite at one height.
func TestOrder(t *testing.T) {
	picture := board(900, 900, color.White)
	for i, at := range []image.Point{{20, 60}, {320, 20}, {620, 90}, {320, 400}, {20, 430}} {
		p := drawn(t, uri(i), 4)
		draw.Draw(picture, p.Bounds().Add(at), p, image.Point{}, draw.Src)
	}
	got, err := Read(encoded(t, picture))
	if want := []string{uri(0), uri(1), uri(2), uri(4), uri(3)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
