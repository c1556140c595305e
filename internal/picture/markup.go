package picture

import "strings"

// markup writes elements, so that every name and every text in it is escaped in one place and every element is closed.
// What it writes is XML, and HTML as well.
type markup struct{ b strings.Builder }

// escape serves texts and attributes. Quotes matter in attributes only.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// in writes an element; attributes are pairs of names and values, of which those without a value are left out.
func (m *markup) in(name string, attributes []string, content func()) {
	m.open(name, attributes)
	m.b.WriteByte('>')
	content()
	m.b.WriteString("</" + name + ">")
}

func (m *markup) open(name string, attributes []string) {
	m.b.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			m.b.WriteString(" " + attributes[i] + `="` + escape.Replace(clean(attributes[i+1])) + `"`)
		}
	}
}

// el writes an element with a text.
func (m *markup) el(name, text string, attributes ...string) {
	m.in(name, attributes, func() { m.text(text) })
}

// void writes an element that has no content: of HTML only those that never have any.
func (m *markup) void(name string, attributes ...string) {
	m.open(name, attributes)
	m.b.WriteString("/>")
}

func (m *markup) text(s string) { m.b.WriteString(escape.Replace(clean(s))) }

// line ends a line, for those who read the source.
func (m *markup) line() { m.b.WriteByte('\n') }

// raw writes what is constant: our own style sheets.
func (m *markup) raw(s string) { m.b.WriteString(s) }
