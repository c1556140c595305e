package importer

import (
	"archive/zip"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/oathd/oathd/oath"
)

// bitwarden is what Bitwarden exports, and Bitwarden Authenticator: JSON, the same encrypted with a password, the same in
// a zip archive with the attachments, and CSV.
var bitwarden = format{
	Format: Format{Name: "bitwarden", Program: "Bitwarden", Kind: "JSON, CSV, zip", Encrypted: true},
	detect: func(in *input) bool {
		return in.object("encrypted", "items") || in.object("encrypted", "passwordProtected") ||
			in.object("items") && jsonAt(firstItem(jsonAt(in.data, "items")), "login") != nil || // what converters write for it
			in.hasColumns("login_totp") || in.bitwardenZip() != nil
	},
	read: readBitwarden,
}

func readBitwarden(in *input) ([]Entry, error) {
	if f := in.bitwardenZip(); f != nil {
		data, err := in.unpack(f)
		if err != nil {
			return nil, err
		}
		return readBitwardenJSON(in, data)
	}
	if in.hasColumns("login_totp") {
		return readItemsCSV(in, "login_totp", "name", "login_username")
	}
	return readBitwardenJSON(in, in.data)
}

// bitwardenZip returns the list in an archive; nil if the input is none of Bitwarden's.
func (in *input) bitwardenZip() *zip.File {
	if f := in.packed("data.json"); f != nil && f.Name == "data.json" {
		return f
	}
	return nil
}

// errBitwardenAccount is for the other encryption that Bitwarden offers.
var errBitwardenAccount = errors.New("it is encrypted for the account that exported it, and nobody else can read it: " +
	"export again, as .json, or as .json (Encrypted) with \"Password protected\"")

func readBitwardenJSON(in *input, data []byte) ([]Entry, error) {
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	if string(jsonAt(data, "encrypted")) == "true" {
		if string(jsonAt(data, "passwordProtected")) != "true" {
			return nil, errBitwardenAccount
		}
		var err error
		if data, err = openBitwarden(in, data); err != nil {
			return nil, err
		}
	}
	var entries []Entry
	for item := range jsonItems(jsonAt(data, "items")) {
		if isFilled(jsonAt(item, "login", "totp")) {
			entries = append(entries, jsonEntry(item, (*bitwardenItem).entry))
		}
		if full(entries) {
			break
		}
	}
	return entries, nil
}

// isFilled reports whether a JSON value is there and neither null nor an empty string.
func isFilled(value []byte) bool {
	return len(value) > 0 && string(value) != "null" && string(value) != `""`
}

type bitwardenItem struct {
	Name    string  `json:"name"`
	Deleted *string `json:"deletedDate"`
	Login   struct {
		Username string     `json:"username"`
		TOTP     secretText `json:"totp"`
	} `json:"login"`
}

func (i *bitwardenItem) entry() Entry {
	defer i.Login.TOTP.wipe()
	e := totpField(i.Login.TOTP.bytes(), i.Name, i.Login.Username)
	if i.Deleted != nil {
		return trashed(e)
	}
	return e
}

// bitwardenBox is an export that is encrypted with a password.
type bitwardenBox struct {
	// Salt is used as it is written, although it is base64.
	Salt string `json:"salt"`
	// Type is 0 for PBKDF2, 1 for Argon2id.
	Type   int `json:"kdfType"`
	Rounds int `json:"kdfIterations"`
	// Memory is in MiB.
	Memory int `json:"kdfMemory"`
	Lanes  int `json:"kdfParallelism"`
	// Data is "2.iv|box|code", each in base64.
	Data string `json:"data"`
}

// openBitwarden decrypts to the JSON that Bitwarden exports in clear.
func openBitwarden(in *input, data []byte) ([]byte, error) {
	var b bitwardenBox
	if err := unmarshal(data, &b); err != nil {
		return nil, err
	}
	parts, err := b.parts()
	if err != nil {
		return nil, err
	}
	plain, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		key, err := b.key(in.limits, password)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return openBitwardenData(key, parts[0], parts[1], parts[2])
	})
	if err != nil {
		return nil, err
	}
	return plain, checkJSON(plain)
}

func (b bitwardenBox) parts() ([][]byte, error) {
	text, ok := strings.CutPrefix(b.Data, "2.")
	parts := strings.Split(text, "|")
	if !ok || len(parts) != 3 {
		return nil, errors.New("its data is not encrypted in the way that Bitwarden's exports are (type 2)")
	}
	decoded := make([][]byte, len(parts))
	for i, part := range parts {
		var err error
		if decoded[i], err = fromBase64("data", part); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// key derives the key from which the two others come (bitwarden/clients, KeyGenerationService.deriveVaultExportKey).
func (b bitwardenBox) key(l limits, password *oath.Secret) (*oath.Secret, error) {
	switch b.Type {
	case 0:
		return l.pbkdf2(sha256.New, password, []byte(b.Salt), b.Rounds, 32)
	case 1:
		salt := sha256.Sum256([]byte(b.Salt))
		return l.argon2id(password, salt[:], b.Rounds, min(b.Memory, 1<<20)<<10, b.Lanes, 32)
	}
	return nil, fmt.Errorf("its password hash has the number %d: 0, PBKDF2, and 1, Argon2id, are known", b.Type)
}

// openBitwardenData decrypts AES-256-CBC behind an HMAC-SHA256 of everything.
func openBitwardenData(key *oath.Secret, iv, box, code []byte) (*oath.Secret, error) {
	encKey, err := expand(key, "enc")
	if err != nil {
		return nil, err
	}
	defer encKey.Wipe()
	macKey, err := expand(key, "mac")
	if err != nil {
		return nil, err
	}
	defer macKey.Wipe()
	sum := oath.HMAC(oath.SHA256, macKey.Bytes(), append(iv[:len(iv):len(iv)], box...))
	if subtle.ConstantTimeCompare(sum, code) != 1 {
		return nil, ErrPassword
	}
	return openCBC(encKey, iv, box)
}

func expand(key *oath.Secret, info string) (*oath.Secret, error) {
	part, err := hkdf.Expand(sha256.New, key.Bytes(), info, 32)
	if err != nil {
		return nil, err
	}
	return oath.TakeSecret(part), nil
}
