package qr

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/makiuchi-d/gozxing"
)

// patience is how long a picture is searched: one can be made such that it takes for ever.
const patience = 8 * time.Second

// search looks at a picture again and again, each time in another way, until nothing in it looks like a code that was not read.
type search struct {
	end   time.Time
	found []code
	// strange tells that there is something like a code that was not read.
	strange bool
	// templates are those that were needed, by size.
	templates map[int]template
}

// code is a code that was read.
type code struct {
	text string
	// outline is where it is, in pixels of the whole picture.
	outline [4]point
}

// version is a version of the picture to look at.
type version struct {
	plane
	// scale is how many of its pixels are one of the picture's, each way.
	scale float64
}

// newSearch begins a search.
func newSearch() *search {
	return &search{end: time.Now().Add(patience), templates: map[int]template{}}
}

// texts returns each text once, in the order in which people read: row by row.
func (s *search) texts() []string {
	var texts []string
	for _, c := range inRows(s.found) {
		if !slices.Contains(texts, c.text) {
			texts = append(texts, c.text)
		}
	}
	return texts
}

// inRows sorts codes. Those whose middle is above the lower edge of the highest one are a row.
func inRows(codes []code) []code {
	slices.SortFunc(codes, func(a, b code) int { return cmp.Compare(a.middle().y, b.middle().y) })
	for from := 0; from < len(codes); {
		to := from + 1
		for to < len(codes) && codes[to].middle().y < codes[from].bottom() {
			to++
		}
		slices.SortFunc(codes[from:to], func(a, b code) int { return cmp.Compare(a.middle().x, b.middle().x) })
		from = to
	}
	return codes
}

func (c code) middle() point { return c.outline[0].plus(c.outline[2]).times(0.5) }

func (c code) bottom() float64 {
	return max(c.outline[0].y, c.outline[1].y, c.outline[2].y, c.outline[3].y)
}

func (s *search) over() bool { return !time.Now().Before(s.end) }

// What sizes of pictures are, in pixels.
const (
	large = 500_000
	big   = 2_000_000
	huge  = 8_000_000
)

// run looks at the picture as it is, then larger, where it is small, for codes of a few pixels; then smaller, for noise.
func (s *search) run(p plane) {
	if min(p.width, p.height) < smallest {
		return
	}
	versions := []func() version{func() version { return version{p, 1} }}
	if len(p.pix) < big {
		versions = append(versions, func() version { return version{p.enlarged(2), 2} }, func() version { return version{p.enlarged(3), 3} })
	}
	if len(p.pix) > large {
		versions = append(versions, func() version { return version{p.halved(), 0.5} })
	}
	if len(p.pix) > huge {
		versions = append(versions, func() version { return version{p.halved().halved(), 0.25} })
	}
	for _, v := range versions {
		if s.over() || s.lookAt(v()) {
			return
		}
	}
}

// lookAt looks at a version and its negative, for codes shown white on black, and reports whether that is enough. Where the
// light is even, two looks will do; noise and blur need more, which a huge picture gets when it is smaller.
func (s *search) lookAt(v version) (enough bool) {
	sides := []version{v, {v.negative(), v.scale}}
	s.strange = false
	for _, side := range sides {
		for _, radius := range []int{10, 25} {
			s.strange = s.look(side, side.black(radius)) || s.strange
		}
	}
	if len(s.found) > 0 && !s.strange {
		return true
	}
	if len(v.pix) > huge {
		return false
	}
	for _, side := range sides {
		for _, better := range []func() plane{
			func() plane { return side.smoothed(1) },
			func() plane { return side.sharpened(2, 3) },
			func() plane { return side.sharpened(4, 3) },
		} {
			if s.over() {
				return true
			}
			s.look(side, better().black(20))
		}
	}
	return false
}

// How far from where it would be in a picture taken from above the fourth corner is looked for, in sides of the code; from
// the side only for a few, since it takes long.
const (
	fromAbove    = 0.1
	fromTheSide  = 0.6
	maxFromASide = 6
)

// look reads the codes of a version, of which bits tells black from white, and reports whether something is left that
// looks like one. The library is young: if it panics, other looks may still find what there is.
func (s *search) look(v version, bits *gozxing.BitMatrix) (strange bool) {
	defer func() {
		if recover() != nil {
			strange = true
		}
	}()
	list := s.unread(v, centres(bits, s.end))
	s.readAll(v, list, fromAbove, maxCorners)
	list = s.unread(v, list)
	s.readAll(v, list, fromTheSide, maxFromASide)
	sturdy := 0
	for _, c := range s.unread(v, list) {
		if c.seen >= 3 {
			sturdy++
		}
	}
	return sturdy > 1
}

// readAll tries the corners that the centres make, the likeliest first.
func (s *search) readAll(v version, list []centre, reach float64, tries int) {
	for _, c := range corners(list, s.end) {
		if s.over() || tries == 0 {
			return
		}
		if !s.isRead(v, c.left) && !s.isRead(v, c.right) && !s.isRead(v, c.below) {
			s.read(v, c, reach)
			tries--
		}
	}
}

// unread leaves out what is inside a code that was read.
func (s *search) unread(v version, list []centre) []centre {
	return slices.DeleteFunc(list, func(c centre) bool { return s.isRead(v, c) })
}

func (s *search) isRead(v version, at centre) bool {
	return slices.ContainsFunc(s.found, func(c code) bool { return within(c.outline, at.times(1/v.scale)) })
}

// within reports whether a place is inside a convex outline.
func within(outline [4]point, at point) bool {
	for i, a := range outline {
		if outline[(i+1)%4].minus(a).cross(at.minus(a)) < 0 {
			return false
		}
	}
	return true
}

// read reads the code that three centres could belong to, and keeps it: as it is, then as it would be if it were in focus.
func (s *search) read(v version, c corner, reach float64) {
	g, ok := fit(v.plane, c, s.sizes(c), reach)
	if !ok {
		return
	}
	m := g.modules(v.plane)
	for _, part := range []float64{0, 0.1, 0.17, 0.22, 0.26} {
		text, ok := m.focused(part).text()
		if !ok {
			continue
		}
		outline := g.outline()
		for i := range outline {
			outline[i] = outline[i].times(1 / v.scale)
		}
		s.found = append(s.found, code{text, outline})
		return
	}
}

// The sizes of codes, in modules (ISO/IEC 18004, table 1); all are 17 and a multiple of 4.
const (
	smallest = 21
	largest  = 177
)

// sizes guesses how many modules a code has each way.
func (s *search) sizes(c corner) []template {
	module := (c.left.module + c.right.module + c.below.module) / 3
	side := (c.left.distance(c.right.point) + c.left.distance(c.below.point)) / 2
	likely := int(math.Round((side/module+2*inset-17)/4))*4 + 17
	var list []template
	for size := max(likely-8, smallest); size <= min(likely+8, largest); size += 4 {
		t, known := s.templates[size]
		if !known {
			t = newTemplate(size)
			s.templates[size] = t
		}
		list = append(list, t)
	}
	return list
}
