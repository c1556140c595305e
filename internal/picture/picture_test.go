package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

// element is one of a drawing that was read again, text all that is in it.
type element struct {
	name       string
	attributes map[string]string
	text       string
	within     []string
}

// read parses a picture strictly and returns its elements in the order of their beginning.
func read(t testing.TB, picture []byte) []*element {
	t.Helper()
	var all, open []*element
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 {
				t.Fatalf("%s is not closed", open[len(open)-1].name)
			}
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attributes: map[string]string{}}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			for _, o := range open {
				e.within = append(e.within, o.name)
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, o := range open {
				o.text += string(token)
			}
		}
	}
}

// find returns the elements with a name and a class, "" for any.
func find(all []*element, name, class string) []*element {
	var some []*element
	for _, e := range all {
		if e.name == name && (class == "" || slices.Contains(strings.Fields(e.attributes["class"]), class)) {
			some = append(some, e)
		}
	}
	return some
}

func texts(all []*element) []string {
	var list []string
	for _, e := range all {
		list = append(list, e.text)
	}
	return list
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q\nwant %q", what, got, want)
	}
}

func TestPage(t *testing.T) {
	page := read(t, HTML(usual()))
	expect(t, "headings", texts(find(page, "th", "key")), "label 0homeAda", "label 1homesoft", "label 2lost")
	expect(t, "cells", texts(find(page, "td", "cell")),
		"proved, last proved 20 November 2026, asks for a touch", "proved, last proved 19 November 2026", "no copy",
		"proved, last proved 20 November 2026", "written, HOTP can't be proved, last proved 19 November 2026", "there, not proved, last proved 18 November 2026",
		"begun, not known to be there, last proved 20 November 2026", "no longer there, last proved 19 November 2026", "answers with another seed, last proved 18 November 2026",
		"no copy", "no copy", "proved, last proved 18 November 2026",
		"of a later version, last proved 20 November 2026", "no copy", "no copy",
		"proved, last proved 20 November 2026", "no copy", "no copy")
	expect(t, "pills", texts(find(page, "span", "pill")),
		"safe", "HOTP", "no copy", "in escrow", "of a later version", "superseded",
		"2 accounts", "1 left to the escrow", "nothing", "1 account")
	expect(t, "names", texts(find(page, "span", "names")), "me, Service 4:me", "Service 3:me", "Service 0:me")
	expect(t, "advice", texts(find(page, "li", ""))[7:], "Service 2:me, Service 4:meenrol anew", "drill the escrow")
	expect(t, "verdict", texts(find(page, "p", "")), "20 November 2026, 12:00 UTC", "1 of 5 accounts are safe.")
	if rows := find(page, "tr", "old"); len(rows) != 1 || !strings.HasPrefix(rows[0].text, "Service 5me") {
		t.Errorf("superseded: %q", texts(rows))
	}
	for _, th := range find(page, "th", "") {
		if th.attributes["scope"] == "" {
			t.Errorf("a heading without a scope: %q", th.text)
		}
	}
}

func TestDrawing(t *testing.T) {
	drawing := read(t, SVG(usual()))
	var signs []string
	for _, e := range find(drawing, "title", "") {
		if slices.Contains(e.within, "g") {
			signs = append(signs, e.text)
		}
	}
	// Six rows of three, and a legend of seven.
	if len(signs) != 25 || signs[3] != "proved, last proved 20 November 2026" || signs[24] != "no copy" {
		t.Errorf("%d signs: %q", len(signs), signs)
	}
	all := strings.Join(texts(find(drawing, "text", "")), "\n")
	for _, word := range []string{"label 0", "Ada", "soft", "lost", "Service 2me", "superseded", "2 accounts", "nothing", "site of 2 keys", "me, Service 4:me, S", "Service 0:me"} {
		if !strings.Contains(all, word) {
			t.Errorf("the drawing does not say %q: %q", word, all)
		}
	}
	desc := find(drawing, "desc", "")[0].text
	if !strings.Contains(desc, "Service 0:me: label 0 proved") || !strings.Contains(desc, "1 of 5 accounts are safe.") {
		t.Errorf("for those who listen: %q", desc)
	}
}

// TestDrawingFits wants every sign, line and text to begin within the drawing, whatever is on it.
func TestDrawingFits(t *testing.T) {
	number := regexp.MustCompile(`-?\d+(\.\d+)?`)
	for _, c := range []api.Coverage{usual(), named(strings.Repeat("W", 100)), drawn(0, ""), drawn(1), drawn(40, strings.Repeat("p", 40)), {}} {
		drawing := read(t, SVG(c))
		w, _ := strconv.Atoi(drawing[0].attributes["width"])
		h, _ := strconv.Atoi(drawing[0].attributes["height"])
		if w < minWidth || h < 80 {
			t.Errorf("%d × %d", w, h)
		}
		for _, e := range drawing[1:] {
			at := number.FindAllString(e.attributes["transform"], -1)
			if e.name == "text" || e.name == "rect" && e.attributes["x"] != "" {
				at = []string{e.attributes["x"], e.attributes["y"]}
			}
			if len(at) < 2 || strings.HasPrefix(e.attributes["transform"], "rotate") {
				continue
			}
			x, _ := strconv.ParseFloat(at[0], 64)
			y, _ := strconv.ParseFloat(at[1], 64)
			if x < 0 || x > float64(w) || y < 0 || y > float64(h) {
				t.Errorf("%s at %g, %g of %d × %d: %q", e.name, x, y, w, h, e.text)
			}
		}
	}
}

func TestManyKeys(t *testing.T) {
	few, many := drawn(manyKeys-1, "p"), drawn(manyKeys, "p")
	if n := len(find(read(t, HTML(few)), "main", "many")); n != 0 {
		t.Error("few keys are written upright")
	}
	if n := len(find(read(t, HTML(many)), "main", "many")); n != 1 {
		t.Error("many keys are not written upright")
	}
	turned := func(c api.Coverage) (n int) {
		for _, e := range find(read(t, SVG(c)), "text", "") {
			if strings.HasPrefix(e.attributes["transform"], "rotate(-90") {
				n++
			}
		}
		return n
	}
	if turned(few) != 0 || turned(many) != manyKeys {
		t.Errorf("%d and %d names are turned", turned(few), turned(many))
	}
}

func TestVerdict(t *testing.T) {
	safe := drawn(2, "pp", "pp")
	for name, c := range map[string]api.Coverage{
		"2 accounts, all safe: losing one key loses nothing.": safe,
		"1 of 5 accounts are safe.":                           usual(),
		"There are no accounts on adopted keys yet.":          {At: noon},
	} {
		for _, picture := range [][]byte{HTML(c), SVG(c)} {
			if !strings.Contains(string(picture), ">"+name+"<") {
				t.Errorf("it does not say %q", name)
			}
		}
	}
}

// TestBestCopyCounts: several credentials of one key can hold the same seed.
func TestBestCopyCounts(t *testing.T) {
	a := api.Account{Copies: []api.Copy{{Key: "k", State: api.CopyUnproven}, {Key: "k", State: api.CopyProved}, {Key: "k", State: api.CopyMissing}}}
	if m, words := markOf(a, "k"); m != marks[api.CopyProved] || words != "proved" {
		t.Errorf("%+v, %s", m, words)
	}
}

// TestNamesStayNames: whatever things are called, there are no other kinds of elements and attributes, and the name is to
// be read.
func TestNamesStayNames(t *testing.T) {
	for _, draw := range []func(api.Coverage) []byte{HTML, SVG} {
		want := skeleton(read(t, draw(named("harmless"))))
		for _, name := range hostile {
			if name == "" {
				continue
			}
			all := read(t, draw(named(name)))
			for _, kind := range skeleton(all) {
				if !slices.Contains(want, kind) {
					t.Errorf("%q makes an element that was not there: %s", name, kind)
				}
			}
			shown := strings.TrimSpace(string([]rune(clean(name))[:min(8, len([]rune(clean(name))))]))
			if !strings.Contains(all[0].text, shown) {
				t.Errorf("%q is not to be read", name)
			}
		}
	}
}

// skeleton lists what kinds of elements there are, within which others and with which attributes.
func skeleton(all []*element) []string {
	var list []string
	for _, e := range all {
		list = append(list, fmt.Sprint(e.within, e.name, slices.Sorted(maps.Keys(e.attributes))))
	}
	return list
}

// TestNothingFromElsewhere: no script, no link, nothing to fetch.
func TestNothingFromElsewhere(t *testing.T) {
	for kind, picture := range map[string][]byte{"page": HTML(usual()), "drawing": SVG(usual())} {
		for _, e := range read(t, picture) {
			if slices.Contains([]string{"script", "link", "img", "image", "iframe", "object", "a", "use", "foreignObject", "base", "form"}, e.name) {
				t.Errorf("the %s has a %s", kind, e.name)
			}
			for name := range e.attributes {
				if strings.HasPrefix(name, "on") || slices.Contains([]string{"href", "src", "style", "srcset", "action"}, name) {
					t.Errorf("the %s has a %s with %s", kind, e.name, name)
				}
			}
		}
		text := strings.ReplaceAll(string(picture), "http://www.w3.org/2000/svg", "")
		for _, word := range []string{"http:", "https:", "url(", "@import", "@font-face"} {
			if strings.Contains(text, word) {
				t.Errorf("the %s has %s", kind, word)
			}
		}
	}
	if !strings.Contains(string(HTML(usual())), `content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;"`) {
		t.Error("the page does not forbid browsers to fetch and run things")
	}
}

// TestContrast wants what WCAG 2.2 asks for: 4.5 for text, 3 for signs.
func TestContrast(t *testing.T) {
	for name, p := range map[string]palette{"light": light, "dark": dark} {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 7}, {"ink", "band", 7}, {"dim", "paper", 4.5}, {"dim", "band", 4.5},
			{"good", "goodtint", 4.5}, {"warn", "warntint", 4.5}, {"bad", "badtint", 4.5}, {"none", "nonetint", 4.5}, {"none", "paper", 3},
		} {
			if got := contrast(t, p[pair.front], p[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 0.001 {
		t.Errorf("black on white has %g", got)
	}
}

// contrast follows WCAG 2.2's definitions of contrast ratio and relative luminance.
func contrast(t *testing.T, x, y string) float64 {
	luminance := func(colour string) float64 {
		n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
		if err != nil || len(colour) != 7 {
			t.Fatalf("%q is no colour", colour)
		}
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			c := float64(n>>(16-8*i)&0xff) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	a, b := luminance(x), luminance(y)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// TestColoursAreThere: every colour that is used is declared, in both palettes.
func TestColoursAreThere(t *testing.T) {
	for _, m := range regexp.MustCompile(`var\(--([a-z]+)\)`).FindAllStringSubmatch(pageStyle, -1) {
		if !slices.Contains(colourNames, m[1]) {
			t.Errorf("the page uses %s, which is not declared", m[1])
		}
	}
	for _, e := range read(t, SVG(usual())) {
		for class := range strings.FieldsSeq(e.attributes["class"]) {
			if name, is := strings.CutPrefix(class, "f-"); is && !slices.Contains(colourNames, name) {
				t.Errorf("the drawing uses %s, which is not declared", class)
			}
		}
	}
	for _, name := range colourNames {
		if light[name] == "" || dark[name] == "" {
			t.Errorf("%s is not in both palettes", name)
		}
	}
	if len(light) != len(colourNames) || len(dark) != len(colourNames) {
		t.Error("a colour is never declared")
	}
}

// FuzzNames: whatever things are called, what is drawn can be read again.
func FuzzNames(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		read(t, HTML(named(name)))
		read(t, SVG(named(name)))
	})
}
