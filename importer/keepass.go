package importer

import (
	"errors"
	"io"
	"strings"
)

// keePassXC is what KeePassXC and KeePass 2 export: the database as XML, in clear, or a list as CSV. Of the XML, entries'
// histories are left out, and what lies in the recycle bin is told.
var keePassXC = format{
	Format: Format{Name: "keepassxc", Program: "KeePassXC", Kind: "XML, CSV"},
	detect: func(in *input) bool {
		return in.opensXML("<KeePassFile") || in.hasColumns("group", "title", "username", "totp")
	},
	read: readKeePass,
}

func readKeePass(in *input) ([]Entry, error) {
	if !in.opens("<") {
		return readItemsCSV(in, "totp", "title", "username")
	}
	k := keePass{xmlReader: in.xml()}
	if err := k.element(false); !errors.Is(err, io.EOF) {
		return k.entries, err
	}
	return k.entries, nil
}

// keePass reads a database.
type keePass struct {
	*xmlReader
	// bin is the recycle bin's UUID, which stands before all groups.
	bin     string
	entries []Entry
}

// element reads what is in an element, of which only groups and their entries matter.
func (k *keePass) element(inBin bool) error {
	for {
		begin, err := k.next()
		if err != nil || begin == nil {
			return err
		}
		switch begin.name {
		case "RecycleBinUUID":
			err = k.string(&k.bin)
		case "UUID":
			var id string
			err = k.string(&id)
			inBin = inBin || id == k.bin && k.bin != ""
		case "Entry":
			err = k.entry(inBin)
		default:
			err = k.element(inBin)
		}
		if err != nil {
			return err
		}
	}
}

func (k *keePass) string(s *string) error {
	text, err := k.text()
	*s = string(text)
	return err
}

func (k *keePass) entry(inBin bool) error {
	fields := make(keePassFields)
	for {
		begin, err := k.next()
		if err != nil {
			return err
		}
		if begin == nil {
			break
		}
		if begin.name == "String" {
			err = k.field(fields)
		} else {
			err = k.skip()
		}
		if err != nil {
			return err
		}
	}
	for _, e := range fields.entries() {
		if inBin {
			e = trashed(e)
		}
		k.entries = append(k.entries, e)
	}
	if full(k.entries) {
		return errTooMany
	}
	return nil
}

// field reads <Key>…</Key><Value>…</Value>.
func (k *keePass) field(fields keePassFields) error {
	var key string
	var value []byte
	for {
		begin, err := k.next()
		if err != nil {
			return err
		}
		if begin == nil {
			fields[key] = value
			return nil
		}
		text, err := k.text()
		if err != nil {
			return err
		}
		switch begin.name {
		case "Key":
			key = string(text)
		case "Value":
			if value = text; strings.EqualFold(begin.attribute("Protected"), "true") {
				return errors.New("its values are encrypted, as they are inside a database: export it from KeePassXC or KeePass")
			}
		}
	}
}
