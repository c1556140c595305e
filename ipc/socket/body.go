package socket

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// The limits of a body: many times what an honest one needs, and little enough for every connection at once to
// send that much.
const (
	maxJSON     = 64 << 10
	maxPassword = 1 << 10
)

// readBody hands a request's body to read, once its content type is the one that the route takes. No more
// than limit bytes of it can be read. Until it is there the connection counts as idle.
func readBody(w http.ResponseWriter, r *http.Request, contentType string, limit int64, read func(io.Reader) error) error {
	if got := r.Header.Get("Content-Type"); mediaType(got) != contentType {
		return badRequest("its Content-Type is %q; it must be %s", got, contentType)
	}
	if _, err := query(r); err != nil {
		return err
	}
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	if err := read(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		return err
	}
	connOf(r).work()
	return nil
}

// readJSON reads a request's body into a Req.
func readJSON[Req any](w http.ResponseWriter, r *http.Request) (req Req, err error) {
	err = readBody(w, r, api.JSONType, maxJSON, func(body io.Reader) error {
		b, err := io.ReadAll(body)
		if err != nil {
			return bodyError(err)
		}
		return unmarshal(b, &req)
	})
	return req, err
}

// readPassword reads a request's body into a Secret, which is the caller's to wipe.
func readPassword(w http.ResponseWriter, r *http.Request) (password *oath.Secret, err error) {
	if r.ContentLength == 0 {
		return nil, badRequest("the password is empty")
	}
	if r.ContentLength < 0 {
		return nil, badRequest("a password is sent with its Content-Length")
	}
	err = readBody(w, r, api.RawType, maxPassword, func(body io.Reader) (err error) {
		if password, err = oath.ReadSecret(body, int(r.ContentLength)); err != nil {
			return bodyError(err)
		}
		return nil
	})
	return password, err
}

// mediaType returns a Content-Type or the first choice of an Accept without its parameters.
func mediaType(header string) string {
	if i := strings.IndexAny(header, ";,"); i >= 0 {
		header = header[:i]
	}
	return strings.ToLower(strings.TrimSpace(header))
}

// atEnd reports an error unless the body has no more bytes.
func atEnd(body io.Reader) error {
	var b [1]byte
	n, err := io.ReadFull(body, b[:])
	if n > 0 {
		return badRequest("the body goes on where it should end")
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// bodyError says why a body cannot be read.
func bodyError(err error) error {
	if wire, ok := errors.AsType[*api.Error](err); ok {
		return wire
	}
	if limit, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit.Limit)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("the body ends too early")
	}
	return badRequest("%v", err)
}

func badRequest(format string, args ...any) *api.Error {
	return &api.Error{Code: api.CodeBadRequest, Message: "cannot read the request: " + fmt.Sprintf(format, args...)}
}

func tooLarge(limit int64) *api.Error {
	return &api.Error{
		Code:    api.CodeTooLarge,
		Message: fmt.Sprintf("cannot read the request: its body is longer than %d bytes", limit),
	}
}
