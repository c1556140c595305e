package escrow

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const (
	armorBegin = "-----BEGIN AGE ENCRYPTED FILE-----\n"
	// maxVault bounds what ParseVault looks at; a hundred recipients take 30 KB.
	maxVault = 1 << 20
)

// Marshal returns the vault as a text: its head, and the one or two age files in armor. ParseVault reads it.
func (v *Vault) Marshal() []byte {
	text := append([]byte(v.head()), enarmor(v.Wrapped)...)
	if v.Passphrase != nil {
		text = append(text, enarmor(v.Passphrase)...)
	}
	return text
}

// ParseVault reads what Marshal writes, and nothing else. Whether it is genuine only Unlock can tell. Its
// error wraps ErrNewer or ErrDamaged.
func ParseVault(text []byte) (*Vault, error) {
	v, err := parseVault(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the vault: %w", err)
	}
	return v, nil
}

func parseVault(text []byte) (*Vault, error) {
	if len(text) > maxVault {
		return nil, damaged("%d bytes", len(text))
	}
	parts := strings.Split(string(text), armorBegin)
	v, err := parseHead(parts[0])
	if err != nil {
		return nil, err
	}
	var files [][]byte
	for _, p := range parts[1:] {
		file, err := dearmor([]byte(armorBegin + p))
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if err := v.take(files); err != nil {
		return nil, err
	}
	if !bytes.Equal(v.Marshal(), text) {
		return nil, damaged("it is not as oathd writes it")
	}
	return v, nil
}

// take gives the vault its age files: as many as its recipients ask for.
func (v *Vault) take(files [][]byte) error {
	want := 1
	if _, err := v.find(PassphraseRecipient); err == nil {
		want = 2
	}
	if len(files) != want {
		return damaged("%d wrapped keys, not %d", len(files), want)
	}
	v.Wrapped = files[0]
	if want == 2 {
		v.Passphrase = files[1]
	}
	return nil
}

// parseHead reads what head writes, and nothing else.
func parseHead(text string) (*Vault, error) {
	first, rest, _ := strings.Cut(text, "\n")
	if err := checkFirst(first, fmt.Sprintf("oathd vault %d", version)); err != nil {
		return nil, err
	}
	v := &Vault{}
	for line := range strings.Lines(rest) {
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if err := v.set(field, value); err != nil {
			return nil, damaged("%w", err)
		}
	}
	if v.head() != text {
		return nil, damaged("its head is not as oathd writes it")
	}
	if !validID(v.ID) {
		return nil, damaged("%q is no vault's id", v.ID)
	}
	if _, err := age.ParseX25519Recipient(v.PublicKey); err != nil {
		return nil, damaged("%w", err)
	}
	if err := checkRecipients(v.Recipients); err != nil {
		return nil, damaged("%w", err)
	}
	return v, nil
}

func (v *Vault) set(field, value string) (err error) {
	switch field {
	case "vault":
		v.ID = value
	case "public key":
		v.PublicKey = value
	case "created":
		v.Created, err = time.Parse(time.RFC3339, value)
	case "recipient":
		var r Recipient
		r, err = parseRecipientLine(value)
		v.Recipients = append(v.Recipients, r)
	case "mac":
		v.mac, err = base64.RawStdEncoding.Strict().DecodeString(value)
	default:
		err = fmt.Errorf("unknown line %q", field)
	}
	return err
}

// enarmor writes an age file as text.
func enarmor(file []byte) []byte {
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	// A bytes.Buffer takes everything.
	_, _ = w.Write(file)
	_ = w.Close()
	return text.Bytes()
}

// dearmor undoes enarmor, and reads nothing else.
func dearmor(text []byte) ([]byte, error) {
	file, err := io.ReadAll(armor.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, damaged("%w", err)
	}
	if !bytes.Equal(enarmor(file), text) {
		return nil, damaged("its armor is not as age writes it")
	}
	return file, nil
}
