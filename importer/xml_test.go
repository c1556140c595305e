package importer

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// ownXML writes down all tokens of a document.
func ownXML(data []byte) (string, error) {
	in := &input{data: data}
	defer in.wipe()
	var b strings.Builder
	for r := in.xml(); ; {
		token, err := r.token()
		switch {
		case errors.Is(err, io.EOF):
			return b.String(), nil
		case err != nil:
			return "", err
		case token.begin != nil:
			fmt.Fprintf(&b, "<%s %q %q>", token.begin.name, token.begin.attribute("name"), token.begin.attribute("Id"))
		case token.text != nil:
			from := len(r.texts)
			if err := r.add(token); err != nil {
				return "", err
			}
			if len(r.open) > 0 {
				b.Write(r.texts[from:])
			}
		default:
			b.WriteString("</>")
		}
	}
}

// otherXML does the same with encoding/xml.
func otherXML(data []byte) (string, error) {
	var b strings.Builder
	depth := 0
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		switch t := token.(type) {
		case nil:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), err
		case xml.StartElement:
			values := map[string]string{}
			for _, a := range t.Attr {
				if _, twice := values[a.Name.Local]; !twice && a.Name.Space == "" {
					values[a.Name.Local] = a.Value
				}
			}
			depth++
			fmt.Fprintf(&b, "<%s %q %q>", t.Name.Local, values["name"], values["Id"])
		case xml.EndElement:
			depth--
			b.WriteString("</>")
		case xml.CharData:
			if depth > 0 {
				b.Write(t)
			}
		case xml.Directive:
			return "", errors.New("a document type")
		}
	}
}

func TestXMLAgreesWithAnother(t *testing.T) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	texts := []string{
		`<a name = "x>'&lt;" Id='"&#65;'/>`, "<a><![CDATA[<b>&amp;]]>c</a>", "<a>&#x1F600;&#65;&quot;&apos;&gt;</a>", "<?xml version='1.0'?>\n<!-- <b> --><a><!-- - --></a>\n",
		"<p:a p:name='x' name='y'><q:b/></p:a>", "<a ></a >",
	}
	for _, file := range files {
		texts = append(texts, string(fixture(t, filepath.Base(file))))
	}
	for _, text := range texts {
		own, err := ownXML([]byte(text))
		other, otherErr := otherXML([]byte(text))
		if err != nil || otherErr != nil || own != other {
			t.Errorf("%.80q:\n%s, %v\nencoding/xml has\n%s, %v", text, own, err, other, otherErr)
		}
	}
}

func TestXMLThatIsNone(t *testing.T) {
	for _, text := range []string{
		"<", "<>", "< a/>", "<a", "<a/", "<a x='", "<a>", "<a></b>", "<a></a", "</a>", "<a/></a>", "<a>SECRET", "SECRET<a/>", "<a/>SECRET", "<a>&SECRET;</a>", "<a>&amp</a>",
		"<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&65;</a>", "<a>&#;</a>", "<!DOCTYPE a [<!ENTITY SECRET 'x'>]><a/>", "<?xml", "<!-- ", "<a><![CDATA[SECRET</a>", "<a>&#99999999999;</a>",
	} {
		got, err := ownXML([]byte(text))
		if err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "cut off, or no XML (line 1)") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := ownXML([]byte(strings.Repeat("<a>", maxElements+1))); !errors.Is(err, ErrLimit) {
		t.Errorf("deep XML: %v", err)
	}
	if _, err := ownXML([]byte("<a>\n<b>\n</a>")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Error(err)
	}
}

func TestPreferences(t *testing.T) {
	in := &input{data: []byte(`<?xml version='1.0' encoding='utf-16' standalone='yes' ?>
<map><int name="no" value="1" /><string name="a">x &lt;&#65;<!-- no -->y</string><string name="b"/></map>`)}
	defer in.wipe()
	list, err := in.preferences()
	if err != nil || len(list) != 2 || list[0].name != "a" || string(list[0].text) != "x <Ay" || list[1].name != "b" || len(list[1].text) != 0 {
		t.Errorf("%q, %v", list, err)
	}
	for _, text := range []string{"<map><string>SECRET<b/></string></map>", "<map><string>SECRET&x;</string></map>", "<map><string>SECRET"} {
		in := &input{data: []byte(text)}
		if list, err := in.preferences(); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %q, %v", text, list, err)
		}
		in.wipe()
	}
}

// FuzzXML wants whatever both read to be the same.
func FuzzXML(f *testing.F) {
	for _, text := range []string{"<a b='c'>d&amp;<!-- e --><f/><![CDATA[g]]></a>", "<?xml version='1.0'?><p:a Id=\"1\">&#65;</p:a>"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		own, err := ownXML(data)
		other, otherErr := otherXML(data)
		// Line ends are not brought into one form, and what is no UTF-8 is left to whoever reads it.
		if err == nil && otherErr == nil && own != other && !bytes.ContainsRune(data, '\r') {
			t.Errorf("%q\nencoding/xml has\n%q", own, other)
		}
	})
}
