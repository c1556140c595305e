package qr

import (
	"math"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// grid is a code's modules as they lie in a picture.
type grid struct {
	// size is the number of modules each way.
	size int
	// corners are where the centres of the three large squares lie, and where that of a fourth would: top left, top right,
	// bottom right, bottom left.
	corners [4]point
	view    view
}

// inset is how far the centres of the large squares are from a code's edge, in modules.
const inset = 3.5

func newGrid(size int, corners [4]point) grid {
	return grid{size: size, corners: corners, view: fromSquare(corners)}
}

// at returns where a place among the modules is in the picture; the first module's centre is at ½, ½.
func (g *grid) at(x, y float64) point {
	side := float64(g.size) - 2*inset
	return g.view.apply((x-inset)/side, (y-inset)/side)
}

// outline is the edge of the code, with a module of the border.
func (g *grid) outline() [4]point {
	end := float64(g.size) + 1
	return [4]point{g.at(-1, -1), g.at(end, -1), g.at(end, end), g.at(-1, end)}
}

// view maps the unit square into a picture, as it is seen from anywhere.
type view [8]float64

// fromSquare is the view in which the unit square's corners are these (Heckbert, Fundamentals of Texture Mapping and Image
// Warping, 1989, section 2.2.3).
func fromSquare(c [4]point) view {
	sum := c[0].minus(c[1]).plus(c[2]).minus(c[3])
	a, b := c[1].minus(c[2]), c[3].minus(c[2])
	d := a.cross(b)
	g, h := sum.cross(b)/d, a.cross(sum)/d
	x, y := c[1].minus(c[0]).plus(c[1].times(g)), c[3].minus(c[0]).plus(c[3].times(h))
	return view{x.x, y.x, c[0].x, x.y, y.y, c[0].y, g, h}
}

func (v *view) apply(x, y float64) point {
	w := v[6]*x + v[7]*y + 1
	return point{(v[0]*x + v[1]*y + v[2]) / w, (v[3]*x + v[4]*y + v[5]) / w}
}

// mark is a module whose colour is the same in all codes of a size.
type mark struct {
	x, y  float64
	black bool
}

// template is what codes of a size have in common (ISO/IEC 18004, section 6.3): the large squares with the white around them,
// and the lines between them with the small squares, which tell best whether a size and a view are right.
type template struct {
	size           int
	squares, lines []mark
}

func newTemplate(size int) template {
	t := template{size: size}
	for _, at := range [][2]int{{3, 3}, {size - 4, 3}, {3, size - 4}} {
		t.squares = t.square(t.squares, at[0], at[1], 4)
	}
	for i := 8; i < size-8; i++ {
		at, black := float64(i)+0.5, i%2 == 0
		t.lines = append(t.lines, mark{at, 6.5, black}, mark{6.5, at, black})
	}
	small := smallSquares(size)
	for i, x := range small {
		for j, y := range small {
			if last := len(small) - 1; i+j > 0 && (i > 0 || j < last) && (i < last || j > 0) {
				t.lines = t.square(t.lines, x, y, 2)
			}
		}
	}
	return t
}

// square appends the rings of a square, of which the second from outside is white; so is the one around a large square.
func (t template) square(list []mark, x, y, radius int) []mark {
	for dy := -radius; dy <= radius; dy++ {
		for dx := -radius; dx <= radius; dx++ {
			ring := max(dx, -dx, dy, -dy)
			if i, j := x+dx, y+dy; i >= 0 && j >= 0 && i < t.size && j < t.size {
				list = append(list, mark{float64(i) + 0.5, float64(j) + 0.5, ring != 4 && ring != radius/2})
			}
		}
	}
	return list
}

// smallSquares returns the coordinates of the centres of the small squares, rows and columns alike.
func smallSquares(size int) []int {
	version, err := decoder.Version_GetProvisionalVersionForDimension(size)
	if err != nil {
		return nil
	}
	return version.GetAlignmentPatternCenters()
}

// contrast is how much lighter the white marks are than the black ones, in shades.
func (g *grid) contrast(p plane, marks []mark) float64 {
	var sum, count [2]float64
	for _, m := range marks {
		at := g.at(m.x, m.y)
		i := 0
		if m.black {
			i = 1
		}
		sum[i] += p.at(at.x, at.y)
		count[i]++
	}
	return sum[0]/count[0] - sum[1]/count[1]
}

// fitting lays a grid on what three centres show.
type fitting struct {
	p plane
	template
	// best is the grid that agrees best with the picture so far, by its score.
	best  grid
	score float64
}

// try keeps a grid that agrees better than the best one, by these marks.
func (f *fitting) try(corners [4]point, marks ...[]mark) bool {
	g := newGrid(f.size, corners)
	score := 0.0
	for _, m := range marks {
		score += g.contrast(f.p, m)
	}
	if !(score > f.score) { // which a score that is not a number is not
		return false
	}
	f.best, f.score = g, score
	return true
}

// guess looks where the fourth corner is: opposite the first in a parallelogram if the code is seen from above, else up to
// reach times its side away from there.
func (f *fitting) guess(c corner, reach float64) {
	u, v := c.right.minus(c.left.point), c.below.minus(c.left.point)
	f.score = math.Inf(-1)
	step := max(0.8/(float64(f.size)-2*inset), reach/22)
	for dx := -reach; dx <= reach; dx += step {
		for dy := -reach; dy <= reach; dy += step {
			far := c.right.plus(v).plus(u.times(dx)).plus(v.times(dy))
			f.try([4]point{c.left.point, c.right.point, far, c.below.point}, f.lines)
		}
	}
}

// climb moves the corners until all marks agree as well as they can.
func (f *fitting) climb() {
	f.score = math.Inf(-1)
	f.try(f.best.corners, f.squares, f.lines)
	module := f.best.corners[0].distance(f.best.corners[1]) / (float64(f.size) - 2*inset)
	for step := 0.6 * module; step > 0.05*module; step /= 2 {
		for rounds := 0; rounds < 8 && f.nudge(step); rounds++ {
		}
	}
}

// nudge tries each corner in each direction.
func (f *fitting) nudge(step float64) (better bool) {
	for i := range f.best.corners {
		for _, d := range []point{{step, 0}, {-step, 0}, {0, step}, {0, -step}} {
			corners := f.best.corners
			corners[i] = corners[i].plus(d)
			better = f.try(corners, f.squares, f.lines) || better
		}
	}
	return better
}

// good reports whether the picture shows a code there. On a grid of another size, or between three squares that are not one
// code's, the lines do not agree. In a blurred picture they are fainter than the squares.
func (f *fitting) good() bool {
	squares, lines := f.best.contrast(f.p, f.squares), f.best.contrast(f.p, f.lines)
	return squares > 2*faint && lines > 0.3*squares
}

// fit finds the grid that the code of three centres has, if they are one's.
func fit(p plane, c corner, templates []template, reach float64) (grid, bool) {
	best := fitting{score: math.Inf(-1)}
	for _, t := range templates {
		f := fitting{p: p, template: t}
		if f.guess(c, reach); f.score > best.score {
			best = f
		}
	}
	if math.IsInf(best.score, 0) {
		return grid{}, false
	}
	best.climb()
	return best.best, best.good()
}
