package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// shown finds the verbs that a document shows in use.
	shown = regexp.MustCompile("oathctl ([a-z]+)")
	// verbRow is a line of the README's table of verbs: the verbs, what they do.
	verbRow = regexp.MustCompile("(?m)^\\| (`[a-z][^|]*(?:\\\\\\|[^|]*)*) \\| ([^|]*(?:\\\\\\|[^|]*)*) \\|$")
	// command is a verb in it, with those below it if there are any: `key adopt\\|label K`.
	command = regexp.MustCompile("`([a-z]+)(?: \\[?([a-z]+(?:\\\\\\|[a-z]+)*))?")
	flag    = regexp.MustCompile("`(--[a-z-]+)")
)

// TestDocumentedVerbs wants every verb in the documents, with the flags in the README's table, to be known to oathctl.
func TestDocumentedVerbs(t *testing.T) {
	t.Parallel()
	help := func(verb ...string) string {
		out, err := exec.Command(filepath.Join(build(t), "oathctl"), append(verb, "--help")...).CombinedOutput()
		if err != nil {
			t.Errorf("the documents show oathctl %q: %v\n%s", verb, err, out)
		}
		return string(out)
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "docs/security.md", "CONTRIBUTING.md"} {
		for _, m := range shown.FindAllStringSubmatch(document(t, name), -1) {
			help(m[1])
		}
	}
	_, verbs, found := strings.Cut(document(t, "README.md"), "\n## The verbs\n")
	verbs, _, _ = strings.Cut(verbs, "\n## ")
	rows := verbRow.FindAllStringSubmatch(verbs, -1)
	if !found || len(rows) < 10 {
		t.Fatalf("the README has no table of verbs: %d rows", len(rows))
	}
	for _, row := range rows {
		var texts string
		for _, verb := range command.FindAllStringSubmatch(row[1], -1) {
			texts += help(verb[1])
			for _, below := range strings.FieldsFunc(verb[2], func(r rune) bool { return r == '\\' || r == '|' }) {
				texts += help(verb[1], below)
			}
		}
		for _, f := range flag.FindAllStringSubmatch(row[2], -1) {
			if !strings.Contains(texts, f[1]) {
				t.Errorf("the README gives %s the flag %s, which its help does not know", row[1], f[1])
			}
		}
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
