package main

import (
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
)

func TestDoctorWords(t *testing.T) {
	command := "sudo something --that=is -longer than-the terminal"
	found := []kin.Finding{
		{Check: "a", State: kin.VerdictOK, Found: "one"},
		{Check: "long", State: kin.VerdictBroken, Found: "two words and more than fit", Means: "no codes", Mend: command},
		{Check: "c", State: kin.VerdictWarning, Found: "three"},
		{Check: "d", State: kin.VerdictNone, Found: "four"},
	}
	var got []string
	for _, line := range doctorWords(kin.Diagnose(found), 30) {
		got = append(got, ink.Look{Symbols: true}.Render(line))
	}
	want := "✓ a     one\n✗ long  two words and more\n        than fit\n        no codes\n        mend: " + command +
		"\n! c     three\n· d     four\n\nBroken: 1; to be done besides: 1."
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	for n, want := range map[int]string{1: "All is well.", 0: "All is well."} {
		if s := doctorSum(kin.Diagnose(found[:n])); s != want {
			t.Errorf("%d findings: %q", n, s)
		}
	}
	if s := doctorSum(kin.Diagnose(found[1:2])); s != "Broken: 1." {
		t.Errorf("got %q", s)
	}
	if s := doctorSum(kin.Diagnose(found[2:])); s != "It works; to be done: 1." {
		t.Errorf("got %q", s)
	}
}
