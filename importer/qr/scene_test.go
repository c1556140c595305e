package qr

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	encoder "rsc.io/qr"
)

// scene is a made photograph: QR codes that lie somewhere on a plain ground, and what light and lens do to them.
type scene struct {
	name          string
	width, height int
	// codes lie on the ground, each on paper of its own.
	codes []placed
	// ink, paper and ground are shades of grey from 0 (black) to 255.
	ink, paper, ground float64
	// blur is the lens's standard deviation in pixels, noise the sensor's in shades, shade the part of the light that is lost
	// from one corner to the other.
	blur, noise, shade float64
	// quality is that of JPEG; 0 is PNG.
	quality int
}

// placed is a code with its quiet zone, and where its corners are in the picture: top left, top right, bottom right, bottom left.
type placed struct {
	text    string
	level   encoder.Level
	corners [4]point
	// negative is white on black.
	negative bool
}

// quiet is the empty border of a code, in modules.
const quiet = 4

// file returns the scene's picture as a file.
func (s scene) file(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	if picture := s.picture(t); s.quality > 0 {
		err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: s.quality})
	} else {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// picture takes the photograph.
func (s scene) picture(t testing.TB) *image.Gray {
	light := make([]float64, s.width*s.height)
	for i := range light {
		light[i] = s.ground
	}
	for _, p := range s.codes {
		s.lay(t, light, p)
	}
	blur(light, s.width, s.height, s.blur)
	picture := image.NewGray(image.Rect(0, 0, s.width, s.height))
	noise := rand.New(rand.NewPCG(1, uint64(len(s.name))))
	for i, v := range light {
		away := float64(i%s.width)/float64(2*s.width) + float64(i/s.width)/float64(2*s.height)
		v = v*(1-s.shade*away) + noise.NormFloat64()*s.noise
		picture.Pix[i] = uint8(min(max(v+0.5, 0), 255))
	}
	return picture
}

// lay paints a code where its corners are, nine looks a pixel.
func (s scene) lay(t testing.TB, light []float64, p placed) {
	c, err := encoder.Encode(p.text, p.level)
	if err != nil {
		t.Fatal(err)
	}
	ink, paper := s.ink, s.paper
	if p.negative {
		ink, paper = paper, ink
	}
	const looks = 3
	size := float64(c.Size + 2*quiet)
	back := projected(p.corners).inverse()
	for i := range light {
		sum, hits := 0.0, 0
		for k := range looks * looks {
			x, y := back.apply(float64(i%s.width)+(float64(k%looks)+0.5)/looks, float64(i/s.width)+(float64(k/looks)+0.5)/looks)
			if x < 0 || x >= 1 || y < 0 || y >= 1 {
				continue
			}
			hits++
			if c.Black(int(x*size)-quiet, int(y*size)-quiet) {
				sum += ink
			} else {
				sum += paper
			}
		}
		light[i] = (sum + light[i]*float64(looks*looks-hits)) / (looks * looks)
	}
}

// blur is a Gaussian, one direction after the other.
func blur(light []float64, width, height int, sigma float64) {
	if sigma == 0 {
		return
	}
	radius := int(math.Ceil(3 * sigma))
	kernel, sum := make([]float64, 2*radius+1), 0.0
	for i := range kernel {
		kernel[i] = math.Exp(-float64((i-radius)*(i-radius)) / (2 * sigma * sigma))
		sum += kernel[i]
	}
	pass := func(count, length, start, step int) {
		line := make([]float64, length)
		for n := range count {
			for i := range line {
				line[i] = 0
				for k, weight := range kernel {
					at := min(max(i+k-radius, 0), length-1)
					line[i] += weight * light[n*start+at*step] / sum
				}
			}
			for i, v := range line {
				light[n*start+i*step] = v
			}
		}
	}
	pass(height, width, width, 1)
	pass(width, height, 1, width)
}

// projection is a projective map of the plane.
type projection [9]float64

// projected maps the unit square's corners to these (Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3).
func projected(c [4]point) projection {
	sx, sy := c[0].x-c[1].x+c[2].x-c[3].x, c[0].y-c[1].y+c[2].y-c[3].y
	dx1, dy1, dx2, dy2 := c[1].x-c[2].x, c[1].y-c[2].y, c[3].x-c[2].x, c[3].y-c[2].y
	d := dx1*dy2 - dx2*dy1
	g, h := (sx*dy2-dx2*sy)/d, (dx1*sy-sx*dy1)/d
	return projection{
		c[1].x - c[0].x + g*c[1].x, c[3].x - c[0].x + h*c[3].x, c[0].x,
		c[1].y - c[0].y + g*c[1].y, c[3].y - c[0].y + h*c[3].y, c[0].y,
		g, h, 1,
	}
}

// inverse is the adjoint, which is the inverse but for a factor that does not matter.
func (v projection) inverse() projection {
	return projection{
		v[4]*v[8] - v[5]*v[7], v[2]*v[7] - v[1]*v[8], v[1]*v[5] - v[2]*v[4],
		v[5]*v[6] - v[3]*v[8], v[0]*v[8] - v[2]*v[6], v[2]*v[3] - v[0]*v[5],
		v[3]*v[7] - v[4]*v[6], v[1]*v[6] - v[0]*v[7], v[0]*v[4] - v[1]*v[3],
	}
}

func (v projection) apply(x, y float64) (float64, float64) {
	w := v[6]*x + v[7]*y + v[8]
	return (v[0]*x + v[1]*y + v[2]) / w, (v[3]*x + v[4]*y + v[5]) / w
}
