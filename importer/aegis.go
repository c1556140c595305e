package importer

import (
	"errors"
	"fmt"

	"github.com/oathd/oathd/oath"
)

// aegis is the vault of Aegis (github.com/beemdevelopment/Aegis, docs/vault.md).
var aegis = format{
	Format: Format{Name: "aegis", Program: "Aegis", Kind: "JSON", Encrypted: true},
	detect: func(in *input) bool { return in.object("version", "header", "db") },
	read:   readAegis,
}

func readAegis(in *input) ([]Entry, error) {
	if err := checkJSON(in.data); err != nil {
		return nil, err
	}
	db := jsonAt(in.data, "db")
	if len(db) > 0 && db[0] == '"' {
		var err error
		if db, err = openAegis(in, db); err != nil {
			return nil, err
		}
	}
	list := jsonAt(db, "entries")
	if list == nil {
		return nil, errors.New("its vault has no entries")
	}
	return jsonEntries(list, (*aegisEntry).entry), nil
}

// aegisBox is what AES-GCM needs besides the key, in hexadecimal.
type aegisBox struct {
	Nonce string `json:"nonce"`
	Tag   string `json:"tag"`
}

// open decrypts box, a copy of which gets the tag at its end.
func (b aegisBox) open(key *oath.Secret, box []byte) (*oath.Secret, error) {
	nonce, err := fromHex("nonce", b.Nonce)
	if err != nil {
		return nil, err
	}
	tag, err := fromHex("tag", b.Tag)
	if err != nil {
		return nil, err
	}
	whole := append(box[:len(box):len(box)], tag...)
	return openGCM(key, nonce, whole, nil)
}

// aegisSlot holds the master key, encrypted. Only slots of type 1 open with a password.
type aegisSlot struct {
	Type   int      `json:"type"`
	Key    string   `json:"key"`
	Params aegisBox `json:"key_params"`
	N      int      `json:"n"`
	R      int      `json:"r"`
	P      int      `json:"p"`
	Salt   string   `json:"salt"`
}

// aegisPasswordSlot is the type of a slot that a password opens.
const aegisPasswordSlot = 1

// maxSlots bounds the password hashes that one password costs.
const maxSlots = 8

func openAegis(in *input, quoted []byte) ([]byte, error) {
	var header struct {
		Slots  []aegisSlot `json:"slots"`
		Params aegisBox    `json:"params"`
	}
	if err := unmarshal(jsonAt(in.data, "header"), &header); err != nil {
		return nil, fmt.Errorf("cannot read its header: %w", err)
	}
	box, err := base64JSON("database", quoted)
	if err != nil {
		return nil, err
	}
	plain, err := in.decrypt(func(password *oath.Secret) (*oath.Secret, error) {
		master, err := aegisMaster(in.limits, header.Slots, password)
		if err != nil {
			return nil, err
		}
		defer master.Wipe()
		return header.Params.open(master, box)
	})
	if err != nil {
		return nil, err
	}
	return plain, checkJSON(plain)
}

// aegisMaster finds the slot that the password opens: one can have been added for another password.
func aegisMaster(l limits, slots []aegisSlot, password *oath.Secret) (*oath.Secret, error) {
	err := errors.New("no password opens it, only the phone's own key")
	tried := 0
	for _, slot := range slots {
		if slot.Type != aegisPasswordSlot {
			continue
		}
		if tried++; tried > maxSlots {
			return nil, fmt.Errorf("%w: more than %d passwords", ErrLimit, maxSlots)
		}
		var master *oath.Secret
		if master, err = slot.master(l, password); err == nil {
			return master, nil
		}
	}
	return nil, err
}

func (s aegisSlot) master(l limits, password *oath.Secret) (*oath.Secret, error) {
	salt, err := fromHex("salt", s.Salt)
	if err != nil {
		return nil, err
	}
	wrapped, err := fromHex("key", s.Key)
	if err != nil {
		return nil, err
	}
	key, err := l.scrypt(password, salt, s.N, s.R, s.P, 32)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return s.Params.open(key, wrapped)
}

// aegisEntry is one element of the vault's entries.
type aegisEntry struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
	Info   struct {
		Secret    secretText `json:"secret"`
		Algorithm string     `json:"algo"`
		Digits    numberText `json:"digits"`
		Period    numberText `json:"period"`
		Counter   numberText `json:"counter"`
	} `json:"info"`
}

func (e *aegisEntry) entry() Entry {
	r := record{
		issuer: e.Issuer, name: e.Name, kind: e.Type, algorithm: e.Info.Algorithm,
	}
	e.Info.Secret.take(r.base32)
	r.numbers(e.Info.Digits, e.Info.Period, e.Info.Counter)
	return r.entry()
}
