package picture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// The measures of the drawing, in pixels.
const (
	margin    = 32
	rowHeight = 38
	markSize  = 26
	lineSize  = 17
	// keyWidth is the least a key's column takes, uprightWidth what it takes if its name is written upright.
	keyWidth, uprightWidth = 84, 40
	// uprightHeight is how long an upright name may be.
	uprightHeight = 260
	minWidth      = 720
	// wide is what a letter takes of its size: more than on average, since nobody knows the reader's font.
	wide = 0.6
)

// The sizes of letters.
const (
	titleSize = 24
	headSize  = 17
	textSize  = 15
	noteSize  = 13
)

// SVG draws the coverage as one drawing.
func SVG(c api.Coverage) []byte {
	d := &drawing{c: c, labels: labels(c), upright: len(c.Keys) >= manyKeys}
	d.measure()
	d.paint()
	whole := markup{}
	w, h := px(d.width), px(d.y+margin/2)
	whole.in("svg", []string{
		"xmlns", "http://www.w3.org/2000/svg", "viewBox", "0 0 " + w + " " + h, "width", w, "height", h,
		"role", "img", "aria-labelledby", "title desc", "font-family", fonts,
	}, func() {
		whole.el("title", title, "id", "title")
		whole.el("desc", describe(c), "id", "desc")
		whole.in("style", nil, func() { whole.raw(drawingStyle()) })
		whole.void("rect", "class", "f-paper", "width", w, "height", h)
		whole.raw("\n" + d.b.String())
	})
	whole.line()
	return []byte(whole.b.String())
}

// drawingStyle gives each colour a class for areas and one for lines. Custom properties would be shorter, and
// not every program that draws SVG knows them.
func drawingStyle() string {
	return "\n.sign{fill:none;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}.s-none{stroke-width:3}\n" + light.classes() +
		"@media (prefers-color-scheme:dark){\n" + dark.classes() + "}\n"
}

func (p palette) classes() string {
	text := ""
	for _, name := range colourNames {
		text += fmt.Sprintf(".f-%s{fill:%s}.s-%s{stroke:%s}", name, p[name], name, p[name])
	}
	return text + "\n"
}

// describe says the drawing in words, account by account.
func describe(c api.Coverage) string {
	words := []string{moment(c.At) + ".", verdict(c).words}
	for _, row := range c.Rows {
		var on []string
		for _, k := range c.Keys {
			if m, said := markOf(row.Account, k.ID); m != noCopy {
				on = append(on, k.Label+" "+said)
			}
		}
		words = append(words, fmt.Sprintf("%s: %s; %s.", row.Account.Label(), strings.Join(on, "; "), fateOf(row).words))
	}
	return strings.Join(words, " ")
}

// drawing is an SVG drawing while it is painted, from top to bottom.
type drawing struct {
	markup
	c       api.Coverage
	labels  map[string]string
	upright bool
	// width is the drawing's, label the accounts' column's, column a key's, risk the last one's; head is how high the
	// names of the keys are.
	width, label, column, risk, head int
	y                                int
}

func px(n int) string { return strconv.Itoa(n) }

// length estimates how long a text of a size is.
func length(s string, size int) int { return int(float64(ink.Width(clean(s))*size)*wide) + 1 }

// cut shortens a text to a length.
func cut(s string, size, length int) string {
	return ink.Shorten(clean(s), int(float64(length)/(float64(size)*wide)))
}

func (d *drawing) measure() {
	d.label, d.column = 160, keyWidth
	for _, row := range d.c.Rows {
		d.risk = max(d.risk, length(fateOf(row).words, noteSize)*11/10+32)
		d.label = max(d.label, min(420, length(row.Account.Issuer, textSize)+length(row.Account.Name, noteSize)+20))
	}
	for _, k := range d.c.Keys {
		if d.upright {
			d.column, d.head = uprightWidth, max(d.head, min(uprightHeight, 8+length(uprightName(k), noteSize)))
		} else {
			d.column, d.head = max(d.column, min(150, length(k.Label, textSize)+16)), max(d.head, lineSize*(1+len(about(k))))
		}
	}
	d.width = max(minWidth, 2*margin+d.label+d.column*len(d.c.Keys)+d.risk)
	d.label = d.width - 2*margin - d.column*len(d.c.Keys) - d.risk
}

// words writes a text with its baseline at y.
func (d *drawing) words(x, y, size int, colour, s string, attributes ...string) {
	d.el("text", s, append([]string{"x", px(x), "y", px(y), "font-size", px(size), "class", "f-" + colour}, attributes...)...)
}

func (d *drawing) rule() {
	d.void("path", "class", "s-line", "d", fmt.Sprintf("M%d %d.5H%d", margin, d.y, d.width-margin))
	d.line()
}

func (d *drawing) paint() {
	d.y = margin + titleSize
	d.words(margin, d.y, titleSize, "ink", title, "font-weight", "700")
	d.y += 22
	d.words(margin, d.y, noteSize, "dim", moment(d.c.At))
	d.y += 18
	v := verdict(d.c)
	d.pill(margin, d.y, textSize, v)
	d.y += 48
	if len(d.c.Rows) > 0 {
		d.headings()
		for _, row := range d.c.Rows {
			d.row(row)
		}
		d.legend()
		d.losses()
	}
}

// pill draws words on their colour and returns how wide that is.
func (d *drawing) pill(x, y, size int, f fate) int {
	w := length(f.words, size)*11/10 + size*5/4 // they are bold
	d.void("rect", "class", "f-"+f.class+"tint", "x", px(x), "y", px(y), "width", px(w), "height", px(size+11), "rx", px(size/2+5))
	d.words(x+w/2, y+size+2+size/8, size, f.class, f.words, "font-weight", "600", "text-anchor", "middle")
	return w
}

func (d *drawing) columnAt(i int) int { return margin + d.label + d.column*i + d.column/2 }

// headings names the keys, and says where they are and what else there is to say.
func (d *drawing) headings() {
	d.y += d.head
	for i, k := range d.c.Keys {
		if d.upright {
			d.uprightKey(d.columnAt(i), k)
		} else {
			d.key(d.columnAt(i), k)
		}
	}
	d.words(margin, d.y-4, noteSize, "dim", "Account", "font-weight", "600")
	d.words(d.width-margin-d.risk+20, d.y-4, noteSize, "dim", "Risk", "font-weight", "600")
	d.y += 8
	d.line()
}

func (d *drawing) key(x int, k api.Key) {
	lines := about(k)
	y := d.y - 4 - len(lines)*lineSize
	d.words(x, y, textSize, "ink", cut(k.Label, textSize, d.column-8), "font-weight", "600", "text-anchor", "middle")
	for _, line := range lines {
		y += lineSize
		d.words(x, y, noteSize, "dim", cut(line, noteSize, d.column-8), "text-anchor", "middle")
	}
}

func (d *drawing) uprightKey(x int, k api.Key) {
	turn := fmt.Sprintf("rotate(-90 %d %d)", x+5, d.y-6)
	d.words(x+5, d.y-6, noteSize, "ink", cut(uprightName(k), noteSize, uprightHeight-6), "transform", turn)
}

func uprightName(k api.Key) string { return strings.Join(slices.Insert(about(k), 0, k.Label), " · ") }

func (d *drawing) row(row api.CoverageRow) {
	d.rule()
	middle := d.y + rowHeight/2
	d.account(margin, middle+5, row.Account)
	for i, k := range d.c.Keys {
		m, words := markOf(row.Account, k.ID)
		d.mark(d.columnAt(i)-markSize/2, middle-markSize/2, m, words)
	}
	d.pill(d.width-margin-d.risk+12, middle-noteSize/2-5, noteSize, fateOf(row))
	d.y += rowHeight
	d.line()
}

// account names an account in its column, the whole name for those who point at it.
func (d *drawing) account(x, y int, a api.Account) {
	first, second, room := a.Issuer, a.Name, d.label-12
	if first == "" {
		first, second = second, ""
	}
	first = cut(first, textSize, room)
	attributes := []string{"x", px(x), "y", px(y), "font-size", px(textSize), "class", "f-ink", "font-weight", "600"}
	if a.Superseded {
		attributes = append(attributes, "text-decoration", "line-through")
	}
	d.in("text", attributes, func() {
		d.el("title", a.Label())
		d.text(first)
		if room -= length(first, textSize) + 8; second != "" && room > 4*noteSize {
			d.el("tspan", cut(second, noteSize, room), "dx", "8", "font-size", px(noteSize), "font-weight", "400", "class", "f-dim")
		}
	})
}

// mark draws a sign in its square.
func (d *drawing) mark(x, y int, m mark, words string) {
	d.in("g", []string{"transform", fmt.Sprintf("translate(%d %d)", x, y)}, func() {
		d.el("title", words)
		if m != noCopy {
			d.void("rect", "class", "f-"+m.class+"tint", "width", px(markSize), "height", px(markSize), "rx", "7")
		}
		if m.path != "" {
			d.void("path", "class", "sign s-"+m.class, "d", m.path, "transform", "translate(5 5)")
		}
	})
}

// legend explains the signs that occur, as many in a line as there is room for.
func (d *drawing) legend() {
	d.rule()
	d.y += 14
	x := margin
	sign := func(m mark) {
		w := markSize + 8 + length(m.words, noteSize)
		if x > margin && x+w > d.width-margin {
			x = margin
			d.y += markSize + 8
		}
		d.mark(x, d.y, m, m.words)
		d.words(x+markSize+8, d.y+markSize/2+4, noteSize, "dim", m.words)
		x += w + 18
	}
	for _, state := range legend {
		if used(d.c, state) {
			sign(marks[state])
		}
	}
	sign(noCopy)
	d.y += markSize + 18
	d.line()
}

func (d *drawing) losses() {
	list := d.c.Distinct()
	if len(list) == 0 {
		return
	}
	d.y += 30
	d.words(margin, d.y, headSize, "ink", "What a single loss would cost", "font-weight", "700")
	d.y += 14
	for _, l := range list {
		d.loss(l)
	}
}

func (d *drawing) loss(l api.Loss) {
	d.rule()
	baseline, x := d.y+rowHeight/2+5, margin+max(180, d.width/4)
	d.in("text", []string{"x", px(margin), "y", px(baseline), "font-size", px(textSize), "class", "f-ink"}, func() {
		d.text(cut(l.Name, textSize, x-margin-60) + " ")
		d.el("tspan", lossWords(l), "class", "f-dim", "font-size", px(noteSize))
	})
	for _, f := range costOf(l) {
		x += d.pill(x, d.y+rowHeight/2-noteSize/2-5, noteSize, f.fate) + 12
	}
	var names []string
	for _, id := range slices.Concat(l.Accounts, l.Escrow) {
		names = append(names, d.labels[id])
	}
	if room := d.width - margin - x; room > 10*noteSize {
		d.words(x, baseline, noteSize, "dim", cut(strings.Join(names, ", "), noteSize, room))
	}
	d.y += rowHeight
	d.line()
}
