// Package house tests the house as a whole: who may import whom, that every name is explained, that the
// documents and scripts say what is true. Each rule is a function from a tree of sources to complaints, so
// that it can be shown to fail on a tree that breaks it.
package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "github.com/oathd/oathd/"

// tree is a repository: its Go files parsed, its other files by name.
type tree struct {
	root  string
	fset  *token.FileSet
	files []source
}

// source is one Go file. Its package is the directory, relative to the root: "hw/tlv".
type source struct {
	name, pkg string
	test      bool
	lines     int
	ast       *ast.File
}

// rule looks at a tree and returns a complaint for each place that breaks it.
type rule func(t tree) []string

// TestHouse holds this repository against every rule.
func TestHouse(t *testing.T) {
	house := load(t, "../..")
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range check(house) {
				t.Error(complaint)
			}
		})
	}
}

// rules are all of them, by the name of their subtest.
var rules = map[string]rule{
	"levels":             levels,
	"bans":               bans,
	"package comments":   packageComments,
	"exported names":     exportedNames,
	"no sleep in tests":  noSleep,
	"skips":              skips,
	"file length":        fileLength,
	"architecture":       architecture,
	"continuous testing": continuousTesting,
	"scripts":            scripts,
	"wishes":             wishes,
	"make targets":       makeTargets,
}

// load parses every Go file below root.
func load(t *testing.T, root string) tree {
	t.Helper()
	house := tree{root: root, fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin"}, d.Name())):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		return house.parse(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return house
}

func (h *tree) parse(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(h.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(h.root, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	h.files = append(h.files, source{
		name: rel, pkg: path.Dir(rel), ast: file,
		test: strings.HasSuffix(rel, "_test.go"), lines: bytes.Count(text, []byte("\n")),
	})
	return nil
}

// packages returns the directories that hold Go files which are not tests, sorted.
func (h tree) packages() []string {
	var dirs []string
	for _, f := range h.files {
		if !f.test {
			dirs = append(dirs, f.pkg)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// at names the place of a node in a complaint.
func (h tree) at(f source, n ast.Node) string {
	return f.name + ":" + strings.TrimPrefix(h.fset.Position(n.Pos()).String(), h.fset.Position(n.Pos()).Filename+":")
}

// read returns a file of the tree, "" if it is not there.
func (h tree) read(name string) string {
	text, err := os.ReadFile(filepath.Join(h.root, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// breaks builds a tree of the files and wants one complaint of the rule for each of wants, in any order,
// that contains it; none for a house in order.
func breaks(t *testing.T, check rule, files map[string]string, wants ...string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := check(load(t, root))
	if len(got) != len(wants) {
		t.Errorf("%d complaints, want %d: %q", len(got), len(wants), got)
	}
	for _, want := range wants {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no complaint contains %q: %q", want, got)
		}
	}
}
