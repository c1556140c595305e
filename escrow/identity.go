package escrow

import (
	"fmt"
	"runtime/debug"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// Identity opens a vault: the secret half of one recipient, or the card that has it.
type Identity struct {
	recipient string
	key       age.Identity
	secret    *oath.Secret
}

// PIV returns the identity of a slot by its recipient, "age1yubikey1…". The card is asked when a vault is
// unlocked that has this recipient, and once.
func PIV(recipient string, card ECDH) (*Identity, error) {
	public, err := parsePIV(recipient)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", recipient, err)
	}
	return &Identity{recipient: recipient, key: pivIdentity{public, card}}, nil
}

// Recovery returns the identity of a recovery key as a person typed it: blanks and line breaks do not count.
// Its error wraps ErrMistyped. typed stays the caller's.
func Recovery(typed *oath.Secret) (*Identity, error) {
	k, err := parseRecovery(typed.Bytes())
	if err != nil {
		return nil, err
	}
	recipient, err := k.recipient()
	if err != nil {
		k.scalar.Wipe()
		return nil, fmt.Errorf("cannot use the recovery key: %w", err)
	}
	return &Identity{recipient: recipient, key: k, secret: k.scalar}, nil
}

// Passphrase returns the identity of a passphrase, which stays the caller's.
func Passphrase(passphrase *oath.Secret) *Identity {
	own := passphrase.Clone()
	return &Identity{recipient: PassphraseRecipient, key: passphraseIdentity{own}, secret: own}
}

// Recipient returns the public half, as Recipient.Public has it.
func (i *Identity) Recipient() string { return i.recipient }

// Wipe overwrites the secret. The identity opens nothing any more.
func (i *Identity) Wipe() { i.secret.Wipe() }

// WorkFactor is scrypt's, as a power of two, for passphrases that are set from now on: age's own default, which takes 256 MiB and
// a second. A file that asks for more than four times that is refused. Tests, which have many to set, lower it before
// they begin.
var WorkFactor = 18

const maxWorkFactor = 20

// passphraseRecipient wraps file keys with a passphrase.
type passphraseRecipient struct{ passphrase *oath.Secret }

// Wrap implements age.Recipient.
func (r passphraseRecipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	defer debug.FreeOSMemory()
	return wrapPassphrase(r.passphrase, fileKey)
}

// passphraseIdentity unwraps file keys with a passphrase.
type passphraseIdentity struct{ passphrase *oath.Secret }

// Unwrap implements age.Identity.
func (i passphraseIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	defer debug.FreeOSMemory()
	return unwrapPassphrase(i.passphrase, stanzas)
}

// age takes a passphrase as a string, and scrypt makes HMAC pads of it. All that is garbage once the two functions
// below return, so whoever calls them has the collector run: it gives scrypt's memory back too, and under
// GODEBUG=clobberfree=1 overwrites what stays.

func wrapPassphrase(passphrase *oath.Secret, fileKey []byte) ([]*age.Stanza, error) {
	r, err := age.NewScryptRecipient(string(passphrase.Bytes()))
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(WorkFactor)
	return r.Wrap(fileKey)
}

func unwrapPassphrase(passphrase *oath.Secret, stanzas []*age.Stanza) ([]byte, error) {
	if passphrase.Len() == 0 {
		return nil, age.ErrIncorrectIdentity
	}
	i, err := age.NewScryptIdentity(string(passphrase.Bytes()))
	if err != nil {
		return nil, err
	}
	i.SetMaxWorkFactor(maxWorkFactor)
	return i.Unwrap(stanzas)
}
