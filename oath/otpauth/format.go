package otpauth

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/oathd/oathd/oath"
)

// Format writes the URI that Parse reads back as e, as a Secret of the caller's because the seed is
// in it. Everything is spelled out, the defaults too, because readers differ in theirs.
func Format(e Entry) *oath.Secret {
	head := fmt.Sprintf("otpauth://%s/%s?secret=", e.Account.Type, label(e.Account))
	tail := parameters(e)
	buf := oath.NewSecret(len(head) + (e.Seed.Len()*8+4)/5 + len(tail))
	out := append(buf.Bytes()[:0], head...)
	out = encode(out, e.Seed.Bytes())
	_ = append(out, tail...) // still buf's own bytes: it was made to measure
	return buf
}

// label divides issuer and name with a ':', which a name with a ':' of its own needs even without issuer.
func label(a oath.Account) string {
	if a.Issuer == "" && !strings.Contains(a.Name, ":") {
		return escape(a.Name)
	}
	return escape(a.Issuer) + ":" + escape(a.Name)
}

func parameters(e Entry) string {
	var b strings.Builder
	a := e.Account
	if a.Issuer != "" {
		b.WriteString("&issuer=" + escape(a.Issuer))
	}
	fmt.Fprintf(&b, "&algorithm=%s&digits=%d", a.Algorithm, a.Digits)
	if a.Type == oath.HOTP {
		fmt.Fprintf(&b, "&counter=%d", e.Counter)
	} else {
		fmt.Fprintf(&b, "&period=%d", a.Period)
	}
	return b.String()
}

// escape writes a blank as %20: some readers leave a '+' as it is.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
