package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	var b strings.Builder
	in := "\x1b[1moathd\x1b[0m  <keys>\n\n\x1b[32m━━\x1b[2m\x1b[39m─\x1b[0m 漢 x\n"
	if err := draw(&b, strings.NewReader(in), "a & b", 20); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, b.String())
		}
	}
	for _, want := range []string{
		`viewBox="0 0 200 120"`, `>a &amp; b</text>`,
		`<text x="16.0" y="63" textLength="42.0" font-weight="bold">oathd</text>`,
		`<text x="74.8" y="63" textLength="50.4">&lt;keys&gt;</text>`,
		`<text x="16.0" y="99" textLength="16.8" fill="#8ad86a">━━</text>`,
		`<text x="32.8" y="99" textLength="8.4" opacity="0.55">─</text>`,
		`<text x="49.6" y="99" textLength="33.6">漢 x</text>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
