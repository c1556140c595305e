package qr

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// point is a place in a picture, in pixels.
type point struct{ x, y float64 }

func (p point) plus(q point) point       { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point      { return point{p.x - q.x, p.y - q.y} }
func (p point) times(f float64) point    { return point{p.x * f, p.y * f} }
func (p point) cross(q point) float64    { return p.x*q.y - p.y*q.x }
func (p point) distance(q point) float64 { return math.Hypot(p.x-q.x, p.y-q.y) }

// centre is the middle of what looks like one of a code's three large squares (ISO/IEC 18004, section 6.3.3).
type centre struct {
	point
	// module is the width of one module there, in pixels.
	module float64
	// seen counts the rows that show it.
	seen int
}

// The bounds of what a picture made of squares can cost: how many are looked for, and how many of those, and of the threes of
// them, are tried.
const (
	maxSquares = 1000
	maxCentres = 120
	maxCorners = 400
)

// centres finds the squares of codes by the widths of their stripes, row by row.
func centres(bits *gozxing.BitMatrix, end time.Time) []centre {
	finder := detector.NewFinderPatternFinder(bits, nil)
	step := 1 + bits.GetHeight()/700
	for y := 0; y < bits.GetHeight() && len(finder.GetPossibleCenters()) < maxSquares && time.Now().Before(end); y += min(step, 3) {
		scanRow(bits, y, finder)
	}
	var list []centre
	for _, c := range finder.GetPossibleCenters() {
		list = append(list, centre{point: point{c.GetX(), c.GetY()}, module: c.GetEstimatedModuleSize(), seen: c.GetCount()})
	}
	slices.SortStableFunc(list, func(a, b centre) int { return cmp.Compare(b.seen, a.seen) })
	return list[:min(len(list), maxCentres)]
}

// scanRow hands each place of a row to the finder where black, white, black, white and black have the widths 1:1:3:1:1.
func scanRow(bits *gozxing.BitMatrix, y int, finder *detector.FinderPatternFinder) {
	width := bits.GetWidth()
	runs, at := make([]int, 5), 0
	for x := 0; x <= width; x++ {
		black := x < width && bits.Get(x, y)
		if black == (at%2 == 0) {
			runs[at]++
			continue
		}
		if at < 4 {
			if at > 0 || runs[0] > 0 {
				at++
				runs[at]++
			}
			continue
		}
		if detector.FinderPatternFinder_foundPatternCross(runs) && finder.HandlePossibleCenter(runs, y, x) {
			clear(runs)
			at = 0
			continue
		}
		detector.FinderPatternFinder_ShiftCounts2(runs)
		at = 3
	}
}

// corner is three centres that could be one code's: its top left, top right and bottom left.
type corner struct {
	left, right, below centre
	// odd tells how far it is from a square seen from above.
	odd float64
}

// corners lists the threes of centres that could be codes, the squarest first.
func corners(centres []centre, end time.Time) []corner {
	var list []corner
	for i, a := range centres {
		if !time.Now().Before(end) {
			break
		}
		for j, b := range centres {
			for k := range j {
				if c, ok := cornerOf(a, b, centres[k]); ok && i != j && i != k {
					list = append(list, c)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b corner) int { return cmp.Compare(a.odd, b.odd) })
	return list[:min(len(list), maxCorners)]
}

// cornerOf judges whether a could be the middle one of three centres.
func cornerOf(a, b, c centre) (corner, bool) {
	smallest, largest := min(a.module, b.module, c.module), max(a.module, b.module, c.module)
	if largest > 2*smallest {
		return corner{}, false
	}
	u, v := b.minus(a.point), c.minus(a.point)
	if u.cross(v) < 0 {
		b, c, u, v = c, b, v, u
	}
	lu, lv := math.Hypot(u.x, u.y), math.Hypot(v.x, v.y)
	module := (a.module + b.module + c.module) / 3
	ratio := max(lu, lv) / min(lu, lv)
	sine := u.cross(v) / (lu * lv)
	if !(min(lu, lv) >= 8*module) || max(lu, lv) > 190*module || ratio > 2 || sine < 0.6 {
		return corner{}, false
	}
	return corner{left: a, right: b, below: c, odd: (ratio - 1) + 2*(1-sine) + (largest/smallest - 1)}, true
}
