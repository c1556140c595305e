package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// errorCodes are all constants of type ErrorCode in error.go.
func errorCodes(t *testing.T) (codes []ErrorCode) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "ErrorCode" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, ErrorCode(value))
		}
		return true
	})
	return codes
}

// TestBusErrors holds the names against the D-Bus specification ("Error names"): elements of letters, digits and
// underscores, 255 bytes at most.
func TestBusErrors(t *testing.T) {
	valid := regexp.MustCompile(`^org\.oathd\.Oathd1\.Error\.[A-Z][A-Za-z]+$`)
	seen := map[string]ErrorCode{}
	codes := errorCodes(t)
	if len(codes) < 20 {
		t.Fatalf("found only %d codes", len(codes))
	}
	for _, code := range codes {
		name := BusError(code)
		if !valid.MatchString(name) || len(name) > 255 {
			t.Errorf("%s: %q is no name of an error", code, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s are both %s", code, other, name)
		}
		seen[name] = code
	}
	for code, want := range map[ErrorCode]string{
		CodeKeyAbsent: "org.oathd.Oathd1.Error.KeyAbsent", CodeFull: "org.oathd.Oathd1.Error.Full", CodeNoPCSC: "org.oathd.Oathd1.Error.NoPcsc",
	} {
		if got := BusError(code); got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
}

func TestBusPaths(t *testing.T) {
	if got, want := BusKeyPath("abcdefg234"), "/org/oathd/Oathd1/keys/abcdefg234"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := BusAccountPath("zzzzzzz777"), "/org/oathd/Oathd1/accounts/zzzzzzz777"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, id := range []string{
		"", "abcdefg23", "abcdefg2345", "ABCDEFG234", "abcdefg 34", "abcdefg_34", "abcdefg189", "../../abcd", "abcdefg2/4",
		"abcdefg2\x00", "äbcdefg23", "\u202eabcdefg", strings.Repeat("é", 5), "\xff\xfeabcdefgh",
	} {
		if path := BusKeyPath(id); path != "" || IsID(id) {
			t.Errorf("%q became %q", id, path)
		}
	}
}
