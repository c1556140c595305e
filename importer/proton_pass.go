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

// protonPassItem is an item without its secrets.
type protonPassItem struct {
	State int `json:"state"`
	Data  struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Content struct {
			Email    string `json:"itemEmail"`
			Username string `json:"itemUsername"`
		} `json:"content"`
	} `json:"data"`
}

// protonTOTP is a member totpUri, and the name of the field in which it is.
type protonTOTP struct {
	field string
	value []byte
}

// protonPassEntries makes an entry of each TOTP of an item: a login's own, and those in fields of its own making.
func protonPassEntries(item []byte) []Entry {
	list := protonTOTPs(item)
	if len(list) == 0 {
		return nil
	}
	var i protonPassItem
	if err := unmarshal(item, &i); err != nil {
		return []Entry{{Account: oath.Account{Name: i.Data.Metadata.Name}, Problem: err}}
	}
	user := instead(i.Data.Content.Username, i.Data.Content.Email)
	var entries []Entry
	for n, totp := range list {
		entry := totp.entry(i.Data.Metadata.Name, also(user, totp.field, n))
		if i.State == protonTrash {
			entry = trashed(entry)
		}
		entries = append(entries, entry)
	}
	return entries
}

func (t protonTOTP) entry(title, user string) (entry Entry) {
	var text secretText
	if err := text.UnmarshalJSON(t.value); err != nil {
		return Entry{Account: oath.Account{Name: title}, Problem: err}
	}
	text.take(func(text []byte) { entry = totpField(text, title, user) })
	return entry
}

// protonTOTPs finds an item's TOTPs, a login's own first. Fields can be anywhere: beside the content, and in the sections
// of identities, wireless networks and whatever people make up (Proton's WebClients, pass/types, item.ts).
func protonTOTPs(item []byte) (list []protonTOTP) {
	add := func(field string, value []byte) { list = append(list, protonTOTP{field, value}) }
	eachTOTP(jsonAt(item, "data", "content"), "", add)
	for name, value := range jsonMembers(jsonAt(item, "data")) {
		if name != "content" {
			eachTOTP(value, "", add)
		}
	}
	return list
}

// eachTOTP visits what is in members totpUri of objects and arrays, and of those in them, with the nearest fieldName.
func eachTOTP(text []byte, field string, visit func(field string, value []byte)) {
	for element := range jsonItems(text) {
		eachTOTP(element, field, visit)
	}
	for name, value := range jsonMembers(text) {
		switch {
		case name == "fieldName":
			_ = unmarshal(value, &field) // one without a name is one without a name
		case name == "totpUri" && isFilled(value):
			visit(field, value)
		default:
			eachTOTP(value, field, visit)
		}
	}
}
