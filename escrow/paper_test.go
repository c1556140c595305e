package escrow

import (
	"fmt"
	"html"
	"image"
	"image/color"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/oathd/oathd/oath"
)

func (s *safe) page(t *testing.T, key *oath.Secret) string {
	t.Helper()
	page, err := s.Paper(key, noon)
	if err != nil {
		t.Fatal(err)
	}
	return string(page.Bytes())
}

func TestPaper(t *testing.T) {
	s := newSafe(t)
	key := string(s.paper.Bytes())
	page := s.page(t, s.paper)
	if got := s.page(t, secret(strings.ToLower(key[:30])+"\n"+strings.ToLower(key[30:]))); got != page {
		t.Error("a key that was typed yields another page")
	}
	groups := "AGE-SECRET-KEY-1"
	for i := 16; i < len(key); i += 4 {
		groups += " " + key[i:min(i+4, len(key))]
	}
	for _, want := range []string{groups, "<td>paper in the safe</td>", "2026-05-12", s.ID, s.PublicKey, s.Recipients[1].Public,
		"age -d -i recovery.txt oathd-backup/vault-key.age &gt; vault-key.txt", "oathctl escrow open"} {
		if !strings.Contains(page, want) && !strings.Contains(page, html.UnescapeString(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "{{") || strings.Contains(page, "<!--") {
		t.Error("something was not filled in")
	}
	if fetched := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|form|base)|\b(src|href|srcset|action)=|url\(|@import`).FindString(page); fetched != "" {
		t.Errorf("the page uses %q", fetched)
	}
}

var rectangle = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// TestPaperScans reads the picture as a telephone would.
func TestPaperScans(t *testing.T) {
	s := newSafe(t)
	page := s.page(t, s.paper)
	var side int
	if _, err := fmt.Sscanf(page[strings.Index(page, "viewBox"):], `viewBox="0 0 %d`, &side); err != nil {
		t.Fatal(err)
	}
	// Version 4, which is what alphanumeric mode makes of it, has 33 modules.
	if side != 33+2*quietZone {
		t.Errorf("%d modules", side)
	}
	const scale = 4
	picture := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	for i := range picture.Pix {
		picture.Pix[i] = 0xff
	}
	for _, m := range rectangle.FindAllStringSubmatch(page, -1) {
		var x, y, n int
		if _, err := fmt.Sscan(m[1], &x); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(m[2]+" "+m[3], &y, &n); err != nil || m[3] != m[4] {
			t.Fatalf("%q: %v", m, err)
		}
		for px := x * scale; px < (x+n)*scale; px++ {
			for py := y * scale; py < (y+1)*scale; py++ {
				picture.SetGray(px, py, color.Gray{})
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	got, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil || got.GetText() != string(s.paper.Bytes()) {
		t.Errorf("read %v, %v", got, err)
	}
}

// TestPaperEscapes has a name that would be more than a name.
func TestPaperEscapes(t *testing.T) {
	s := newSafe(t)
	list := append([]Recipient{}, s.Recipients[:2]...)
	list[1].Name = `<script>"{{VAULT}}"</script><!--KEY-->`
	v, err := Create(noon, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	page, err := v.Paper(s.paper, noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := "<td>&lt;script&gt;&#34;{{VAULT}}&#34;&lt;/script&gt;&lt;!--KEY--&gt;</td>"; !strings.Contains(string(page.Bytes()), want) {
		t.Errorf("%s", page.Bytes())
	}
}

func TestPaperRefuses(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	_, err := s.Paper(other.paper, noon)
	wants(t, "another vault's paper", err, ErrNoRecipient)
	_, err = s.Paper(secret("AGE-SECRET-KEY-1QQQ"), noon)
	wants(t, "a mistyped key", err, ErrMistyped)
}
