package escrow

import (
	"fmt"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// Kind is what a payload holds.
type Kind string

// The kinds of payloads.
const (
	// Seed is an account's seed, as bytes.
	Seed Kind = "seed"
	// Runbook is how to get back into an account without a key, as text.
	Runbook Kind = "runbook"
)

// Entry is what a payload is bound to: it opens only as this. Whoever keeps a payload keeps its entry with it,
// for an account that is renamed later keeps the old name inside.
type Entry struct {
	Kind Kind `json:"kind"`
	// ID is the account's: 10 characters of lower-case base32.
	ID string `json:"id"`
	// The others are a seed's alone. Counter is where an HOTP credential begins; Touch says that a key is to ask
	// for a touch.
	Account oath.Account `json:"account,omitzero"`
	Counter uint32       `json:"counter,omitempty"`
	Touch   bool         `json:"touch,omitempty"`
}

// Row is a payload as it is kept: an age file for the vault key, and what it must be.
type Row struct {
	Entry      Entry
	Ciphertext []byte
}

func (e Entry) validate() error {
	if !validID(e.ID) {
		return fmt.Errorf("%q is no account's id", e.ID)
	}
	switch e.Kind {
	case Seed:
		return e.Account.Validate()
	case Runbook:
		if e != (Entry{Kind: Runbook, ID: e.ID}) {
			return fmt.Errorf("a runbook is bound to its account's id alone")
		}
		return nil
	}
	return fmt.Errorf("unknown kind of payload %q", e.Kind)
}

// header is everything in a payload's plaintext that stands before its content. It has no form but this one.
func (e Entry) header(vault string) string {
	head := fmt.Sprintf("oathd %s %d\nvault: %s\naccount: %s\n", e.Kind, version, vault, e.ID)
	if e.Kind == Runbook {
		return head + "\n"
	}
	touch := map[bool]string{true: "yes", false: "no"}[e.Touch]
	return head + fmt.Sprintf("issuer: %s\nname: %s\ntype: %s\nalgorithm: %s\ndigits: %d\nperiod: %d\ncounter: %d\ntouch: %s\nsecret: ",
		e.Account.Issuer, e.Account.Name, e.Account.Type, e.Account.Algorithm, e.Account.Digits, e.Account.Period, e.Counter, touch)
}

// plaintext is what gets encrypted. A seed is in base32, as authenticator apps take it.
func (e Entry) plaintext(vault string, content *oath.Secret) *oath.Secret {
	header := []byte(e.header(vault))
	if e.Kind == Runbook {
		return join(header, content.Bytes())
	}
	text := oath.NewSecret(base32Len(content.Len()))
	defer text.Wipe()
	encodeBase32(text.Bytes(), content.Bytes())
	return join(header, text.Bytes(), []byte("\n"))
}

// content undoes plaintext.
func (e Entry) content(vault string, plaintext []byte) (*oath.Secret, error) {
	rest, err := afterHeader(plaintext, e.header(vault))
	if err != nil {
		return nil, err
	}
	if e.Kind == Runbook {
		return oath.CopySecret(rest), nil
	}
	secret := firstLine(rest)
	if len(rest) != len(secret)+1 {
		return nil, damaged("it does not end after the secret")
	}
	return decodeBase32(secret)
}

// Seal encrypts a seed or a runbook. The vault stays locked. content stays the caller's.
func (v *Vault) Seal(e Entry, content *oath.Secret) (Row, error) {
	if err := e.validate(); err != nil {
		return Row{}, fmt.Errorf("cannot put %s into the vault: %w", e.ID, err)
	}
	if content.Len() == 0 {
		return Row{}, fmt.Errorf("cannot put %s into the vault: there is nothing to put", e.ID)
	}
	text := e.plaintext(v.ID, content)
	defer text.Wipe()
	return v.encryptRow(e, text)
}

func (v *Vault) encryptRow(e Entry, text *oath.Secret) (Row, error) {
	recipient, err := age.ParseX25519Recipient(v.PublicKey)
	if err != nil {
		return Row{}, fmt.Errorf("cannot put %s into the vault: %w", e.ID, err)
	}
	ciphertext, err := encrypt(text, recipient)
	if err != nil {
		return Row{}, fmt.Errorf("cannot put %s into the vault: %w", e.ID, err)
	}
	return Row{Entry: e, Ciphertext: ciphertext}, nil
}
