package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/oathd/oathd/importer"
)

var update = flag.Bool("update", false, "write the table of formats in README.md anew")

const (
	readme      = "../../README.md"
	tableBegins = "<!-- formats -->\n"
	tableEnds   = "<!-- /formats -->\n"
)

// TestReadme holds README's table of formats against those that are read.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegins)
	table, after, closed := strings.Cut(rest, tableEnds)
	if !found || !closed {
		t.Fatalf("%s has no place for the table, between %s and %s", readme, tableBegins, tableEnds)
	}
	want := formatTable()
	if *update {
		if err := os.WriteFile(readme, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("%s does not list the formats as they are: go test ./cmd/oathctl-import -run Readme -update", readme)
	}
}

func formatTable() string {
	var b strings.Builder
	b.WriteString("| program | `--format` | files | encrypted ones too |\n|---|---|---|---|\n")
	for _, f := range importer.Formats() {
		encrypted := ""
		if f.Encrypted {
			encrypted = "yes"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", f.Program, f.Name, f.Kind, encrypted)
	}
	return b.String()
}
