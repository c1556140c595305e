package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/oathd/oathd/oath"
)

// pskc is the Portable Symmetric Key Container (RFC 6030), plain or encrypted with a password or a key
// that both sides know.
var pskc = format{
	Format: Format{Name: "pskc", Program: "PSKC (RFC 6030)", Kind: "XML", Encrypted: true},
	detect: func(in *input) bool { return in.opensXML("KeyContainer") },
	read:   readPSKC,
}

// pskcContainer is what the document says, texts as parts of the reader's locked buffer.
type pskcContainer struct {
	crypt        pskcCrypt
	keys         []*pskcKey
	manufacturer string
}

// pskcKey is one element Key (RFC 6030, section 4.3).
type pskcKey struct {
	id, algorithm, issuer, friendly, user, suite string
	encoding, length                             string
	secret, counter, interval                    pskcValue
}

// pskcValue is the content of Secret, Counter and TimeInterval (RFC 6030, section 4.2): plain, or encrypted with a
// MAC.
type pskcValue struct {
	plain     []byte
	algorithm string
	cipher    []byte
	mac       []byte
}

func (v *pskcValue) encrypted() bool { return v.cipher != nil }

func readPSKC(in *input) ([]Entry, error) {
	c, err := parsePSKC(in.xml())
	if err != nil {
		return nil, err
	}
	if err := c.unlock(in); err != nil {
		return nil, err
	}
	var entries []Entry
	for _, key := range c.keys {
		entries = append(entries, key.entry(&c.crypt))
	}
	return entries, nil
}

// parsePSKC walks through the document. Names count without their namespaces, which drafts and programs
// write differently.
func parsePSKC(r *xmlReader) (*pskcContainer, error) {
	c := &pskcContainer{}
	path := []string{""}
	from := 0
	for {
		token, err := r.token()
		switch {
		case errors.Is(err, io.EOF) && len(c.keys) == 0:
			return nil, errors.New("there is no key in it")
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return nil, err
		case token.begin != nil:
			path = append(path, token.begin.name)
			from = len(r.texts)
			c.begin(path, token.begin)
			if len(c.keys) > maxEntries {
				return nil, errTooMany
			}
		case token.text != nil:
			if err := r.add(token); err != nil {
				return nil, err
			}
		default:
			c.text(path, bytes.TrimSpace(r.texts[from:]))
			path = path[:len(path)-1]
			from = len(r.texts)
		}
	}
}

// key returns the last key, an unused one before the first.
func (c *pskcContainer) key() *pskcKey {
	if len(c.keys) == 0 {
		return &pskcKey{}
	}
	return c.keys[len(c.keys)-1]
}

// value returns the value that an element stands in, an unused one if it stands in none.
func (c *pskcContainer) value(path []string) *pskcValue {
	for i := len(path) - 1; i >= 0; i-- {
		switch path[i] {
		case "Secret":
			return &c.key().secret
		case "Counter":
			return &c.key().counter
		case "TimeInterval":
			return &c.key().interval
		case "MACKey":
			return &c.crypt.macKey
		}
	}
	return &pskcValue{}
}

// begin takes what is said in attributes.
func (c *pskcContainer) begin(path []string, e *xmlElement) {
	algorithm := e.attribute("Algorithm")
	switch e.name {
	case "KeyPackage":
		c.manufacturer = ""
	case "Key":
		c.keys = append(c.keys, &pskcKey{id: e.attribute("Id"), algorithm: algorithm, issuer: c.manufacturer})
	case "ResponseFormat":
		c.key().encoding, c.key().length = e.attribute("Encoding"), e.attribute("Length")
	case "EncryptionMethod":
		c.value(path).algorithm = algorithm
	case "KeyDerivationMethod":
		c.crypt.derivation = algorithm
	case "PRF":
		c.crypt.prf = algorithm
	case "MACMethod":
		c.crypt.macAlgorithm = algorithm
	case "X509Data":
		c.crypt.certificate = true
	}
}

// text takes the text of an element that has no others in it.
func (c *pskcContainer) text(path []string, text []byte) {
	if len(text) == 0 {
		return
	}
	parent, name := path[len(path)-2], path[len(path)-1]
	switch name {
	case "PlainValue":
		c.value(path).plain = text
	case "CipherValue":
		c.value(path).cipher = text
	case "ValueMAC":
		c.value(path).mac = text
	case "Manufacturer":
		c.manufacturer = clean(text)
	case "Suite":
		c.key().suite = clean(text)
	default:
		c.crypt.text(name, text)
	}
	if parent != "Key" {
		return
	}
	switch name {
	case "Issuer":
		c.key().issuer = clean(text)
	case "FriendlyName":
		c.key().friendly = clean(text)
	case "UserId":
		c.key().user = clean(text)
	}
}

func clean(text []byte) string { return string(bytes.TrimSpace(text)) }

// entry names the account as people do, or else as the machine does that made the container.
func (k *pskcKey) entry(crypt *pskcCrypt) Entry {
	r := record{issuer: k.issuer, name: k.friendly, kind: lastWord(k.algorithm), algorithm: k.suite}
	if r.name == "" {
		r.name = instead(k.user, k.id)
	}
	err := k.numbers(&r, crypt)
	r.secret, r.problem = crypt.open(&k.secret)
	if err != nil {
		r.secret.Wipe()
		r.secret, r.problem = nil, err
	}
	return r.entry()
}

// numbers reads what is said in digits.
func (k *pskcKey) numbers(r *record, crypt *pskcCrypt) (err error) {
	if k.encoding != "" && !strings.EqualFold(k.encoding, "DECIMAL") {
		return fmt.Errorf("%w: its codes are written as %s", oath.ErrDigits, short(k.encoding))
	}
	if k.length != "" {
		if r.digits, err = strconv.Atoi(k.length); err != nil {
			return fmt.Errorf("%w: %s", oath.ErrDigits, short(k.length))
		}
	}
	if r.counter, err = crypt.number(&k.counter); err != nil {
		return fmt.Errorf("cannot read its counter: %w", err)
	}
	period, err := crypt.number(&k.interval)
	if err != nil {
		return fmt.Errorf("cannot read its time interval: %w", err)
	}
	r.period = int(period)
	return nil
}

// lastWord returns what is behind the last ':' or '#' of a name of an algorithm, in lower case:
// "urn:ietf:params:xml:ns:keyprov:pskc:totp" is totp.
func lastWord(uri string) string {
	return strings.ToLower(uri[strings.LastIndexAny(uri, ":#")+1:])
}
