package bus

import (
	"math"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/oathd/oathd/internal/nearest"
	"github.com/oathd/oathd/ipc/api"
)

// getCode answers Account.GetCode.
func (s *session) getCode(c call) ([]any, error) {
	request, err := codeRequest(c.body[0].(map[string]dbus.Variant))
	if err != nil {
		return nil, err
	}
	request.Account = c.object.value.(api.Account).ID
	code, err := s.agent.Code(c.ctx, c.who(), request)
	if err != nil {
		return nil, err
	}
	return []any{code.Code, codeDetails(code)}, nil
}

// codeOptions are what GetCode may be asked for; each takes a value into the request, or refuses its type.
var codeOptions = map[string]func(r *api.CodeRequest, value any) bool{
	"key":          takeKey,
	"fresh":        func(r *api.CodeRequest, value any) (ok bool) { r.Fresh, ok = value.(bool); return ok },
	"pair":         func(r *api.CodeRequest, value any) (ok bool) { r.Pair, ok = value.(bool); return ok },
	"min_validity": func(r *api.CodeRequest, value any) (ok bool) { r.MinValidity, ok = number(value); return ok },
}

// codeRequest reads the options of GetCode. An unknown one is an error: it may be one that matters, misspelt.
func codeRequest(options map[string]dbus.Variant) (r api.CodeRequest, err error) {
	for name, value := range options {
		take, known := codeOptions[name]
		if !known {
			names := optionNames()
			return r, badRequest("there is no option %q (did you mean %s?); there are %s", name, nearest.To(name, names), strings.Join(names, ", "))
		}
		if !take(&r, value.Value()) {
			return r, badRequest("the option %s is not to be of the type %q", name, value.Signature())
		}
	}
	return r, nil
}

func optionNames() []string {
	var names []string
	for name := range codeOptions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// takeKey takes an id, a label, a serial, or the path of a key.
func takeKey(r *api.CodeRequest, value any) bool {
	switch value := value.(type) {
	case string:
		r.Key = value
	case dbus.ObjectPath:
		_, r.Key = split(value)
	default:
		return false
	}
	return r.Key != ""
}

// number takes every type of integer: languages differ in what they make of a bare 5.
func number(value any) (n int, ok bool) {
	switch v := value.(type) {
	case byte:
		return int(v), true
	case int16:
		return int(v), true
	case uint16:
		return int(v), true
	case int32:
		return int(v), true
	case uint32:
		return int(v), true
	case int64:
		return int(v), v == int64(int32(v))
	case uint64:
		return int(v), v <= math.MaxInt32
	}
	return 0, false
}

var (
	signatureBool   = dbus.SignatureOf(false)
	signatureUint64 = dbus.SignatureOf(uint64(0))
	signaturePath   = dbus.SignatureOf(nowhere)
)

// codeDetails tells of a code what a program needs to know. Of an HOTP code there is no validity.
func codeDetails(c api.Code) map[string]dbus.Variant {
	details := map[string]dbus.Variant{
		"key":    dbus.MakeVariantWithSignature(keyPath(c.Key), signaturePath),
		"proved": dbus.MakeVariantWithSignature(c.Proved, signatureBool),
	}
	if !c.ValidUntil.IsZero() {
		details["valid_from"] = dbus.MakeVariantWithSignature(seconds(c.ValidFrom), signatureUint64)
		details["valid_until"] = dbus.MakeVariantWithSignature(seconds(c.ValidUntil), signatureUint64)
	}
	if c.Next != "" {
		details["next"] = dbus.MakeVariant(c.Next)
	}
	if len(c.Warnings) > 0 {
		details["warnings"] = dbus.MakeVariant(displayed(c.Warnings))
	}
	return details
}
