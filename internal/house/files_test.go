package house

import (
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a line of ARCHITECTURE.md's table of packages: its first cell names one or more of them.
var (
	row    = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")
	quoted = regexp.MustCompile("`([^`]+)`")
)

// architecture wants ARCHITECTURE.md's table of packages to be the packages that are.
func architecture(h tree) []string {
	drawn := map[string]bool{}
	for _, cell := range row.FindAllStringSubmatch(h.read("ARCHITECTURE.md"), -1) {
		for _, n := range quoted.FindAllStringSubmatch(cell[1], -1) {
			drawn[n[1]] = true
		}
	}
	var complaints []string
	for _, pkg := range h.packages() {
		if !drawn[pkg] {
			complaints = append(complaints, "ARCHITECTURE.md does not say what "+pkg+" owns")
		}
		delete(drawn, pkg)
	}
	for pkg := range drawn {
		complaints = append(complaints, "ARCHITECTURE.md describes "+pkg+", which is not there")
	}
	return complaints
}

// continuousTesting wants .ci/run to call make test and nothing else, so that what passes there is what
// anybody can run.
func continuousTesting(h tree) []string {
	var commands []string
	for line := range strings.Lines(h.read(".ci/run")) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "set ") && !strings.HasPrefix(line, "cd ") {
			commands = append(commands, line)
		}
	}
	if !slices.Equal(commands, []string{"exec make test"}) {
		return []string{fmt.Sprintf(".ci/run runs %q: it is to run make test alone", commands)}
	}
	return nil
}

// scripts wants every script to be executable, unless it is one to source, and to be read by bash without a complaint.
func scripts(h tree) []string {
	var complaints []string
	found, _ := filepath.Glob(filepath.Join(h.root, "scripts/*"))
	for _, script := range append(found, filepath.Join(h.root, ".ci/run")) {
		rel, _ := filepath.Rel(h.root, script)
		info, err := os.Stat(script)
		if err != nil {
			complaints = append(complaints, err.Error())
			continue
		}
		if info.Mode()&0o111 == 0 && filepath.Ext(script) != ".sh" {
			complaints = append(complaints, rel+" is not executable")
		}
		if out, err := exec.Command("bash", "-n", script).CombinedOutput(); err != nil {
			complaints = append(complaints, fmt.Sprintf("%s: %s", rel, out))
		}
	}
	return complaints
}

var (
	// purposes are the lines of scripts/deps that name what make test installs.
	purposes = regexp.MustCompile(`(?m)^\t(?:build|test)\) echo (.*) ;;$`)
	// debian is a package's name.
	debian = regexp.MustCompile(`[a-z0-9][a-z0-9.+-]+`)
	// wish is what a test that needs something tells a person to install.
	wish = regexp.MustCompile(`apt-get install ([a-z0-9 .+-]+)`)
)

// wishes wants make test to install whatever a test would otherwise miss.
func wishes(h tree) []string {
	var installed, complaints []string
	for _, purpose := range purposes.FindAllStringSubmatch(h.read("scripts/deps"), -1) {
		installed = append(installed, debian.FindAllString(purpose[1], -1)...)
	}
	for _, f := range h.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			for _, pkg := range wished(n) {
				if !slices.Contains(installed, pkg) {
					complaints = append(complaints, fmt.Sprintf("%s: this needs %s, which scripts/deps does not install for tests", h.at(f, n), pkg))
				}
			}
			return true
		})
	}
	return complaints
}

// wished returns the Debian packages that a call of internal/need names.
func wished(n ast.Node) []string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) < 3 {
		return nil
	}
	text, ok := call.Args[2].(*ast.BasicLit)
	switch {
	case !ok:
		return nil
	case isSelector(call.Fun, "need", "Program"), isSelector(call.Fun, "need", "Python"):
		return debian.FindAllString(text.Value, -1)
	case isSelector(call.Fun, "need", "That"):
		if m := wish.FindStringSubmatch(text.Value); m != nil {
			return strings.Fields(m[1])
		}
	}
	return nil
}

var (
	target  = regexp.MustCompile(`(?m)^([a-z]+):`)
	makeUse = regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)")
)

// makeTargets wants every "make X" that a document shows to be there.
func makeTargets(h tree) []string {
	known := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(h.read("Makefile"), -1) {
		known[m[1]] = true
	}
	var complaints []string
	for _, doc := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"} {
		for _, m := range makeUse.FindAllStringSubmatch(h.read(doc), -1) {
			if !known[m[1]] {
				complaints = append(complaints, fmt.Sprintf("%s shows make %s, which the Makefile does not have", doc, m[1]))
			}
		}
	}
	return complaints
}

func TestArchitectureCanFail(t *testing.T) {
	breaks(t, architecture, map[string]string{
		"ARCHITECTURE.md": "| package | owns |\n|---|---|\n| `hw`, `hw/tlv` | cards |\n| `gone` | nothing |\n",
		"hw/a.go":         "package hw",
		"hw/tlv/a.go":     "package tlv",
		"agent/a.go":      "package agent",
	}, "does not say what agent owns", "describes gone")
}

func TestContinuousTestingCanFail(t *testing.T) {
	breaks(t, continuousTesting, map[string]string{".ci/run": "#!/bin/sh\nset -e\nexec make test\n"})
	breaks(t, continuousTesting, map[string]string{".ci/run": "#!/bin/sh\ngo test ./...\nexec make test\n"}, "go test ./...")
	breaks(t, continuousTesting, nil, "runs []")
}

func TestScriptsCanFail(t *testing.T) {
	breaks(t, scripts, map[string]string{".ci/run": "true\n", "scripts/good": "true\n"})
	breaks(t, scripts, map[string]string{".ci/run": "true\n", "scripts/bad": "if true\n"}, "scripts/bad: ")
	breaks(t, scripts, nil, ".ci/run")
}

func TestWishesCanFail(t *testing.T) {
	needs := func(call string) string { return "package a\nfunc _() {\n" + call + "\n}" }
	breaks(t, wishes, map[string]string{
		"scripts/deps": "# cake\n\tbuild) echo gcc ;;\n\ttest) echo curl ${CI:+openssh-server} util-linux ;;\n\tdemo) echo pcscd ;;\n",
		"a/a_test.go":  needs(`need.Program(t, "sshd", "openssh-server"); need.Program(t, shell, shell); other.Program(t, "a", "b"); need.That(t, true, "cake")`),
		"a/b_test.go":  needs(`need.Program(t, "cc", "gcc"); need.Python(t, "cake", "util-linux cake")`),
		"a/c_test.go":  needs(`need.That(t, there, "%s (Debian: apt-get install curl pcscd)", path)`),
		"hw/a.go":      needs(`need.Program(t, "oathtool", "oathtool")`),
	}, "a/b_test.go:3:31: this needs cake", "a/c_test.go:3:1: this needs pcscd", "hw/a.go:3:1: this needs oathtool")
}

func TestMakeTargetsCanFail(t *testing.T) {
	breaks(t, makeTargets, map[string]string{
		"Makefile":  "test:\n\ttrue\n",
		"README.md": "Run `make test`, or\n\nmake cake\n\nto make things.",
	}, "make cake")
}
