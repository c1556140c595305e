package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/oathd/oathd/oath"
)

// maxElements is how deep an export's XML may be nested: KeePass nests groups as deep as people do.
const maxElements = 256

// xmlReader reads as much of XML as exports use: elements, attributes, texts, CDATA, comments, no document type. Unlike
// encoding/xml it leaves no copies of texts behind.
type xmlReader struct {
	data, rest []byte
	// open are the names of the elements that have not ended.
	open []string
	// closed is true after an element that ends where it begins: <a/>.
	closed bool
	// texts has room for the whole document, and texts are never longer than they are written.
	texts []byte
}

// xmlElement is the beginning of an element.
type xmlElement struct {
	name string
	// attributes are as they are written.
	attributes []byte
}

// xmlToken is what stands next: the beginning of an element, a text, or, if neither, an element's end.
type xmlToken struct {
	begin *xmlElement
	text  []byte
	// plain is true for CDATA, in which nothing is escaped.
	plain bool
}

func (in *input) xml() *xmlReader {
	return &xmlReader{data: in.data, rest: in.data, texts: in.own(oath.NewSecret(len(in.data)))[:0]}
}

// opensXML reports whether the data begins as XML whose first 64 kB hold all these texts.
func (in *input) opensXML(texts ...string) bool {
	if !in.opens("<") {
		return false
	}
	for _, text := range texts {
		if !in.has(text) {
			return false
		}
	}
	return true
}

// next returns where the next element begins, or nil where the one ends that it is in. At the end of the document the
// error is io.EOF.
func (r *xmlReader) next() (*xmlElement, error) {
	for {
		token, err := r.token()
		if err != nil || token.text == nil {
			return token.begin, err
		}
	}
}

// text returns the text up to the end of the element that has just begun, which has no elements in it.
func (r *xmlReader) text() ([]byte, error) {
	from := len(r.texts)
	for {
		token, err := r.token()
		switch {
		case err != nil:
			return nil, err
		case token.begin != nil:
			return nil, fmt.Errorf("there is an element %s where a text belongs", short(token.begin.name))
		case token.text == nil:
			return r.texts[from:], nil
		}
		if err := r.add(token); err != nil {
			return nil, err
		}
	}
}

// add appends to texts what the token's text stands for.
func (r *xmlReader) add(token xmlToken) (err error) {
	if token.plain {
		r.texts = append(r.texts, token.text...)
		return nil
	}
	if r.texts, err = unescapeXML(r.texts, token.text); err != nil {
		return r.wrong()
	}
	return nil
}

// skip reads to the end of the element that has just begun.
func (r *xmlReader) skip() error {
	for depth := len(r.open); len(r.open) >= depth; {
		if _, err := r.token(); err != nil {
			return err
		}
	}
	return nil
}

// wrong says where the text is no XML, but quotes nothing of it.
func (r *xmlReader) wrong() error {
	line := 1 + bytes.Count(r.data[:len(r.data)-len(r.rest)], []byte("\n"))
	return fmt.Errorf("it is cut off, or no XML (line %d)", line)
}

func (r *xmlReader) token() (xmlToken, error) {
	for {
		switch {
		case r.closed:
			r.closed = false
			return xmlToken{}, r.end(r.open[len(r.open)-1])
		case len(r.rest) == 0 && len(r.open) == 0:
			return xmlToken{}, io.EOF
		case bytes.HasPrefix(r.rest, []byte("<?")):
			if _, err := r.until("?>"); err != nil {
				return xmlToken{}, err
			}
		case bytes.HasPrefix(r.rest, []byte("<!--")):
			if _, err := r.until("-->"); err != nil {
				return xmlToken{}, err
			}
		case bytes.HasPrefix(r.rest, []byte(cdata)):
			text, err := r.until("]]>")
			return xmlToken{text: text[min(len(text), len(cdata)):], plain: true}, err
		case bytes.HasPrefix(r.rest, []byte("</")):
			name, err := r.until(">")
			if err != nil {
				return xmlToken{}, err
			}
			return xmlToken{}, r.end(string(bytes.TrimSpace(name[len("</"):])))
		case bytes.HasPrefix(r.rest, []byte("<")):
			begin, err := r.begin()
			return xmlToken{begin: begin}, err
		default:
			return r.characters()
		}
	}
}

const cdata = "<![CDATA["

// until returns what is before mark, and goes on behind it.
func (r *xmlReader) until(mark string) ([]byte, error) {
	before, after, found := bytes.Cut(r.rest, []byte(mark))
	if !found {
		return nil, r.wrong()
	}
	r.rest = after
	return before, nil
}

// characters returns a text, which some element has to be around unless it is blank.
func (r *xmlReader) characters() (xmlToken, error) {
	n := bytes.IndexByte(r.rest, '<')
	if n < 0 {
		n = len(r.rest)
	}
	text := r.rest[:n]
	if len(r.open) == 0 && len(bytes.TrimSpace(text)) > 0 || n == len(r.rest) && len(r.open) > 0 {
		return xmlToken{}, r.wrong()
	}
	r.rest = r.rest[n:]
	return xmlToken{text: text}, nil
}

func (r *xmlReader) end(name string) error {
	last := len(r.open) - 1
	if last < 0 || r.open[last] != name {
		return r.wrong()
	}
	r.open = r.open[:last]
	return nil
}

func (r *xmlReader) begin() (*xmlElement, error) {
	n := tagLen(r.rest)
	if n == 0 {
		return nil, r.wrong()
	}
	inside := r.rest[1 : n-1]
	inside, r.closed = bytes.CutSuffix(inside, []byte("/"))
	at := bytes.IndexAny(inside, " \t\r\n")
	if at < 0 {
		at = len(inside)
	}
	name := string(inside[:at])
	if name == "" || strings.ContainsAny(name, "<!&\"'=/") {
		return nil, r.wrong()
	}
	if r.open = append(r.open, name); len(r.open) > maxElements {
		return nil, fmt.Errorf("%w: XML that is nested deeper than %d", ErrLimit, maxElements)
	}
	r.rest = r.rest[n:]
	return &xmlElement{name[strings.IndexByte(name, ':')+1:], inside[at:]}, nil
}

// tagLen is the length of the tag with which text begins; 0 if it does not end. A '>' in quotation marks is part of it.
func tagLen(text []byte) int {
	quote := byte(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return 0
}

// attribute returns what the element says of name; "" if that is nothing, or cannot be read.
func (e *xmlElement) attribute(name string) string {
	for rest := e.attributes; ; {
		key, after, found := bytes.Cut(rest, []byte("="))
		after = bytes.TrimLeft(after, " \t\r\n")
		if !found || len(after) == 0 {
			return ""
		}
		value, behind, found := bytes.Cut(after[1:], after[:1])
		if !found {
			return ""
		}
		if string(bytes.TrimSpace(key)) == name {
			text, _ := unescapeXML(nil, value)
			return string(text)
		}
		rest = behind
	}
}

var xmlEntities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "quot": `"`, "apos": "'"}

var errEntity = errors.New("an entity that is not known")

// unescapeXML appends what text stands for.
func unescapeXML(dst, text []byte) ([]byte, error) {
	for {
		before, after, found := bytes.Cut(text, []byte("&"))
		if dst = append(dst, before...); !found {
			return dst, nil
		}
		// None is longer than &#1114111;
		n := bytes.IndexByte(after[:min(len(after), 10)], ';')
		if n < 0 {
			return dst, errEntity
		}
		name := string(after[:n])
		if plain, known := xmlEntities[name]; known {
			dst = append(dst, plain...)
		} else if r, ok := xmlRune(name); ok {
			dst = utf8.AppendRune(dst, r)
		} else {
			return dst, errEntity
		}
		text = after[n+1:]
	}
}

// xmlRune reads "#65" or "#x41".
func xmlRune(name string) (rune, bool) {
	digits, base := strings.TrimPrefix(name, "#"), 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	return rune(n), err == nil && strings.HasPrefix(name, "#") && utf8.ValidRune(rune(n))
}
