package importer

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/oathd/oathd/oath"
)

// onePassword is what 1Password exports: a 1pux archive (support.1password.com/1pux-format), the list in it, or CSV.
var onePassword = format{
	Format: Format{Name: "1password", Program: "1Password", Kind: "1pux, CSV"},
	detect: func(in *input) bool {
		return in.packed(onePasswordList) != nil || in.hasColumns("title", "otpauth") ||
			in.object("accounts") && jsonAt(firstItem(jsonAt(in.data, "accounts")), "vaults") != nil
	},
	read: readOnePassword,
}

// onePasswordList is the file in the archive that is read.
const onePasswordList = "export.data"

func readOnePassword(in *input) ([]Entry, error) {
	list := in.data
	if f := in.packed(onePasswordList); f != nil {
		var err error
		if list, err = in.unpack(f); err != nil {
			return nil, err
		}
	} else if in.hasColumns("title", "otpauth") {
		return readItemsCSV(in, "otpauth", "title", "username")
	}
	if err := checkJSON(list); err != nil {
		return nil, err
	}
	accounts := jsonAt(list, "accounts")
	if accounts == nil {
		return nil, errors.New("there are no accounts in it")
	}
	var entries []Entry
	for account := range jsonItems(accounts) {
		for vault := range jsonItems(jsonAt(account, "vaults")) {
			for item := range jsonItems(jsonAt(vault, "items")) {
				if entries = append(entries, onePasswordEntries(item)...); full(entries) {
					return entries, nil
				}
			}
		}
	}
	return entries, nil
}

type onePasswordItem struct {
	Overview struct {
		Title string `json:"title"`
	} `json:"overview"`
	Details struct {
		LoginFields []struct {
			// Value is a string, or an object for an address of a linked service.
			Value       json.RawMessage `json:"value"`
			Designation string          `json:"designation"`
		} `json:"loginFields"`
		Sections []struct {
			Fields []struct {
				Title string `json:"title"`
				Value struct {
					TOTP secretText `json:"totp"`
				} `json:"value"`
			} `json:"fields"`
		} `json:"sections"`
	} `json:"details"`
}

// onePasswordEntries makes an entry of each field of an item that is a TOTP.
func onePasswordEntries(item []byte) []Entry {
	// The first version of the format has a layer more.
	if inner := jsonAt(item, "item"); inner != nil {
		item = inner
	}
	var i onePasswordItem
	problem := unmarshal(item, &i)
	title, user := i.Overview.Title, i.user()
	var entries []Entry
	for _, section := range i.Details.Sections {
		for _, field := range section.Fields {
			field.Value.TOTP.take(func(text []byte) {
				if len(text) > 0 {
					entries = append(entries, totpField(text, title, also(user, field.Title, len(entries))))
				}
			})
		}
	}
	// An item without a TOTP is no account, whatever is wrong with it.
	if problem != nil && entries == nil && bytes.Contains(item, []byte(`"totp"`)) {
		entries = []Entry{{Account: oath.Account{Name: title}, Problem: problem}}
	}
	return entries
}

func (i *onePasswordItem) user() string {
	var user string
	for _, field := range i.Details.LoginFields {
		if field.Designation == "username" && json.Unmarshal(field.Value, &user) == nil {
			return user
		}
	}
	return ""
}
