package importer

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

// protonAuthenticator is what Proton Authenticator exports, in clear or encrypted with a password
// (protonpass/proton-pass-common, proton-authenticator/src/entry: exporter.rs, password_exporter.rs).
var protonAuthenticator = format{
	Format: Format{Name: "proton-authenticator", Program: "Proton Authenticator", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool {
		return in.object("version", "salt", "content") ||
			in.object("version", "entries") && jsonAt(firstItem(jsonAt(in.data, "entries")), "content", "entry_type") != nil
	},
	read: readProtonAuthenticator,
}

// The password's hash, Argon2id, of which memory is in KiB, and what the encryption, AES-256-GCM, binds.
const (
	protonPasses = 2
	protonMemory = 19 << 10
	protonLanes  = 1
	protonNonce  = 12
	protonBound  = "proton.authenticator.export.v1"
)

type protonEntry struct {
	Content struct {
		URI secretText `json:"uri"`
		// Type is "Totp", or "Steam", of which the URI is steam://SEED in base64.
		Type string `json:"entry_type"`
		Name string `json:"name"`
	} `json:"content"`
}

func readProtonAuthenticator(in *input) ([]Entry, error) {
	data := in.data
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	if jsonAt(data, "entries") == nil {
		var err error
		if data, err = openProton(in); err != nil {
			return nil, err
		}
	}
	return jsonEntries(jsonAt(data, "entries"), (*protonEntry).entry), nil
}

func (p *protonEntry) entry() Entry {
	c := &p.Content
	defer c.URI.wipe()
	uri := c.URI.bytes()
	if c.Type == "Steam" && hasPrefixFold(uri, steamScheme) {
		r := record{name: c.Name, kind: kindSteam}
		r.base64(uri[len(steamScheme):])
		return r.entry()
	}
	return namedURI(uri, "", c.Name)
}

// protonBox is an encrypted export. Content is the nonce, then what is encrypted.
type protonBox struct {
	Version int    `json:"version"`
	Salt    string `json:"salt"`
	Content string `json:"content"`
}

func openProton(in *input) ([]byte, error) {
	var b protonBox
	if err := unmarshal(in.data, &b); err != nil {
		return nil, err
	}
	salt, content, err := b.parts()
	if err != nil {
		return nil, err
	}
	plain, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := in.limits.argon2id(password, salt, protonPasses, protonMemory, protonLanes, 32)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return openGCM(key, content[:protonNonce], content[protonNonce:], []byte(protonBound))
	})
	if err != nil {
		return nil, err
	}
	if err := checkJSON(plain); err != nil || jsonAt(plain, "entries") == nil {
		return nil, errors.New("what is encrypted in it is no list of accounts")
	}
	return plain, nil
}

func (b protonBox) parts() (salt, content []byte, err error) {
	if b.Version != 1 {
		return nil, nil, fmt.Errorf("it has version %d: 1 is known", b.Version)
	}
	if salt, err = fromBase64("salt", b.Salt); err != nil {
		return nil, nil, err
	}
	if content, err = fromBase64("content", b.Content); err != nil {
		return nil, nil, err
	}
	if len(content) < protonNonce {
		return nil, nil, tooShort(len(content), protonNonce)
	}
	return salt, content, nil
}
