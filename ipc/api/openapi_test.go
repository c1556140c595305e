package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the schemas into openapi.yaml")

const (
	openapi = "openapi.yaml"
	// schemasBegin is the last line that people write in openapi.yaml.
	schemasBegin = "  # What follows is written by \"go test ./ipc/api -update\", from the types of this package and their comments.\n  schemas:\n"
)

// TestSchemas holds the schemas of openapi.yaml against the types: each type that a route names, and each that such a type has in
// it, with every field, its JSON type, and whether it is always there.
func TestSchemas(t *testing.T) {
	text, err := os.ReadFile(openapi)
	if err != nil {
		t.Fatal(err)
	}
	written, schemas, found := strings.Cut(string(text), schemasBegin)
	if !found {
		t.Fatalf("%s has no place for the schemas: the line\n%s", openapi, schemasBegin)
	}
	want := load(t).schemas(references(written))
	if *update {
		if err := os.WriteFile(openapi, []byte(written+schemasBegin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if schemas != want {
		t.Errorf("%s does not describe the types as they are; run go test ./ipc/api -update. It should end:\n%s", openapi, firstDifference(schemas, want))
	}
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is\n%s\nand should be\n%s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("it has %d lines and should have %d", len(g), len(w))
}

var reference = regexp.MustCompile(`#/components/schemas/(\w+)`)

// references are the names of the schemas that a text refers to.
func references(text string) []string {
	var names []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// source is this package as it is written: its types by name, and the values of its named strings by type.
type source struct {
	types  map[string]declared
	values map[string][]value
}

type declared struct {
	comment string
	expr    ast.Expr
}

type value struct{ text, comment string }

func load(t *testing.T) source {
	t.Helper()
	s := source{types: map[string]declared{}, values: map[string][]value{}}
	fset := token.NewFileSet()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				s.declare(g)
			}
		}
	}
	return s
}

func (s source) declare(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.types[spec.Name.Name] = declared{phrase(spec.Doc, g.Doc), spec.Type}
		case *ast.ValueSpec:
			if kind, ok := spec.Type.(*ast.Ident); ok && g.Tok == token.CONST {
				text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				s.values[kind.Name] = append(s.values[kind.Name], value{text, phrase(spec.Doc, spec.Comment)})
			}
		}
	}
}

// phrase is the first comment of those that are there, in one line.
func phrase(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			return text
		}
	}
	return ""
}

// schemas writes the schema of each of the names, and of what they refer to.
func (s source) schemas(names []string) string {
	done := map[string]string{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if _, twice := done[name]; !twice {
			done[name] = s.schema(name)
			names = append(names, references(done[name])...)
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(done)) {
		b.WriteString(done[name])
	}
	return b.String()
}

func (s source) schema(name string) string {
	var b bytes.Buffer
	d := s.types[name]
	fmt.Fprintf(&b, "    %s:\n      description: %s\n", name, quote(d.comment))
	switch expr := d.expr.(type) {
	case *ast.StructType:
		s.object(&b, name, expr)
	case *ast.Ident:
		s.enum(&b, name)
	default:
		fmt.Fprintf(&b, "      not: {} # there is no such type\n")
	}
	return b.String()
}

// enum lists the values of a named string. More may come within a version.
func (s source) enum(b *bytes.Buffer, name string) {
	fmt.Fprintf(b, "      type: string\n      enum:\n")
	for _, v := range s.values[name] {
		fmt.Fprintf(b, "        - %s", v.text)
		if v.comment != "" {
			fmt.Fprintf(b, " # %s", v.comment)
		}
		b.WriteByte('\n')
	}
}

// object lists the fields of a struct. Those that are left out when they are empty are not required. What a request may
// not have is an error; what an answer may have grows.
func (s source) object(b *bytes.Buffer, name string, st *ast.StructType) {
	var required []string
	var properties bytes.Buffer
	for _, f := range st.Fields.List {
		for range f.Names {
			field, always := tag(f)
			if always {
				required = append(required, field)
			}
			fmt.Fprintf(&properties, "        %s:\n", field)
			if comment := phrase(f.Doc, f.Comment); comment != "" {
				fmt.Fprintf(&properties, "          description: %s\n", quote(comment))
			}
			fmt.Fprintf(&properties, "%s", indent(jsonType(f.Type), "          "))
		}
	}
	b.WriteString("      type: object\n")
	if required != nil && !request(name) {
		fmt.Fprintf(b, "      required: [%s]\n", strings.Join(required, ", "))
	}
	if request(name) {
		b.WriteString("      additionalProperties: false\n")
	}
	if properties.Len() > 0 {
		b.WriteString("      properties:\n" + properties.String())
	}
}

// request reports whether clients make it; then what is left out is empty, and what is unknown an error.
func request(name string) bool {
	return strings.HasSuffix(name, "Request") || name == "NewAccount" || name == "Opener"
}

// tag is a field's name in JSON, and whether it is there although it is empty.
func tag(f *ast.Field) (name string, always bool) {
	text, _ := strconv.Unquote(f.Tag.Value)
	name, rest, _ := strings.Cut(reflect.StructTag(text).Get("json"), ",")
	return name, !strings.Contains(rest, "omit")
}

// jsonType is the schema of what a Go type is in JSON.
func jsonType(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return jsonType(t.X)
	case *ast.ArrayType:
		return "type: array\nitems:\n" + indent(jsonType(t.Elt), "  ")
	case *ast.SelectorExpr:
		return "type: string\nformat: date-time\n" // time.Time is the only one
	case *ast.Ident:
		if plain, ok := plainTypes[t.Name]; ok {
			return plain
		}
		return fmt.Sprintf("$ref: %q\n", "#/components/schemas/"+t.Name)
	}
	return "not: {} # no JSON type is known for it\n"
}

var plainTypes = map[string]string{
	"string": "type: string\n",
	"bool":   "type: boolean\n",
	"int":    "type: integer\n",
	"int64":  "type: integer\n",
	"uint32": "type: integer\nminimum: 0\nmaximum: 4294967295\n",
	"uint64": "type: integer\nminimum: 0\n",
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}

// quote makes a YAML string of a text: one of JSON is one.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return strings.TrimSpace(b.String())
}

// TestSchemasSeeTheTypes keeps the source's reader honest: what it makes of a type is what encoding/json makes of it.
func TestSchemasSeeTheTypes(t *testing.T) {
	s := load(t)
	for name, v := range map[string]any{
		"Code": Code{}, "Key": Key{}, "Account": Account{}, "Event": Event{}, "Line": Line{}, "Error": Error{}, "Escrow": Escrow{}, "Status": Status{},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		schema := s.schema(name)
		want := ""
		if len(fields) > 0 {
			var always []string
			for _, f := range s.types[name].expr.(*ast.StructType).Fields.List {
				if field, ok := tag(f); ok {
					always = append(always, field)
				}
			}
			want = "required: [" + strings.Join(always, ", ") + "]"
			if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, slices.Sorted(slices.Values(always))) {
				t.Errorf("%s: JSON always has %v, the schema %v", name, got, always)
			}
		}
		if !strings.Contains(schema, want) || strings.Contains(schema, "not: {}") {
			t.Errorf("%s: %s", name, schema)
		}
		if fields := strings.Count(schema, "\n        ") - strings.Count(schema, "\n         "); fields != reflect.TypeOf(v).NumField() {
			t.Errorf("%s has %d fields, its schema %d", name, reflect.TypeOf(v).NumField(), fields)
		}
	}
	if schema := s.schema("Nonsense"); !strings.Contains(schema, "there is no such type") {
		t.Errorf("a type that is not there: %s", schema)
	}
}
