package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/ipc/api"
)

// standardError is one of the errors that D-Bus itself names.
func standardError(name, format string, args ...any) error {
	return dbus.NewError("org.freedesktop.DBus.Error."+name, []any{text("cannot answer: " + fmt.Sprintf(format, args...))})
}

// refusal makes the error that travels of the one that was met. Programs go by its name, and its body is one
// string for people: GLib shows that of no other form.
func (s *session) refusal(err error) *dbus.Error {
	if standard, ok := errors.AsType[*dbus.Error](err); ok {
		return standard
	}
	ours := s.ours(err)
	return dbus.NewError(api.BusError(ours.Code), []any{text(wording(ours))})
}

// ours returns the error in our own words.
func (s *session) ours(err error) *api.Error {
	if ours, ok := errors.AsType[*api.Error](err); ok {
		return ours
	}
	s.log.Error("a call over D-Bus failed", "error", err)
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}

// wording is all that there is to say about an error, a line each.
func wording(e *api.Error) string {
	lines := []string{e.Message}
	for _, c := range e.Candidates {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %s  %s  %s", c.ID, c.Label, c.Note), " "))
	}
	if e.Hint != "" {
		lines = append(lines, e.Hint)
	}
	return strings.Join(lines, "\n")
}

func badRequest(format string, args ...any) error {
	return &api.Error{Code: api.CodeBadRequest, Message: "cannot read the request: " + fmt.Sprintf(format, args...)}
}
