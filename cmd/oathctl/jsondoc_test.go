package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

var update = flag.Bool("update", false, "write the tables of docs/json.md anew")

const (
	jsonDocument = "../../docs/json.md"
	// tables is where the part of the document begins that is made of the types.
	tables = "<!-- made of the types: go test ./cmd/oathctl -run JSON -update -->\n"
)

// TestJSONDocument holds docs/json.md against the types that are printed.
func TestJSONDocument(t *testing.T) {
	text, err := os.ReadFile(jsonDocument)
	if err != nil {
		t.Fatal(err)
	}
	prose, _, found := strings.Cut(string(text), tables)
	if !found {
		t.Fatalf("%s has no line %s", jsonDocument, tables)
	}
	want := prose + tables + newReference(t).write()
	if want == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(jsonDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the types say: go test ./cmd/oathctl -run JSON -update", jsonDocument)
}

// reference is what the source says of the types.
type reference struct {
	t *testing.T
	// types and fields are comments, by "Type" and "Type.Field"; values are the constants of a type, in order.
	types, fields map[string]string
	values        map[string][]value
	// kinds are the types that have a description of their own.
	kinds []reflect.Type
}

type value struct{ name, text, about string }

func newReference(t *testing.T) *reference {
	t.Helper()
	r := &reference{t: t, types: map[string]string{}, fields: map[string]string{}, values: map[string][]value{}}
	for _, pattern := range []string{"../../ipc/api/*.go", "../../internal/kin/aws.go", "../../internal/kin/doctor.go", "documents.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || files == nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			r.read(file)
		}
	}
	return r
}

func (r *reference) read(file string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		d, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				r.readType(spec, cmp.Or(spec.Doc.Text(), d.Doc.Text()))
			case *ast.ValueSpec:
				r.readValue(spec)
			}
		}
	}
}

func (r *reference) readType(spec *ast.TypeSpec, about string) {
	name := spec.Name.Name
	r.types[name] = about
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range fields.Fields.List {
		for _, n := range field.Names {
			r.fields[name+"."+n.Name] = cmp.Or(field.Doc.Text(), field.Comment.Text())
		}
	}
}

// readValue keeps a constant of a named string type.
func (r *reference) readValue(spec *ast.ValueSpec) {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok || len(spec.Values) != 1 {
		return
	}
	if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		r.values[kind.Name] = append(r.values[kind.Name], value{spec.Names[0].Name, text, cmp.Or(spec.Comment.Text(), spec.Doc.Text())})
	}
}

// write writes which verb prints what, then each document, then what is in them.
func (r *reference) write() string {
	var b strings.Builder
	b.WriteString("\n## Which verb prints what\n\n| verb | document |\n|---|---|\n")
	for _, verb := range slices.Sorted(maps.Keys(printed)) {
		var kinds []string
		for _, document := range printed[verb] {
			kinds = append(kinds, r.kind(reflect.TypeOf(document)))
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", verb, strings.Join(kinds, " or "))
	}
	b.WriteString("\n## The documents, and what is in them\n\nA field that is *optional* is missing where it would be empty, zero or false.\n")
	r.kind(reflect.TypeFor[api.ErrorBody]())
	for i := 0; i < len(r.kinds); i++ {
		r.fieldsOf(r.kinds[i]) // which finds more
	}
	slices.SortFunc(r.kinds, func(x, y reflect.Type) int { return cmp.Compare(x.Name(), y.Name()) })
	for _, t := range r.kinds {
		r.describe(&b, t)
	}
	return b.String()
}

// kind says what a Go type is in JSON, and notes the types that need a description of their own.
func (r *reference) kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t.Kind() == reflect.Pointer:
		return r.kind(t.Elem())
	case t.Kind() == reflect.Slice:
		return "list of " + r.kind(t.Elem())
	case t.Kind() == reflect.Struct, t.Kind() == reflect.String && len(r.values[t.Name()]) > 0:
		if !slices.Contains(r.kinds, t) {
			r.kinds = append(r.kinds, t)
		}
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "number"
	}
	r.t.Fatalf("docs/json.md has no word for a %v", t)
	return ""
}

// fieldsOf are the rows of a document's table.
func (r *reference) fieldsOf(t reflect.Type) (rows []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			r.t.Errorf("%s.%s has no name in JSON", t.Name(), f.Name)
		}
		kind := r.kind(f.Type)
		if strings.HasPrefix(options, "omit") {
			kind += ", optional"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", name, kind, r.plain(t, r.fields[t.Name()+"."+f.Name])))
	}
	return rows
}

// describe writes the description of a type.
func (r *reference) describe(b *strings.Builder, t reflect.Type) {
	about := r.types[t.Name()]
	if about == "" {
		r.t.Errorf("%s has no comment", t.Name())
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", t.Name(), r.plain(t, about))
	if t.Kind() == reflect.String {
		b.WriteString("| value | |\n|---|---|\n")
		for _, v := range r.values[t.Name()] {
			fmt.Fprintf(b, "| `%s` | %s |\n", v.text, r.plain(t, v.about))
		}
		return
	}
	fmt.Fprintf(b, "| field | is | |\n|---|---|---|\n%s\n", strings.Join(r.fieldsOf(t), "\n"))
}

// plain makes a comment fit for people who know no Go: what it calls by the names of the source is called as in JSON.
func (r *reference) plain(t reflect.Type, about string) string {
	names := map[string]string{}
	for _, v := range r.values[t.Name()] {
		names[v.name] = "`" + v.text + "`"
	}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			names[t.Field(i).Name] = "`" + name + "`"
		}
	}
	delete(names, t.Name())
	words := strings.Fields(strings.ReplaceAll(about, "|", `\|`))
	for i, word := range words {
		bare := strings.TrimRight(word, ".,:;")
		if name, ok := names[bare]; ok {
			words[i] = name + word[len(bare):]
		}
	}
	return strings.Join(words, " ")
}
