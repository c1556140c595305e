package escrow

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// Open is a vault that was unlocked, for one purpose and one caller, who closes it. It is not for several
// goroutines at once.
type Open struct {
	// Purpose is what it was unlocked for, By what opened it.
	Purpose string
	By      Recipient

	vault *Vault
	key   secretKey
	pair  pair // the key's, for the rows
}

// Unlock opens the vault with one of its recipients, which for a PIV slot takes one operation of the card. It
// finds the vault as it was made: the public key, and the list of recipients. Its errors wrap those of this
// package; what the card said comes back as it is.
func (v *Vault) Unlock(purpose string, id *Identity) (*Open, error) {
	by, err := v.find(id.recipient)
	if err != nil {
		return nil, fmt.Errorf("cannot unlock the vault: %w", err)
	}
	key, err := v.unwrap(by, id)
	if err != nil {
		return nil, fmt.Errorf("cannot unlock the vault: %w", err)
	}
	if !hmac.Equal(v.mac, v.computeMAC(key)) {
		key.scalar.Wipe()
		return nil, fmt.Errorf("cannot unlock the vault: %w", ErrTampered)
	}
	pair, err := key.pair()
	if err != nil {
		key.scalar.Wipe()
		return nil, fmt.Errorf("cannot unlock the vault: %w", err)
	}
	return &Open{Purpose: purpose, By: by, vault: v, key: key, pair: pair}, nil
}

func (v *Vault) unwrap(by Recipient, id *Identity) (secretKey, error) {
	file, refused := v.Wrapped, damaged("it does not open with %s, which is one of its recipients", by.Public)
	if by.Kind() == KindPassphrase {
		file, refused = v.Passphrase, ErrWrongPassphrase
	}
	text, err := decrypt(file, id.key)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return secretKey{}, refused
	}
	if err != nil {
		return secretKey{}, err
	}
	defer text.Wipe()
	return v.readKey(text.Bytes())
}

// Vault returns what was unlocked.
func (o *Open) Vault() *Vault { return o.vault }

// Close wipes the vault key. A second Close does nothing.
func (o *Open) Close() {
	o.key.scalar.Wipe()
	o.pair.forget()
}

// Get returns what is in a row, as the caller's. Everything that it is bound to must be as the entry says: the
// error wraps ErrForeign, ErrDamaged or ErrNewer, or is a *MismatchError that names the field.
func (o *Open) Get(row Row) (*oath.Secret, error) {
	text, err := o.plaintext(row)
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	content, err := row.Entry.content(o.vault.ID, text.Bytes())
	if err != nil {
		return nil, cannotOpen(row, err)
	}
	return content, nil
}

func (o *Open) check() error {
	if o.key.scalar.Len() == 0 {
		return ErrClosed
	}
	return nil
}

func (o *Open) plaintext(row Row) (*oath.Secret, error) {
	if err := errors.Join(o.check(), row.Entry.validate()); err != nil {
		return nil, cannotOpen(row, err)
	}
	text, err := decrypt(row.Ciphertext, o.pair)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		err = ErrForeign
	}
	if err != nil {
		return nil, cannotOpen(row, err)
	}
	return text, nil
}

func cannotOpen(row Row, err error) error {
	return fmt.Errorf("cannot open the %s of account %s: %w", row.Entry.Kind, row.Entry.ID, err)
}

// AddRecipient returns the vault with one recipient more; the payloads stay as they are. passphrase is nil
// unless it is what is added, and stays the caller's.
func (o *Open) AddRecipient(r Recipient, passphrase *oath.Secret) (*Vault, error) {
	err := o.check()
	if err == nil && passphrase != nil && r.Kind() != KindPassphrase {
		err = fmt.Errorf("%w: a passphrase for %s", ErrRecipients, r.Public)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot add a recipient: %w", err)
	}
	v, err := o.vault.wrap(o.key, append(slices.Clone(o.vault.Recipients), r), passphrase)
	if err != nil {
		return nil, fmt.Errorf("cannot add a recipient: %w", err)
	}
	return v, nil
}

// RemoveRecipients returns the vault without the recipients whose Public is given. What they could open must
// not open what comes, so the vault key is another one, and every row is encrypted again: rows must be all there
// are, and what is returned replaces them together with the vault, in one step. Older backups still open with the
// old key; the seeds in them count as exposed to who was removed.
//
// passphrase is needed if the vault keeps a passphrase, and must be the old one. Nothing is returned if any row
// does not open.
func (o *Open) RemoveRecipients(now time.Time, public []string, passphrase *oath.Secret, rows []Row) (*Vault, []Row, error) {
	if err := o.check(); err != nil {
		return nil, nil, fmt.Errorf("cannot remove recipients: %w", err)
	}
	v, again, err := o.rekey(now, public, passphrase, rows)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot remove recipients: %w", err)
	}
	return v, again, nil
}

func (o *Open) rekey(now time.Time, public []string, passphrase *oath.Secret, rows []Row) (*Vault, []Row, error) {
	stay, err := o.vault.without(public)
	if err != nil {
		return nil, nil, err
	}
	if err := o.checkPassphrase(stay, passphrase); err != nil {
		return nil, nil, err
	}
	v, err := makeVault(o.vault.ID, now, stay, passphrase)
	if err != nil {
		return nil, nil, err
	}
	again := make([]Row, len(rows))
	for i, row := range rows {
		if again[i], err = o.move(row, v); err != nil {
			return nil, nil, err
		}
	}
	return v, again, nil
}

// move encrypts a row again for another vault key.
func (o *Open) move(row Row, to *Vault) (Row, error) {
	content, err := o.Get(row)
	if err != nil {
		return Row{}, err
	}
	defer content.Wipe()
	return to.Seal(row.Entry, content)
}

func (v *Vault) without(public []string) ([]Recipient, error) {
	for _, p := range public {
		if _, err := v.find(p); err != nil {
			return nil, err
		}
	}
	stay := slices.DeleteFunc(slices.Clone(v.Recipients), func(r Recipient) bool { return slices.Contains(public, r.Public) })
	return stay, checkRecipients(stay)
}

// checkPassphrase finds a passphrase that is to stay to be the one that was, so that a slip of the hand does not
// change it.
func (o *Open) checkPassphrase(stay []Recipient, passphrase *oath.Secret) error {
	i := slices.IndexFunc(stay, func(r Recipient) bool { return r.Kind() == KindPassphrase })
	if i < 0 {
		return nil
	}
	if passphrase.Len() == 0 {
		return ErrPassphraseNeeded
	}
	id := Passphrase(passphrase)
	defer id.Wipe()
	key, err := o.vault.unwrap(stay[i], id)
	if err != nil {
		return err
	}
	defer key.scalar.Wipe()
	if !bytes.Equal(key.scalar.Bytes(), o.key.scalar.Bytes()) {
		return damaged("the passphrase opens another vault key")
	}
	return nil
}
