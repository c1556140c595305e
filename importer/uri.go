package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// steamURI is how ente Auth and others write a Steam account; steam://SECRET is Bitwarden's way.
const (
	steamURI    = "otpauth://steam/"
	steamScheme = "steam://"
	// steamEncoder is how KeePassXC does (Totp.cpp).
	steamEncoder = "encoder=steam"
)

// uriEntry reads one otpauth URI, or steam://SECRET, which names nothing. uri still belongs to the caller.
func uriEntry(uri []byte) Entry {
	e := namedURI(uri, "", "")
	if enteTrashed(uri) {
		return trashed(e)
	}
	return e
}

// namedURI is uriEntry for an export that names the account beside the URI: issuer and name stand in
// where the URI has none.
func namedURI(uri []byte, issuer, name string) Entry {
	uri = bytes.TrimSpace(uri)
	if hasPrefixFold(uri, steamScheme) {
		r := record{issuer: issuer, name: name, kind: kindSteam}
		r.base32(uri[len(steamScheme):])
		return r.entry()
	}
	steam := hasPrefixFold(uri, steamURI) || bytes.Contains(uri, []byte(steamEncoder))
	buf := oath.NewSecret(3*len(uri) + len("totp/"))
	defer buf.Wipe()
	e, err := parseURI(plainURI(buf.Bytes()[:0], uri), func(a *oath.Account) {
		a.Issuer, a.Name = instead(a.Issuer, issuer), instead(a.Name, name)
		tidy(a)
		if steam {
			markSteam(a)
		}
	})
	if err == nil {
		return e
	}
	if e.Account == (oath.Account{}) {
		e.Account = labelOf(uri, issuer, name)
	}
	e.Problem = err
	return e
}

func instead(s, missing string) string {
	if strings.TrimSpace(s) == "" {
		return missing
	}
	return s
}

// parseURI is otpauth.ParseAs, but that it returns the account that it saw beside an error, and the seed too if
// another name would do.
func parseURI(uri []byte, change func(*oath.Account)) (Entry, error) {
	var seen oath.Account
	var misnamed error
	parsed, err := otpauth.ParseAs(uri, func(a *oath.Account) {
		change(a)
		seen = *a
		if problem := a.Validate(); renamable(problem) {
			misnamed = problem
			a.Issuer, a.Name = "", "placeholder"
		}
	})
	if err == nil {
		err = misnamed
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner // "cannot use the otpauth URI" is plain from where the error is shown
	}
	return Entry{Account: seen, Seed: parsed.Seed, Counter: parsed.Counter}, err
}

// kept are the parameters that are handed on to otpauth, which is strict: other programs add theirs,
// which may be long (notes, icons), write empty ones, the same one twice, or the names in other letters.
var kept = []string{"secret", "issuer", "algorithm", "digits", "period", "counter"}

// plainURI appends uri without what does not describe the account, and returns it in dst's own array where that is three
// times as long. Steam's type becomes totp. KeePassOTP leaves out an empty label with its '/'.
func plainURI(dst, uri []byte) []byte {
	head, query, _ := bytes.Cut(uri, []byte("?"))
	if hasPrefixFold(uri, steamURI) {
		dst = append(dst, "otpauth://totp/"...)
		head = head[len(steamURI):]
	}
	if dst = appendSharp(dst, head); bytes.Count(dst, []byte("/")) == 2 {
		dst = append(dst, '/')
	}
	dst = append(dst, '?')
	said := make(map[string][]byte)
	say := func(name string, value []byte) {
		if before, twice := said[name]; len(value) > 0 && !(twice && bytes.Equal(before, value)) {
			said[name] = value
			dst = append(appendSharp(append(append(dst, name...), '='), value), '&')
		}
	}
	for part := range bytes.SplitSeq(query, []byte("&")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		if i := slices.IndexFunc(kept, func(known string) bool { return bytes.EqualFold(name, []byte(known)) }); i >= 0 {
			plainParameter(kept[i], value, say)
		}
	}
	return dst[:len(dst)-1]
}

// plainParameter says what a parameter does. Old versions of ente Auth write the algorithm as Algorithm.sha1, and leave
// out the '&' between issuer and period (ente, auth: export_widget.dart, code.dart).
func plainParameter(name string, value []byte, say func(name string, value []byte)) {
	switch name {
	case "algorithm":
		value = bytes.TrimPrefix(value, []byte("Algorithm."))
	case "issuer":
		if at := entePeriod.FindIndex(value); at != nil {
			say("period", value[at[0]+len("period="):])
			value = value[:at[0]]
		}
	}
	say(name, value)
}

var entePeriod = regexp.MustCompile(`period=[0-9]+$`)

// appendSharp appends part of a URI in which a '#' is meant as it stands: nobody writes a fragment behind a secret, and
// old versions of ente Auth escape nothing.
func appendSharp(dst, part []byte) []byte {
	for _, c := range part {
		if c == '#' {
			dst = append(dst, "%23"...)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// enteTrashed reports whether a URI of ente Auth says that the account is in the trash, as which ente Auth exports it
// too: codeDisplay={"trashed":true,…} (ente, auth: code_display.dart).
func enteTrashed(uri []byte) bool {
	_, display, found := bytes.Cut(uri, []byte("codeDisplay="))
	if !found {
		return false
	}
	display, _, _ = bytes.Cut(display, []byte("&"))
	text, err := url.QueryUnescape(string(display))
	return err == nil && json.Valid([]byte(text)) && string(jsonAt([]byte(text), "trashed")) == "true"
}

// labelOf finds issuer and name of a URI that cannot be used otherwise. Without a secret nothing of it is
// told: the rest may be the secret in the wrong place.
func labelOf(uri []byte, issuer, name string) oath.Account {
	a := oath.Account{Issuer: issuer, Name: name}
	head, query, _ := bytes.Cut(uri, []byte("?"))
	if !bytes.Contains(query, []byte("secret=")) {
		return a
	}
	for part := range bytes.SplitSeq(query, []byte("&")) {
		if value, ok := bytes.CutPrefix(part, []byte("issuer=")); ok {
			a.Issuer, _ = url.QueryUnescape(string(value))
		}
	}
	if i := bytes.LastIndexByte(head, '/'); i >= 0 {
		if label, err := url.PathUnescape(string(head[i+1:])); err == nil && label != "" {
			a.Issuer, a.Name = splitLabel(label, a.Issuer)
		}
	}
	tidy(&a)
	return a
}

func hasPrefixFold(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && bytes.EqualFold(s[:len(prefix)], []byte(prefix))
}
