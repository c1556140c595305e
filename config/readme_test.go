package config

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
)

var update = flag.Bool("update", false, "write the table of the settings into README.md")

// TestREADME holds the README's table against ours.
func TestREADME(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- settings -->\n", "<!-- /settings -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the settings, between %q and %q", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+Markdown()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != Markdown() {
		t.Errorf("the README's table of settings is not ours; run go test ./config -update. It should be:\n%s", Markdown())
	}
}

// TestSoftValues holds the values that this package repeats against those of the soft keys' package.
func TestSoftValues(t *testing.T) {
	personality, _ := lookup("soft_personality", Setting.name)
	if got, want := strings.Join(personality.Values, " "), strings.Join(softkey.Personalities(), " "); got != want {
		t.Errorf("personalities: we know %s, hw/softkey %s", got, want)
	}
	touch, _ := lookup("soft_touch", Setting.name)
	for _, mode := range touch.Values {
		if _, err := softkey.ParseTouchMode(mode); err != nil {
			t.Error(err)
		}
	}
}
