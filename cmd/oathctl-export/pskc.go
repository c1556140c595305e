package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"

	"github.com/oathd/oathd/oath"
	"github.com/oathd/oathd/oath/otpauth"
)

// rounds is how often the password is hashed.
const rounds = 600_000

// The names of what encrypts (RFC 6030, section 6; XML Encryption 1.1).
const (
	aes256CBC  = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	hmacSHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
	pkcs5      = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"
)

// asPSKC writes a Portable Symmetric Key Container (RFC 6030), its secret encrypted if there is a password.
func asPSKC(uri, password []byte) ([]byte, error) {
	e, err := otpauth.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("cannot read the URI: %w", err)
	}
	defer e.Wipe()
	if e.Account.Steam() {
		return nil, errors.New("cannot write PSKC: it has no name for Steam's codes")
	}
	d := &document{}
	d.put(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<pskc:KeyContainer Version="1.0" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"` +
		` xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" xmlns:pkcs5="` + pkcs5 + `">` + "\n")
	secret := d.plain
	if len(password) > 0 {
		box, err := newBox(password)
		if err != nil {
			return nil, err
		}
		defer box.wipe()
		d.encryption(box)
		secret = func(seed []byte) { d.encrypted(box, seed) }
	}
	d.key(e, secret)
	d.put("</pskc:KeyContainer>\n")
	return d.text, nil
}

// document is XML that is being written.
type document struct{ text []byte }

func (d *document) put(text string) { d.text = append(d.text, text...) }

// element writes an element with a text.
func (d *document) element(name, text string) {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text)) // a Buffer takes everything
	d.put("<" + name + ">" + escaped.String() + "</" + name + ">")
}

func (d *document) binary(name string, b []byte) {
	d.put("<" + name + ">")
	d.text = base64.StdEncoding.AppendEncode(d.text, b)
	d.put("</" + name + ">")
}

// key writes the one key: the order of the elements is the schema's (RFC 6030, section 11).
func (d *document) key(e otpauth.Entry, secret func(seed []byte)) {
	a := e.Account
	var id bytes.Buffer
	_ = xml.EscapeText(&id, []byte(a.Label()))
	d.put(`<pskc:KeyPackage><pskc:Key Id="` + id.String() + `" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:` + a.Type.String() + `">` + "\n")
	if a.Issuer != "" {
		d.element("pskc:Issuer", a.Issuer)
	}
	d.put("<pskc:AlgorithmParameters>")
	d.element("pskc:Suite", "HMAC-"+a.Algorithm.String())
	d.put(fmt.Sprintf(`<pskc:ResponseFormat Encoding="DECIMAL" Length="%d"/></pskc:AlgorithmParameters>`, a.Digits))
	d.element("pskc:FriendlyName", a.Name)
	d.put("\n<pskc:Data><pskc:Secret>")
	secret(e.Seed.Bytes())
	d.put("</pskc:Secret>")
	if a.Type == oath.HOTP {
		d.put(fmt.Sprintf("<pskc:Counter><pskc:PlainValue>%d</pskc:PlainValue></pskc:Counter>", e.Counter))
	} else {
		d.put(fmt.Sprintf("<pskc:Time><pskc:PlainValue>0</pskc:PlainValue></pskc:Time><pskc:TimeInterval><pskc:PlainValue>%d</pskc:PlainValue></pskc:TimeInterval>", a.Period))
	}
	d.put("</pskc:Data>\n</pskc:Key></pskc:KeyPackage>\n")
}

func (d *document) plain(seed []byte) { d.binary("pskc:PlainValue", seed) }

// box encrypts under keys that come from a password.
type box struct{ salt, key, macKey []byte }

func newBox(password []byte) (*box, error) {
	b := &box{salt: make([]byte, 16), macKey: make([]byte, sha256.Size)}
	_, _ = rand.Read(b.salt) // which never fails
	_, _ = rand.Read(b.macKey)
	var err error
	if b.key, err = pbkdf2.Key(sha256.New, string(password), b.salt, rounds, 32); err != nil {
		return nil, fmt.Errorf("cannot derive a key: %w", err)
	}
	return b, nil
}

func (b *box) wipe() {
	oath.Wipe(b.key)
	oath.Wipe(b.macKey)
}

// seal encrypts by AES-CBC as XML Encryption has it (version 1.1, section 5.2): the initialization vector first, and at the end
// up to 16 bytes of which the last one tells how many they are.
func (b *box) seal(plain []byte) []byte {
	const size = aes.BlockSize
	pad := size - len(plain)%size
	sealed := make([]byte, size, size+len(plain)+pad)
	_, _ = rand.Read(sealed)
	padded := slices.Concat(plain, bytes.Repeat([]byte{byte(pad)}, pad))
	defer oath.Wipe(padded)
	block, _ := aes.NewCipher(b.key) // which fails only for other lengths of a key
	sealed = sealed[:size+len(padded)]
	cipher.NewCBCEncrypter(block, sealed[:size]).CryptBlocks(sealed[size:], padded)
	return sealed
}

// encryption says how the key comes from the password, and holds the MAC's key (RFC 6030, sections 6.1.1 and 6.2).
func (d *document) encryption(b *box) {
	d.put(`<pskc:EncryptionKey><xenc11:DerivedKey><xenc11:KeyDerivationMethod Algorithm="` + pkcs5 + `pbkdf2"><pkcs5:PBKDF2-params><Salt>`)
	d.binary("Specified", b.salt)
	d.put(fmt.Sprintf(`</Salt><IterationCount>%d</IterationCount><KeyLength>%d</KeyLength><PRF Algorithm="%s"/>`, rounds, len(b.key), hmacSHA256))
	d.put("</pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod></xenc11:DerivedKey></pskc:EncryptionKey>\n")
	d.put(`<pskc:MACMethod Algorithm="` + hmacSHA256 + `"><pskc:MACKey>`)
	d.ciphertext(b.seal(b.macKey))
	d.put("</pskc:MACKey></pskc:MACMethod>\n")
}

// encrypted writes a value and its MAC, which is that of the ciphertext with its initialization vector.
func (d *document) encrypted(b *box, seed []byte) {
	sealed := b.seal(seed)
	d.put("<pskc:EncryptedValue>")
	d.ciphertext(sealed)
	d.put("</pskc:EncryptedValue>")
	d.binary("pskc:ValueMAC", oath.HMAC(oath.SHA256, b.macKey, sealed))
}

func (d *document) ciphertext(sealed []byte) {
	d.put(`<xenc:EncryptionMethod Algorithm="` + aes256CBC + `"/><xenc:CipherData>`)
	d.binary("xenc:CipherValue", sealed)
	d.put("</xenc:CipherData>")
}
