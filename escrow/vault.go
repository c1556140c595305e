package escrow

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// Vault is all of a vault but the payloads, and nothing of it is secret: what it takes to add payloads, and to
// ask a recipient to open it. It is never changed; what changes it returns another one. Its fields are to read.
type Vault struct {
	// ID stays the same for the vault's life: 10 characters of lower-case base32.
	ID string
	// PublicKey, "age1…", is the vault key's; Created is when that was drawn (UTC seconds).
	PublicKey  string
	Created    time.Time
	Recipients []Recipient
	// Wrapped is the age file with the secret half, for all recipients but the passphrase.
	Wrapped []byte
	// Passphrase is the same for the passphrase, nil if there is none.
	Passphrase []byte

	// mac is an HMAC under the vault key of all the above but the two files.
	mac []byte
}

// Create makes a vault for two recipients or more; one is soon lost. passphrase is nil unless there is one among
// them. The passphrase stays the caller's.
func Create(now time.Time, recipients []Recipient, passphrase *oath.Secret) (*Vault, error) {
	if len(recipients) < 2 {
		return nil, fmt.Errorf("cannot make a vault: %w: there must be two at least", ErrRecipients)
	}
	id := strings.ToLower(rand.Text()[:idLen])
	v, err := makeVault(id, now, recipients, passphrase)
	if err != nil {
		return nil, fmt.Errorf("cannot make a vault: %w", err)
	}
	return v, nil
}

// makeVault draws a vault key and wraps it.
func makeVault(id string, now time.Time, recipients []Recipient, passphrase *oath.Secret) (*Vault, error) {
	key := newSecretKey()
	defer key.scalar.Wipe()
	public, err := key.recipient()
	if err != nil {
		return nil, err
	}
	v := &Vault{ID: id, PublicKey: public, Created: now.UTC().Truncate(time.Second)}
	return v.wrap(key, recipients, passphrase)
}

// wrap returns the vault with this list of recipients. The passphrase's file is made anew only if there is a
// passphrase.
func (v *Vault) wrap(key secretKey, recipients []Recipient, passphrase *oath.Secret) (*Vault, error) {
	if err := checkRecipients(recipients); err != nil {
		return nil, err
	}
	next := *v
	next.Recipients = slices.Clone(recipients)
	for i := range next.Recipients {
		next.Recipients[i].Added = next.Recipients[i].Added.UTC().Truncate(time.Second)
	}
	text := next.keyText(key)
	defer text.Wipe()
	var err error
	next.Wrapped, err = encrypt(text, next.wrappers()...)
	if err != nil {
		return nil, err
	}
	if err := next.wrapPassphrase(text, passphrase); err != nil {
		return nil, err
	}
	next.mac = next.computeMAC(key)
	return &next, nil
}

// wrapPassphrase makes the passphrase's file, keeps the old one, or drops it.
func (v *Vault) wrapPassphrase(text, passphrase *oath.Secret) (err error) {
	wanted := slices.ContainsFunc(v.Recipients, func(r Recipient) bool { return r.Kind() == KindPassphrase })
	switch {
	case !wanted && passphrase != nil:
		return fmt.Errorf("%w: a passphrase that is not in the list", ErrRecipients)
	case !wanted:
		v.Passphrase = nil
	case passphrase.Len() > 0:
		v.Passphrase, err = encrypt(text, passphraseRecipient{passphrase})
	case v.Passphrase == nil:
		return ErrPassphraseNeeded
	}
	return err
}

func (v *Vault) wrappers() []age.Recipient {
	var all []age.Recipient
	for _, r := range v.Recipients {
		if w, err := r.wrapper(); err == nil {
			all = append(all, w)
		}
	}
	return all
}

// keyHeader is what stands above the secret key in the wrapped files. They are identity files for age.
func (v *Vault) keyHeader() string {
	return fmt.Sprintf("# oathd vault key %d\n# vault: %s\n# public key: %s\n", version, v.ID, v.PublicKey)
}

func (v *Vault) keyText(key secretKey) *oath.Secret {
	secret := key.text()
	defer secret.Wipe()
	return join([]byte(v.keyHeader()), secret.Bytes(), []byte("\n"))
}

// readKey undoes keyText, and finds that the secret key is that of the vault's public key.
func (v *Vault) readKey(text []byte) (secretKey, error) {
	rest, err := afterHeader(text, v.keyHeader())
	if mismatch, ok := errors.AsType[*MismatchError](err); ok {
		if mismatch.Field == "# vault" {
			return secretKey{}, fmt.Errorf("%w: the key inside is that of vault %s, this is %s", ErrReplaced, mismatch.Got, v.ID)
		}
		return secretKey{}, fmt.Errorf("%w: inside it is %s, outside %s", ErrReplaced, mismatch.Got, v.PublicKey)
	}
	if err != nil {
		return secretKey{}, err
	}
	key, err := parseSecretKey(firstLine(rest))
	if err != nil {
		return secretKey{}, damaged("the vault key: %w", err)
	}
	public, err := key.recipient()
	if err == nil && public != v.PublicKey {
		err = fmt.Errorf("%w: the secret key inside is not that of %s", ErrReplaced, v.PublicKey)
	}
	if err == nil && len(rest) != len(firstLine(rest))+1 {
		err = damaged("something follows the vault key")
	}
	if err != nil {
		key.scalar.Wipe()
		return secretKey{}, err
	}
	return key, nil
}

func (v *Vault) computeMAC(key secretKey) []byte {
	return oath.HMAC(oath.SHA256, key.scalar.Bytes(), []byte("oathd vault mac\n"+v.headBeforeMAC()))
}

func (v *Vault) headBeforeMAC() string {
	var b strings.Builder
	fmt.Fprintf(&b, "oathd vault %d\nvault: %s\npublic key: %s\ncreated: %s\n", version, v.ID, v.PublicKey, formatTime(v.Created))
	for _, r := range v.Recipients {
		fmt.Fprintf(&b, "recipient: %s\n", r.line())
	}
	return b.String()
}

// head is all of the vault but the two files, as text.
func (v *Vault) head() string {
	return v.headBeforeMAC() + "mac: " + base64.RawStdEncoding.EncodeToString(v.mac) + "\n"
}

// find returns the recipient with this public half.
func (v *Vault) find(public string) (Recipient, error) {
	for _, r := range v.Recipients {
		if r.Public == public {
			return r, nil
		}
	}
	return Recipient{}, fmt.Errorf("%w: %s", ErrNoRecipient, public)
}

// join copies parts into one Secret.
func join(parts ...[]byte) *oath.Secret {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	all := oath.NewSecret(n)
	rest := all.Bytes()
	for _, p := range parts {
		rest = rest[copy(rest, p):]
	}
	return all
}
