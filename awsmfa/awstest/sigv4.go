package awstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// freshness is how far a request's date may be off the service's.
const freshness = 15 * time.Minute

// iso8601 is the form of dates in signatures.
const iso8601 = "20060102T150405Z"

// authorization is a request's Authorization header, taken apart.
type authorization struct {
	key, date, region, service string
	headers                    []string
	signature                  string
}

var authorizationForm = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$`)

func parseAuthorization(header string) (authorization, *refusal) {
	if header == "" {
		return authorization{}, refuse("MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	m := authorizationForm.FindStringSubmatch(header)
	if m == nil {
		return authorization{}, refuse("IncompleteSignature", "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
	}
	return authorization{key: m[1], date: m[2], region: m[3], service: m[4], headers: strings.Split(m[5], ";"), signature: m[6]}, nil
}

// authenticate says who signed a request. Any region will do: behind an endpoint of their own, clients sign with the one they are set to.
func (s *Server) authenticate(r *http.Request, body []byte, service string) (principal, *refusal) {
	auth, refused := parseAuthorization(r.Header.Get("Authorization"))
	if refused != nil {
		return principal{}, refused
	}
	g := s.account.grants[auth.key]
	token := r.Header.Get("X-Amz-Security-Token")
	if g == nil || subtle.ConstantTimeCompare([]byte(g.token), []byte(token)) != 1 {
		return principal{}, refuse("InvalidClientTokenId", "The security token included in the request is invalid")
	}
	if auth.service != service {
		return principal{}, refuse("SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'.", service)
	}
	if refused := fresh(r.Header.Get("X-Amz-Date"), auth.date, s.clock()); refused != nil {
		return principal{}, refused
	}
	if refused := auth.verify(r, body, g.secret); refused != nil {
		return principal{}, refused
	}
	if !g.expires.IsZero() && !s.clock().Before(g.expires) {
		return principal{}, refuse("ExpiredToken", "The security token included in the request is expired")
	}
	return g.who, nil
}

// fresh wants a request to be signed about now.
func fresh(date, scope string, now time.Time) *refusal {
	at, err := time.Parse(iso8601, date)
	if err != nil || !strings.HasPrefix(date, scope) {
		return refuse("IncompleteSignature", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'", scope, date)
	}
	if limit := now.Add(-freshness); at.Before(limit) {
		return refuse("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - 15 min.)", date, limit.Format(iso8601), now.Format(iso8601))
	}
	if limit := now.Add(freshness); at.After(limit) {
		return refuse("SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + 15 min.)", date, limit.Format(iso8601), now.Format(iso8601))
	}
	return nil
}

// verify computes the signature anew. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (a authorization) verify(r *http.Request, body []byte, secret string) *refusal {
	for _, must := range []string{"host", "x-amz-date"} {
		if !slices.Contains(a.headers, must) {
			return refuse("SignatureDoesNotMatch", "'%s' must be a 'SignedHeader' in the AWS Authorization.", must)
		}
	}
	scope := strings.Join([]string{a.date, a.region, a.service, "aws4_request"}, "/")
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + digest(a.canonical(r, body))
	key := []byte("AWS4" + secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	if want := hex.EncodeToString(mac(key, toSign)); !hmac.Equal([]byte(want), []byte(a.signature)) {
		return refuse("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// canonical is the request in the form that is signed.
func (a authorization) canonical(r *http.Request, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), r.URL.Query().Encode())
	for _, name := range a.headers {
		fmt.Fprintf(&b, "%s:%s\n", name, headerValue(r, name))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(a.headers, ";"), digest(body))
	return b.Bytes()
}

// headerValue is a header's value as it is signed; net/http keeps two of them elsewhere.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
