package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// level is the storey of each package. Imports point down only; packages on one level do not import each
// other, but for the arrows.
var level = map[string]int{
	"oath": 0, "oath/otpauth": 0,
	"hw": 1, "hw/tlv": 1, "ipc/api": 1, "internal/sentry": 1, "internal/nearest": 1, "internal/ink": 1, "internal/roff": 1, "internal/confine": 1, "internal/need": 1, "importer/qr": 1,
	"hw/pcsc": 2, "hw/ykoath": 2, "hw/mgmt": 2, "hw/softkey": 2, "hw/vpcd": 2, "ledger": 2, "config": 2, "escrow": 2, "hw/piv": 2, "ipc/peer": 2, "ipc/line": 2, "ipc/search": 2, "importer": 2, "internal/picture": 2, "internal/words": 2, "internal/kin": 2,
	"agent": 3, "agent/place": 3, "hw/hwtest": 3, "awsmfa/awstest": 3, "packaging": 3,
	"ipc/socket": 4, "ipc/bus": 4, "ipc/desktop": 4, "ipc/client": 4, "awsmfa": 4,
	"bench/socket": 5, "internal/screen": 5, "cmd/oathd": 5, "cmd/oathctl": 5, "cmd/oathctl-import": 5, "cmd/oathctl-qr": 5, "cmd/oathctl-grab": 5, "cmd/oathctl-export": 5, "cmd/oathctl-clip": 5, "cmd/oathctl-watch": 5, "cmd/oathctl-doctor": 5, "cmd/oathctl-aws": 5,
}

// arrows are the imports on one level that are meant.
var arrows = map[string]string{
	"oath/otpauth": "oath",
	"hw":           "hw/tlv",
	"agent":        "agent/place",
}

// levels wants every import of our own to point down.
func levels(h tree) []string {
	var complaints []string
	for _, pkg := range h.packages() {
		if _, known := level[pkg]; !known {
			complaints = append(complaints, fmt.Sprintf("%s has no level: say in internal/house where it stands, so that it is clear who may import it", pkg))
		}
	}
	h.eachImport(func(f source, imported string) {
		imported, ours := strings.CutPrefix(imported, module)
		own, known := level[f.pkg]
		if !ours || !known || f.test || level[imported] < own || arrows[f.pkg] == imported {
			return
		}
		complaints = append(complaints, fmt.Sprintf("%s imports %s: imports point down only, or two packages can no longer be understood one by one", f.name, imported))
	})
	return complaints
}

// ban keeps packages from an import, tests of theirs too if tests is set.
type ban struct {
	// from holds the packages it binds: "a", "a/*" for all below, "*" for all; except those of but.
	from, but []string
	// imports are import paths, ours without the module's name; the same patterns, and "+" for all that
	// is not the standard library's.
	imports []string
	tests   bool
	why     string
}

var banned = []ban{
	{from: []string{"oath", "ipc/api", "agent/place"}, imports: []string{"+"},
		why: "it can be understood, and taken, alone: standard library only"},
	{from: []string{"*"}, but: []string{"hw/pcsc", "hw/hwtest"}, imports: []string{"github.com/ebfe/scard"}, tests: true,
		why: "libpcsclite panics on some arguments and blocks on others; one package knows which (and a test that plays another program)"},
	{from: []string{"*"}, but: []string{"hw/piv"}, imports: []string{"github.com/go-piv/*"},
		why: "it speaks to pcscd by itself and takes the card exclusively; one package keeps it in a child process"},
	{from: []string{"*"}, but: []string{"config"}, imports: []string{"github.com/spf13/viper"},
		why: "settings have one table, which checks them; viper alone would let an unknown one pass"},
	{from: []string{"*"}, but: []string{"ledger"}, imports: []string{"modernc.org/*", "database/sql"}, tests: true,
		why: "what is on disk is the ledger's, so that every change is audited"},
	{from: []string{"*"}, but: []string{"oath/otpauth"}, imports: []string{"github.com/pquerna/*"},
		why: "it keeps secrets in strings, which cannot be wiped; the daemon must not hold any"},
	{from: []string{"agent"}, imports: []string{"hw/pcsc", "hw/softkey", "hw/vpcd", "config", "net/*"},
		why: "the core gets its bay as an interface and its settings as values, so that it runs in a test as it runs in life"},
	{from: []string{"*"}, but: []string{"ipc/line", "ipc/bus", "ipc/desktop", "cmd/oathctl-grab", "cmd/oathctl-doctor"}, imports: []string{"github.com/godbus/*"},
		why: "what strangers send over the bus can end a program that leaves all of it to godbus; ipc/line knows how, for those that speak on it (and programs that live for one question, and have nothing to lose)"},
	{from: []string{"*"}, but: []string{"agent"}, imports: []string{"agent/place"},
		why: "a plan is made of what the agent knows, and carried out by it: everybody else asks the agent"},
	{from: []string{"ipc/socket", "ipc/bus", "ipc/desktop"}, imports: []string{"hw/*", "ledger", "config"},
		why: "the front door asks the agent, the only owner of mutable state"},
	{from: []string{"ipc/client"}, imports: []string{"oath/*", "hw", "hw/*", "ledger", "config", "agent", "ipc/socket", "+"},
		why: "other programs link it: the wire types, oath and the standard library are all it brings along"},
	{from: []string{"cmd/oathctl*"}, imports: []string{"agent", "ledger", "config", "hw", "hw/*", "ipc/socket"},
		why: "the client starts in a millisecond and runs where libpcsclite is absent"},
	{from: []string{"*"}, but: []string{"cmd/oathctl-watch"}, imports: []string{"charm.land/*", "github.com/charmbracelet/*"},
		why: "a user interface costs whoever links it a millisecond at each start"},
	{from: []string{"*"}, but: []string{"awsmfa"}, imports: []string{"github.com/aws/*"}, tests: true,
		why: "the SDK reaches out to the network and costs whoever links it milliseconds: only what oathctl-aws is made of may have it"},
	{from: []string{"*"}, but: []string{"cmd/oathctl-aws"}, imports: []string{"awsmfa"},
		why: "the daemon has no network, and oathctl starts in a millisecond"},
	{from: []string{"*"}, but: testSupport, imports: append([]string{"testing", "testing/*"}, testSupport...),
		why: "what tests need does not belong into a program"},
	{from: []string{"*"}, imports: []string{"math/rand", "math/rand/v2"},
		why: "what is drawn here is a salt, a challenge or a name that must not be guessed: crypto/rand"},
}

// bans wants no package to import what a ban names.
func bans(h tree) []string {
	var complaints []string
	h.eachImport(func(f source, imported string) {
		for _, b := range banned {
			if f.test && !b.tests || !matches(b.from, f.pkg) || matches(b.but, f.pkg) || !b.forbids(imported) {
				continue
			}
			complaints = append(complaints, fmt.Sprintf("%s imports %s: %s", f.name, imported, b.why))
		}
	})
	return complaints
}

func (b ban) forbids(imported string) bool {
	ours, isOurs := strings.CutPrefix(imported, module)
	foreign := !isOurs && strings.Contains(strings.Split(imported, "/")[0], ".")
	return matches(b.imports, ours) || foreign && slices.Contains(b.imports, "+")
}

// matches reports whether one of the patterns is name, "*", or "dir/*" with name below dir.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, isDir := strings.CutSuffix(p, "*")
		return p == name || isDir && strings.HasPrefix(name, below)
	})
}

func (h tree) eachImport(visit func(f source, imported string)) {
	for _, f := range h.files {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil {
				visit(f, imported)
			}
		}
	}
}

// TestClientIsLight looks at all that the client's programs link, not only at what they import themselves.
func TestClientIsLight(t *testing.T) {
	heavy := []string{
		module + "agent", module + "ledger", module + "config", module + "hw*", module + "ipc/socket",
		"github.com/ebfe/scard", "github.com/spf13/viper", "modernc.org/*", "database/sql", "C", "runtime/cgo",
	}
	for _, program := range load(t, "../..").packages() {
		if !strings.HasPrefix(program, "cmd/oathctl") {
			continue
		}
		for _, linked := range dependencies(t, "../..", program) {
			if matches(heavy, linked) {
				t.Errorf("%s links %s: it must start in a millisecond and run where libpcsclite is absent", program, linked)
			}
		}
	}
}

// dependencies lists the import paths of all packages that a program of ours links without cgo.
func dependencies(t *testing.T, root, program string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath", "./"+program)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", program, err)
	}
	var paths []string
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return paths
		} else if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p.ImportPath)
	}
}

func TestLevelsCanFail(t *testing.T) {
	breaks(t, levels, map[string]string{
		"oath/a.go":         `package oath`,
		"oath/otpauth/a.go": `package otpauth; import _ "github.com/oathd/oathd/oath"`,
		"hw/a.go":           `package hw; import _ "github.com/oathd/oathd/hw/tlv"`,
	})
	breaks(t, levels, map[string]string{
		"oath/a.go":       `package oath; import _ "github.com/oathd/oathd/agent"`,
		"hw/mgmt/a.go":    `package mgmt; import _ "github.com/oathd/oathd/hw/ykoath"`,
		"hw/tlv/a.go":     `package tlv; import _ "github.com/oathd/oathd/hw"`,
		"hw/annex/a.go":   `package annex`,
		"agent/a_test.go": `package agent; import _ "github.com/oathd/oathd/cmd/oathd"`,
	}, "oath/a.go imports agent", "mgmt/a.go imports hw/ykoath", "tlv/a.go imports hw:", "hw/annex has no level")
}

func TestBansCanFail(t *testing.T) {
	breaks(t, bans, map[string]string{
		"hw/pcsc/a.go":    `package pcsc; import _ "github.com/ebfe/scard"`,
		"ipc/client/a.go": `package client; import (_ "net/http"; _ "github.com/oathd/oathd/ipc/api")`,
		"agent/a_test.go": `package agent; import (_ "testing"; _ "github.com/oathd/oathd/hw/softkey")`,
	})
	breaks(t, bans, map[string]string{
		"oath/a.go":         `package oath; import _ "golang.org/x/crypto/pbkdf2"`,
		"agent/a_test.go":   `package agent; import _ "github.com/ebfe/scard"`,
		"agent/a.go":        `package agent; import (_ "github.com/oathd/oathd/hw/pcsc"; _ "net/http")`,
		"ipc/client/a.go":   `package client; import _ "github.com/oathd/oathd/agent"`,
		"cmd/oathctl/a.go":  `package main; import (_ "github.com/oathd/oathd/hw/tlv"; _ "github.com/spf13/viper")`,
		"ipc/socket/a.go":   `package socket; import _ "math/rand/v2"`,
		"ledger/testing.go": `package ledger; import _ "testing"`,
	}, "oath/a.go imports golang.org/x/crypto/pbkdf2: it can be", "agent/a_test.go imports github.com/ebfe/scard: libpcsclite",
		"agent/a.go imports "+module+"hw/pcsc: the core", "agent/a.go imports net/http: the core", "client/a.go imports "+module+"agent: other programs",
		"oathctl/a.go imports "+module+"hw/tlv: the client", "oathctl/a.go imports github.com/spf13/viper: settings",
		"socket/a.go imports math/rand/v2: what is drawn", "ledger/testing.go imports testing: what tests need")
}

func TestDependenciesSeesThrough(t *testing.T) {
	if deps := dependencies(t, "../..", "cmd/oathd"); !slices.Contains(deps, module+"agent") || !slices.Contains(deps, "database/sql") {
		t.Errorf("the daemon links the agent and, through the ledger, database/sql; found %q", deps)
	}
}
