package importer

import (
	"archive/zip"
	"errors"
	"strings"

	"github.com/oathd/oathd/oath"
)

// protonPass is what Proton Pass exports: a zip archive with JSON, the JSON itself, or CSV. The archive may be encrypted
// with PGP, which gpg can undo.
var protonPass = format{
	Format: Format{Name: "proton-pass", Program: "Proton Pass", Kind: "zip, JSON, CSV"},
	detect: func(in *input) bool {
		return in.object("vaults") || in.hasColumns("name", "totp", "vault") || in.protonZip() != nil || isPGP(in)
	},
	read: readProtonPass,
}

var errPGP = errors.New("it is encrypted with PGP, which is not read here: decrypt it with gpg, or export again without a passphrase")

// protonTrash is the state of an item in the trash (Proton's WebClients, ItemState).
const protonTrash = 2

func readProtonPass(in *input) ([]Entry, error) {
	data := in.data
	switch f := in.protonZip(); {
	case isPGP(in), f != nil && strings.HasSuffix(f.Name, ".pgp"):
		return nil, errPGP
	case f != nil:
		var err error
		if data, err = in.unpack(f); err != nil {
			return nil, err
		}
	case in.hasColumns("name", "totp", "vault"):
		return readItemsCSV(in, "totp", "name", "username", "email")
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	var entries []Entry
	for _, vault := range jsonMembers(jsonAt(data, "vaults")) {
		for item := range jsonItems(jsonAt(vault, "items")) {
			if entries = append(entries, protonPassEntries(item)...); full(entries) {
				return entries, nil
			}
		}
	}
	return entries, nil
}

// protonZip returns the list in the archive; nil if the input is no archive of Proton Pass.
func (in *input) protonZip() *zip.File {
	for _, f := range in.archive() {
		if f.Name == "Proton Pass/data.json" || f.Name == "Proton Pass/data.pgp" {
			return f
		}
	}
	return nil
}

// isPGP reports whether the data is a message of OpenPGP, as Proton Pass writes it.
func isPGP(in *input) bool { return in.opens("-----BEGIN PGP MESSAGE-----") }

type protonPassItem struct {
	State int `json:"state"`
	Data  struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Content struct {
			Email    string     `json:"itemEmail"`
			Username string     `json:"itemUsername"`
			TOTP     secretText `json:"totpUri"`
		} `json:"content"`
		Extra []struct {
			Name string `json:"fieldName"`
			Data struct {
				TOTP secretText `json:"totpUri"`
			} `json:"data"`
		} `json:"extraFields"`
	} `json:"data"`
}

// protonPassEntries makes an entry of an item's TOTP, and of each that is in a field of its own.
func protonPassEntries(item []byte) []Entry {
	var i protonPassItem
	problem := unmarshal(item, &i)
	var entries []Entry
	add := func(secret *secretText, field string) {
		secret.take(func(text []byte) {
			if len(text) > 0 {
				user := instead(i.Data.Content.Username, i.Data.Content.Email)
				entries = append(entries, totpField(text, i.Data.Metadata.Name, also(user, field, len(entries))))
			}
		})
	}
	add(&i.Data.Content.TOTP, "")
	for n := range i.Data.Extra {
		add(&i.Data.Extra[n].Data.TOTP, i.Data.Extra[n].Name)
	}
	if problem != nil && entries == nil && isFilled(jsonAt(item, "data", "content", "totpUri")) {
		entries = []Entry{{Account: oath.Account{Name: i.Data.Metadata.Name}, Problem: problem}}
	}
	for n := range entries {
		if i.State == protonTrash {
			entries[n] = trashed(entries[n])
		}
	}
	return entries
}
