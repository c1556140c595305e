package socket

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/ipc/api"
)

// described is ipc/api/openapi.yaml, as far as it is held against the routes here; the schemas are in ipc/api.
type described struct {
	Paths      map[string]map[string]yaml.Node
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]struct {
			Statuses map[api.ErrorCode]int `yaml:"x-statuses"`
		}
		Schemas map[string]schema
	}
}

type operation struct {
	ID          string `yaml:"operationId"`
	Summary     string
	Sockets     []string `yaml:"x-sockets"`
	Parameters  []parameter
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Ref     string `yaml:"$ref"`
		Content map[string]struct{ Schema schema }
	}
}

type parameter struct {
	Ref      string `yaml:"$ref"`
	Name, In string
}

type schema struct {
	Ref        string `yaml:"$ref"`
	Properties map[string]schema
	Items      *schema
}

const refusedRef, schemasRef, parametersRef = "#/components/responses/Refused", "#/components/schemas/", "#/components/parameters/"

// document reads the description, and its operations by "METHOD /path".
func document(t *testing.T) (described, map[string]operation) {
	t.Helper()
	text, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d described
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	operations := map[string]operation{}
	for path, item := range d.Paths {
		var shared []parameter
		if node, ok := item["parameters"]; ok {
			decode(t, node, &shared)
			delete(item, "parameters")
		}
		for method, node := range item {
			var o operation
			decode(t, node, &o)
			o.Parameters = append(o.Parameters, shared...)
			for i, p := range o.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, parametersRef); ok {
					o.Parameters[i] = d.Components.Parameters[name]
				}
			}
			operations[strings.ToUpper(method)+" "+path] = o
		}
	}
	return d, operations
}

func decode(t *testing.T, node yaml.Node, into any) {
	t.Helper()
	if err := node.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// in lists the names of the parameters that are in a place.
func (o operation) in(place string) []string {
	var names []string
	for _, p := range o.Parameters {
		if p.In == place {
			names = append(names, p.Name)
		}
	}
	return names
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// TestEveryRouteIsDescribed, and every route that is described is there, at the doors that it says.
func TestEveryRouteIsDescribed(t *testing.T) {
	_, operations := document(t)
	want := map[string][]string{}
	a := new(agent.Agent)
	for _, r := range readings(a, newCodes(a)) {
		want[r.pattern] = []string{"oathd.sock", "codes.sock"}
	}
	for _, r := range append(writings(a), softRoutes(hands{})...) {
		want[r.pattern] = []string{"oathd.sock"}
	}
	ids := map[string]bool{}
	for route, o := range operations {
		pattern := inPath.ReplaceAllString(route, "{name}")
		if doors, ok := want[pattern]; !ok || !slices.Equal(doors, o.Sockets) {
			t.Errorf("%s is described as being at %q; it is at %q", route, o.Sockets, doors)
		}
		delete(want, pattern)
		var elements []string
		for _, m := range inPath.FindAllStringSubmatch(route, -1) {
			elements = append(elements, m[1])
		}
		if !slices.Equal(o.in("path"), elements) {
			t.Errorf("%s describes the parameters %q of its path", route, o.in("path"))
		}
		if o.ID == "" || o.Summary == "" || ids[o.ID] {
			t.Errorf("%s has the operationId %q and the summary %q", route, o.ID, o.Summary)
		}
		ids[o.ID] = true
		if len(o.Responses) != 2 || len(o.Responses["200"].Content) == 0 || o.Responses["default"].Ref != refusedRef {
			t.Errorf("%s describes the answers %q", route, slices.Sorted(maps.Keys(o.Responses)))
		}
	}
	for pattern := range want {
		t.Errorf("%s is not described in ipc/api/openapi.yaml", pattern)
	}
}

func TestEveryErrorIsDescribed(t *testing.T) {
	d, _ := document(t)
	if got := d.Components.Responses["Refused"].Statuses; !maps.Equal(got, statuses) {
		t.Errorf("openapi.yaml has the statuses %v; they are %v", got, statuses)
	}
}

// TestRequestsAreAsDescribed asks every route what it takes, by asking for something else: which parameters, which
// content types, which fields.
func TestRequestsAreAsDescribed(t *testing.T) {
	d, operations := document(t)
	server := New(Options{Agent: new(agent.Agent), Soft: hands{}, Log: quiet.Log, StopTimeout: patience})
	path, l := listenOn(t)
	asked := asker{t, serveOn(t, l, path, server)}
	for route, o := range operations {
		types := slices.Sorted(maps.Keys(o.RequestBody.Content))
		kind := ""
		if len(types) > 0 {
			kind = types[len(types)-1] // with secrets rather than without: it sorts behind JSON
			if refused := asked.refused(route, "", "text/x-unheard", "x"); !strings.Contains(refused.Message, "it must be "+kind) {
				t.Errorf("%s is described to take %s; another content type is refused with %q", route, kind, refused.Message)
			}
		}
		sort := func(names []string) []string { return slices.Sorted(slices.Values(names)) }
		if got, want := asked.known(route, "?unheard=1", kind, "x"), o.in("query"); !slices.Equal(sort(got), sort(want)) {
			t.Errorf("%s takes the parameters %q and describes %q", route, got, want)
		}
		for _, kind := range types {
			if kind == api.RawType {
				continue
			}
			got, want := asked.known(route, "", kind, `{"unheard":1}`+"\n"), d.fields(o.RequestBody.Content[kind].Schema)
			if !slices.Equal(sort(got), sort(want)) {
				t.Errorf("%s takes the fields %q as %s and describes %q", route, got, kind, want)
			}
		}
	}
}

// fields lists the names of a schema's properties, those of nested objects too, as unknownName does.
func (d described) fields(s schema) (names []string) {
	if name, ok := strings.CutPrefix(s.Ref, schemasRef); ok {
		s = d.Components.Schemas[name]
	}
	if s.Items != nil {
		return d.fields(*s.Items)
	}
	for name, property := range s.Properties {
		names = append(append(names, name), d.fields(property)...)
	}
	return names
}

// asker asks routes for what they do not have.
type asker struct {
	t *testing.T
	d *daemon
}

// refused is the error of a request that cannot be meant.
func (a asker) refused(route, query, contentType, body string) *api.Error {
	a.t.Helper()
	method, path, _ := strings.Cut(inPath.ReplaceAllString(route, "1"), " ")
	var header []string
	reader := strings.NewReader("")
	if contentType != "" {
		header, reader = []string{"Content-Type", contentType}, strings.NewReader(body)
	}
	status, answer := a.d.do(method, path+query, reader, header...)
	if e := refusal(a.t, answer); status == 400 {
		return e
	}
	a.t.Fatalf("%s%s is answered %d %s", route, query, status, answer)
	return nil
}

var knownHere = regexp.MustCompile(`known here: (.*)$`)

// known are the names that the route says it knows.
func (a asker) known(route, query, contentType, body string) []string {
	a.t.Helper()
	hint := a.refused(route, query, contentType, body).Hint
	m := knownHere.FindStringSubmatch(hint)
	if m == nil {
		a.t.Fatalf("%s%s does not say what it knows: %q", route, query, hint)
	}
	if m[1] == "none" {
		return nil
	}
	return strings.Split(m[1], ", ")
}

// TestDescriptionRefersToWhatIsThere follows every reference.
func TestDescriptionRefersToWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	followed := 0
	for _, m := range regexp.MustCompile(`\$ref: "#/([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		followed++
		var at any = all
		for element := range strings.SplitSeq(m[1], "/") {
			object, _ := at.(map[string]any)
			at = object[element]
		}
		if at == nil {
			t.Errorf("there is no %s", m[1])
		}
	}
	if refs := strings.Count(string(text), "$ref"); followed != refs || refs == 0 {
		t.Errorf("%d of %d references followed", followed, refs)
	}
}

// Programs that write clients make a file of each component, whatever its kind; on some systems account and Account are one.
func TestComponentsOfDifferentNames(t *testing.T) {
	text, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Components map[string]map[string]yaml.Node `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for kind, components := range d.Components {
		for name := range components {
			there, taken := seen[strings.ToLower(name)]
			if taken {
				t.Errorf("%s/%s is called as %s", kind, name, there)
			}
			seen[strings.ToLower(name)] = kind + "/" + name
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d components were seen", len(seen))
	}
}
