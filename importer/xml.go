package importer

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/oathd/oathd/oath"
)

// maxElements is how deep an export's XML may be nested: KeePass nests groups as deep as people do.
const maxElements = 256

// xmlReader reads XML element by element. Texts go into one locked buffer; attributes become strings.
type xmlReader struct {
	decoder *xml.Decoder
	depth   int
	// texts has room for the whole document, and texts are never longer than what is written.
	texts []byte
}

func (in *input) xml() *xmlReader {
	decoder := xml.NewDecoder(bytes.NewReader(in.data))
	// The text has been rewritten in UTF-8, whatever its declaration says.
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return &xmlReader{decoder: decoder, texts: in.own(oath.NewSecret(len(in.data)))[:0]}
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
func (r *xmlReader) next() (*xml.StartElement, error) {
	for {
		switch token, err := r.token(); t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case nil:
			return nil, err
		}
	}
}

func (r *xmlReader) token() (xml.Token, error) {
	token, err := r.decoder.Token()
	switch token.(type) {
	case xml.StartElement:
		r.depth++
	case xml.EndElement:
		r.depth--
	}
	if r.depth > maxElements {
		return nil, fmt.Errorf("%w: XML that is nested deeper than %d", ErrLimit, maxElements)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		// The decoder's own error could quote the text.
		line, _ := r.decoder.InputPos()
		return nil, fmt.Errorf("it is cut off, or no XML (line %d)", line)
	}
	return token, err
}

// text returns the text up to the end of the element that has just begun, which has no elements in it.
func (r *xmlReader) text() ([]byte, error) {
	from := len(r.texts)
	for {
		token, err := r.token()
		switch t := token.(type) {
		case xml.CharData:
			r.texts = append(r.texts, t...)
		case xml.EndElement:
			return r.texts[from:], nil
		case xml.StartElement:
			return nil, fmt.Errorf("there is an element %s where a text belongs", short(t.Name.Local))
		case nil:
			return nil, err
		}
	}
}

// skip reads to the end of the element that has just begun.
func (r *xmlReader) skip() error {
	for depth := r.depth; r.depth >= depth; {
		if _, err := r.token(); err != nil {
			return err
		}
	}
	return nil
}

// attribute returns what the element says of name.
func attribute(e *xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
