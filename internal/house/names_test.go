package house

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// packageComments wants every package to say what it owns, and a program what it does.
func packageComments(h tree) []string {
	var complaints []string
	for _, pkg := range h.packages() {
		documented := slices.ContainsFunc(h.files, func(f source) bool {
			return f.pkg == pkg && !f.test && f.ast.Doc != nil && saysWhat(f.ast)
		})
		if !documented {
			complaints = append(complaints, pkg+" has no package comment")
		}
	}
	return complaints
}

// saysWhat reports whether the comment is one that go doc expects: "Package x …" unless it is a program.
func saysWhat(f *ast.File) bool {
	return f.Name.Name == "main" || strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" ")
}

// exportedNames wants a comment on everything that other packages see. A group of constants or variables
// may share one, or each have its own beside it; methods of hidden types need none.
func exportedNames(h tree) []string {
	var complaints []string
	for _, f := range h.files {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, bare := range undocumented(d) {
				complaints = append(complaints, fmt.Sprintf("%s: %s has no comment", h.at(f, bare), bare.Name))
			}
		}
	}
	return complaints
}

func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

func undocumentedSpecs(d *ast.GenDecl) []*ast.Ident {
	var bare []*ast.Ident
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				bare = append(bare, s.Name)
			}
		case *ast.ValueSpec:
			if d.Doc == nil && s.Doc == nil && s.Comment == nil {
				bare = append(bare, slices.DeleteFunc(slices.Clone(s.Names), func(n *ast.Ident) bool { return !n.IsExported() })...)
			}
		}
	}
	return bare
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch inner := t.(type) {
		case *ast.StarExpr:
			t = inner.X
		case *ast.IndexExpr:
			t = inner.X
		case *ast.Ident:
			return inner.IsExported()
		default:
			return true
		}
	}
}

// testSupport are the packages whose code runs in tests only.
var testSupport = []string{"hw/hwtest", "awsmfa/awstest", "internal/need"}

// noSleep wants tests to wait for what they wait for: a sleep is either too short or too long. Inside
// synctest.Test it is neither, for there it moves the clock.
func noSleep(h tree) []string {
	var complaints []string
	for _, f := range h.files {
		if !f.test && !slices.Contains(testSupport, f.pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if isSelector(n, "time", "Sleep") {
				complaints = append(complaints, h.at(f, n)+": time.Sleep in a test; wait for the event, or use testing/synctest")
			}
			call, ok := n.(*ast.CallExpr)
			return !ok || !isSelector(call.Fun, "synctest", "Test")
		})
	}
	return complaints
}

// isSelector reports whether n is "pkg.name".
func isSelector(n ast.Node, pkg, name string) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// skippers are the files whose tests skip although nothing is missing, and why.
var skippers = map[string]string{
	"agent/mortal_test.go":              "who dies at a point that this course of events did not reach has not died",
	"agent/pulled_test.go":              "who did without a key is not disturbed when it leaves",
	"cmd/oathctl-doctor/daemon_test.go": "root is refused nothing",
	"hw/hwtest/conformance_keys.go":     "not every kind of key can do everything",
	"hw/hwtest/softkeys_test.go":        "nobody's real key is to be erased",
	"hw/hwtest/ykman_test.go":           "not every version of ykman can do everything",
}

// skips wants internal/need to decide what becomes of a test without what it needs: it says how to get it, and that in CI nothing may be
// missing. What takes long may be skipped in short.
func skips(h tree) []string {
	var complaints []string
	for _, f := range h.files {
		if !f.test && !slices.Contains(testSupport, f.pkg) || f.pkg == "internal/need" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && (asksForCI(call) || skippers[f.name] == "" && isSkip(call)) {
				complaints = append(complaints, h.at(f, n)+": leave it to internal/need whether a test that lacks something is skipped or fails")
			}
			return !onlyInShort(n)
		})
	}
	return complaints
}

func asksForCI(call *ast.CallExpr) bool {
	if !isSelector(call.Fun, "os", "Getenv") || len(call.Args) != 1 {
		return false
	}
	name, ok := call.Args[0].(*ast.BasicLit)
	return ok && name.Value == `"CI"`
}

func isSkip(call *ast.CallExpr) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name)
}

func onlyInShort(n ast.Node) bool {
	branch, ok := n.(*ast.IfStmt)
	if !ok {
		return false
	}
	call, ok := branch.Cond.(*ast.CallExpr)
	return ok && isSelector(call.Fun, "testing", "Short")
}

// maxLines is how long a file may be before it is two.
const maxLines = 400

// longFiles are those that may be longer, and why.
var longFiles = map[string]string{
	"ipc/api/api.go": "one vocabulary, to be read from top to bottom; half of it is comments",
}

// fileLength wants files that can be read in one go.
func fileLength(h tree) []string {
	var complaints []string
	for _, f := range h.files {
		if !f.test && f.lines > maxLines && longFiles[f.name] == "" {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, over %d: it is two files", f.name, f.lines, maxLines))
		}
	}
	return complaints
}

func TestPackageCommentsCanFail(t *testing.T) {
	breaks(t, packageComments, map[string]string{
		"good/a.go":       "// Package good is good.\npackage good",
		"good/b.go":       "package good",
		"prog/a.go":       "// Prog runs.\npackage main",
		"bare/a.go":       "package bare",
		"bare/a_test.go":  "// Package bare has its comment in a test.\npackage bare",
		"misled/a.go":     "// This file does things.\npackage misled",
		"tests/a_test.go": "package tests",
	}, "bare has no package comment", "misled has no package comment")
}

func TestExportedNamesCanFail(t *testing.T) {
	breaks(t, exportedNames, map[string]string{
		"a/good.go": `package a
// F is fine.
func F() {}
// T is fine.
type T struct{}
type hidden struct{}
func (hidden) Method() {}
// The sizes.
const ( Small = 1; Big = 2 )
var (
	One = 1 // One is one.
	// Two is two.
	Two = 2
	three = 3
)
`,
		"a/a_test.go": "package a\nfunc Helper() {}",
		"a/bad.go": `package a
func Bare() {}
func (*T) Method() {}
// A group does not speak for its types.
type ( U int )
var V, w int
const ( C = 1 )
`,
	}, "Bare has", "Method has", "U has", "V has", "C has")
}

func TestNoSleepCanFail(t *testing.T) {
	sleeps := "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }"
	breaks(t, noSleep, map[string]string{
		"a/a_test.go":            sleeps,
		"a/a.go":                 sleeps,
		testSupport[0] + "/a.go": sleeps,
		"a/b_test.go":            "package a\nimport (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }",
	}, "a/a_test.go:3:12", testSupport[0]+"/a.go:3:12")
}

func TestSkipsCanFail(t *testing.T) {
	in := func(code string) string { return "package a\nfunc _() {\n" + code + "\n}" }
	skippers["a/strange_test.go"] = "it is a test of this test"
	defer delete(skippers, "a/strange_test.go")
	breaks(t, skips, map[string]string{
		"a/a.go":                 in(`t.Skip()`),
		"a/good_test.go":         in(`if testing.Short() { t.Skip("it takes long") }; need.That(t, os.Getenv("HOME") != "", "a home")`),
		"a/strange_test.go":      in(`t.Skip("so"); if os.Getenv("CI") != "" { t.Fatal("so") }`),
		"a/bad_test.go":          in("if raced() { t.Skipf(why) }; t.SkipNow()"),
		"internal/need/a.go":     in(`if os.Getenv("CI") == "" { t.Skip(missing) }`),
		testSupport[0] + "/a.go": in(`t.Skip("there is none")`),
	}, "a/strange_test.go:3:18", "a/bad_test.go:3:14", "a/bad_test.go:3:30", testSupport[0]+"/a.go:3:1")
}

func TestFileLengthCanFail(t *testing.T) {
	breaks(t, fileLength, map[string]string{
		"a/long.go":      "package a\n" + strings.Repeat("\n", maxLines),
		"a/full.go":      "package a\n" + strings.Repeat("\n", maxLines-1),
		"a/long_test.go": "package a\n" + strings.Repeat("\n", maxLines),
	}, "a/long.go has 401 lines")
}
