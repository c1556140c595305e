package qr

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	encoder "rsc.io/qr"

	"github.com/oathd/oathd/internal/need"
)

// shelf makes the fifty pictures, the same ones each time.
type shelf struct {
	draw   *rand.Rand
	scenes []scene
	codes  int
}

// text is another account's each time, of the length that is usual.
func (s *shelf) text() string {
	s.codes++
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[s.draw.IntN(32)]
	}
	return fmt.Sprintf("otpauth://totp/Service%%20%d:alice@example.org?secret=%s&issuer=Service%%20%d", s.codes, secret, s.codes)
}

// between draws a number.
func (s *shelf) between(low, high float64) float64 { return low + (high-low)*s.draw.Float64() }

// extent is the width of a code with such a text and its quiet zone.
const extent = 41 + 2*quiet

// turned is a square around a centre.
func turned(x, y, side, degrees float64) (corners [4]point) {
	for i, angle := range []float64{225, 315, 45, 135} {
		sin, cos := math.Sincos((angle + degrees) * math.Pi / 180)
		corners[i] = point{x + side/math.Sqrt2*cos, y + side/math.Sqrt2*sin}
	}
	return corners
}

// askew is a square seen from the side: its far edge is that part shorter.
func askew(x, y, side, degrees, foreshortening float64) [4]point {
	corners := turned(0, 0, side, 0)
	for i := range corners {
		far := 1 - foreshortening*(0.5-corners[i].y/side)
		corners[i].x *= far
		corners[i].y *= 1 - foreshortening/2
	}
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for i, c := range corners {
		corners[i] = point{x + c.x*cos - c.y*sin, y + c.x*sin + c.y*cos}
	}
	return corners
}

// plain is a picture of one code, module pixels a module, with room around it.
func (s *shelf) plain(name string, module float64, corners func(x, y, side float64) [4]point) *scene {
	side := module * extent
	room := int(side*1.5) + 40
	s.scenes = append(s.scenes, scene{
		name: name, width: room, height: room, ink: 20, paper: 235, ground: 200,
		codes: []placed{{text: s.text(), level: encoder.M, corners: corners(float64(room)/2, float64(room)/2, side)}},
	})
	return &s.scenes[len(s.scenes)-1]
}

func straight(x, y, side float64) [4]point { return turned(x, y, side, 0) }

func fifty(seed uint64) []scene {
	s := &shelf{draw: rand.New(rand.NewPCG(seed, 50))}
	for _, degrees := range []float64{4, 13, 27, 38, 45, 71, 118, 203} {
		s.plain(fmt.Sprintf("rotated by %.0f°", degrees), s.between(2.5, 5), func(x, y, side float64) [4]point { return turned(x, y, side, degrees) })
	}
	for i, part := range []float64{0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45} {
		s.plain(fmt.Sprintf("%.0f %% shorter behind", 100*part), s.between(4, 6), func(x, y, side float64) [4]point { return askew(x, y, side, float64(37*i), part) })
	}
	for _, sigma := range []float64{0.35, 0.45, 0.55, 0.65, 0.7, 0.75} {
		module := s.between(3, 6)
		p := s.plain(fmt.Sprintf("blurred by %.2f modules", sigma), module, func(x, y, side float64) [4]point { return turned(x, y, side, s.between(-5, 5)) })
		p.blur, p.noise = sigma*module, 2
	}
	for _, contrast := range []float64{80, 50, 30, 20, 12} {
		p := s.plain(fmt.Sprintf("%.0f shades of contrast", contrast), 4, func(x, y, side float64) [4]point { return turned(x, y, side, 10) })
		p.paper, p.ink, p.ground, p.noise, p.shade = 120+contrast/2, 120-contrast/2, 120+contrast/2, contrast/12, 0.3
	}
	for _, degrees := range []float64{0, 12, 45, 190} {
		p := s.plain(fmt.Sprintf("white on black by %.0f°", degrees), 3, func(x, y, side float64) [4]point { return turned(x, y, side, degrees) })
		p.codes[0].negative, p.ground, p.noise = true, 25, 3
	}
	for _, module := range []float64{1, 1.4, 1.7, 2} {
		p := s.plain(fmt.Sprintf("tiny: %.1f pixels a module", module), module, straight)
		p.width, p.height = p.width+200, p.height+100
	}
	for i := range 8 {
		s.photo(i)
	}
	for i, n := range []int{2, 2, 3, 4, 5, 6, 6} {
		s.several(i, n)
	}
	return s.scenes
}

// photo is taken in a hurry: askew, dim, not quite in focus.
func (s *shelf) photo(i int) {
	module := s.between(4, 6)
	p := s.plain(fmt.Sprintf("photo %d", i+1), module, func(x, y, side float64) [4]point {
		return askew(x, y, side, s.between(-40, 40), s.between(0.05, 0.3))
	})
	p.paper, p.ink, p.ground = s.between(90, 140), s.between(15, 40), s.between(40, 80)
	p.blur, p.noise, p.shade, p.quality = s.between(0.25, 0.5)*module, s.between(3, 8), s.between(0.3, 0.6), 40+5*i
}

// several is a picture with more than one code, of different sizes.
func (s *shelf) several(i, n int) {
	p := scene{name: fmt.Sprintf("%d codes (%d)", n, i+1), width: 420 * min(n, 3), height: 420 * ((n + 2) / 3), ink: 30, paper: 230, ground: 160, noise: 3}
	if i%2 == 1 {
		p.shade, p.quality, p.blur = 0.4, 70, 1
	}
	for k := range n {
		x, y := 210+420*float64(k%3), 210+420*float64(k/3)
		side := s.between(2.5, 5) * extent
		p.codes = append(p.codes, placed{
			text: s.text(), level: encoder.M, corners: askew(x, y, side, s.between(-20, 20), s.between(0, 0.15)), negative: k == 3,
		})
	}
	s.scenes = append(s.scenes, p)
}

func (s scene) texts() (texts []string) {
	for _, c := range s.codes {
		texts = append(texts, c.text)
	}
	slices.Sort(texts)
	return texts
}

// enough is how many of the fifty have to be read.
const enough = 47

// TestFifty reads pictures of all the kinds that people make, and has Debian's zbarimg read them too. A picture counts if
// all of its codes are read, and nothing else. The race detector would make a minute of it, and there is nothing to race.
func TestFifty(t *testing.T) {
	if raced {
		out, err := exec.Command("go", "test", "-count=1", "-v", "-run=^TestFifty$", ".").CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Fail()
		}
		return
	}
	pictures, dir := fifty(5), t.TempDir()
	ours := 0
	for i, s := range pictures {
		file := s.file(t)
		start := time.Now()
		got, err := Read(file)
		took := time.Since(start)
		if slices.Sort(got); slices.Equal(got, s.texts()) {
			ours++
		} else {
			t.Logf("%s: %d of %d codes, %v", s.name, len(got), len(s.codes), err)
		}
		if took > 2*patience {
			t.Errorf("%s took %s", s.name, took)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if ours < enough {
		t.Errorf("we read %d of 50, which is less than %d", ours, enough)
	}
	zbar, theirs := zbar(need.Program(t, "zbarimg", "zbar-tools")), 0
	for i, s := range pictures {
		if slices.Equal(zbar.read(filepath.Join(dir, fmt.Sprint(i))), s.texts()) {
			theirs++
		}
	}
	t.Logf("we read %d/50, zbarimg reads %d/50", ours, theirs)
}

// zbar is Debian's zbarimg.
type zbar string

func (z zbar) read(path string) []string {
	out, err := exec.Command(string(z), "--raw", "-q", "-Sdisable", "-Sqrcode.enable", path).Output()
	if err != nil {
		return nil // it found none
	}
	texts := strings.Fields(string(out))
	slices.Sort(texts)
	return texts
}
