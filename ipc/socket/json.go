package socket

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/oathd/oathd/internal/nearest"
	"github.com/oathd/oathd/ipc/api"
)

// unmarshal reads exactly one JSON object into v. A field that v does not have is an error: a setting that
// is misspelt must not silently become its default.
func unmarshal(b []byte, v any) error {
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		err := badRequest("its body is not a JSON object")
		err.Hint = "known fields: " + list(fields(reflect.TypeOf(v)))
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonError(err, reflect.TypeOf(v))
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("something follows the JSON object")
	}
	return nil
}

// jsonError says what is wrong with a document that was to become a t.
func jsonError(err error, t reflect.Type) error {
	// encoding/json has no type for this one.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name, _ := strconv.Unquote(quoted)
		return unknownName("field", name, fields(t))
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badRequest("the field %q is not to be a JSON %s", wrong.Field, wrong.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("the JSON object has no end")
	}
	return badRequest("%s", strings.TrimPrefix(err.Error(), "json: "))
}

// fields lists the names of t's JSON fields, those of nested objects too.
func fields(t reflect.Type) (names []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fields(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(append(names, name), fields(f.Type)...)
		}
	}
	return names
}

// unknownName says that a field or parameter is unknown, and which known one is nearest.
func unknownName(what, name string, known []string) error {
	err := badRequest("unknown %s %q", what, name)
	err.Hint = "known here: " + list(known)
	if len(known) > 0 {
		err.Hint = "did you mean " + nearest.To(name, known) + "? " + err.Hint
	}
	return err
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// The content types of answers, as net/http keeps them: the slices are never changed.
var (
	jsonType = []string{api.JSONType}
	textType = []string{"text/plain; charset=utf-8"}
)

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) { write(w, status, jsonType, encode(v)) }

// encode returns v as JSON with a newline, leaving <, > and & as they are: people read this with curl.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("ipc/api has a type that JSON cannot hold: " + err.Error())
	}
	return b.Bytes()
}

// write sends a whole answer. What goes wrong with the connection is nobody's concern any more.
func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	w.Header()["Content-Type"] = contentType
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
