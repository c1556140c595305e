package escrow

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"filippo.io/age"
)

// RecipientKind is what a recipient is in the hands of its owner.
type RecipientKind string

// The kinds of recipients.
const (
	KindPIV        RecipientKind = "piv"
	KindRecovery   RecipientKind = "recovery"
	KindPassphrase RecipientKind = "passphrase"
)

// PassphraseRecipient stands in Recipient.Public for a passphrase, which has no public half.
const PassphraseRecipient = "passphrase"

// The retired slots, which age-plugin-yubikey numbers from 1 to 20 (NIST SP 800-73-4, part 1, table 4b).
const firstSlot, lastSlot = 0x82, 0x95

// Recipient is one of those that can open the vault.
type Recipient struct {
	// Public identifies it: "age1yubikey1…", "age1…", or "passphrase".
	Public string
	// Key (the ledger's id), Serial and Slot (82 to 95, as PIV numbers the retired ones) tell where a PIV slot
	// is; else they are zero.
	Key    string
	Serial uint32
	Slot   byte
	// Name is what people call it: "blue key", "paper in the safe".
	Name string
	// Added is in UTC seconds.
	Added time.Time
}

// Kind tells the kind by the form of Public.
func (r Recipient) Kind() RecipientKind {
	switch {
	case r.Public == PassphraseRecipient:
		return KindPassphrase
	case strings.HasPrefix(r.Public, prefixPIV+"1"):
		return KindPIV
	}
	return KindRecovery
}

// IdentityLine returns what age needs, beside age-plugin-yubikey, to use a PIV slot: "AGE-PLUGIN-YUBIKEY-1…".
// It is "" for other recipients.
func (r Recipient) IdentityLine() string {
	public, err := parsePIV(r.Public)
	if err != nil {
		return ""
	}
	return pluginIdentity(r.Serial, r.Slot, public)
}

// Point returns the public key of a PIV slot, 65 bytes, uncompressed; nil for other recipients.
func (r Recipient) Point() []byte {
	public, err := parsePIV(r.Public)
	if err != nil {
		return nil
	}
	return public.Bytes()
}

// recipientLine is a recipient in the vault's head; the name comes last, for it may have blanks.
const recipientLine = "%s %s key=%s serial=%d slot=%x added=%s name=%s"

// noKey stands for an empty Key, which would leave the line a word short.
const noKey = "-"

func (r Recipient) line() string {
	key := r.Key
	if key == "" {
		key = noKey
	}
	return fmt.Sprintf(recipientLine, r.Kind(), r.Public, key, r.Serial, r.Slot, formatTime(r.Added), r.Name)
}

// parseRecipientLine undoes line, leniently: who calls it writes the line again and compares.
func parseRecipientLine(s string) (r Recipient, err error) {
	var kind, added string
	head, name, _ := strings.Cut(s, " name=")
	format, _, _ := strings.Cut(recipientLine, " name=")
	if _, err := fmt.Sscanf(head, format, &kind, &r.Public, &r.Key, &r.Serial, &r.Slot, &added); err != nil {
		return Recipient{}, fmt.Errorf("unreadable recipient %q", s)
	}
	if r.Key == noKey {
		r.Key = ""
	}
	r.Name = name
	r.Added, err = time.Parse(time.RFC3339, added)
	return r, err
}

// validate checks what a vault's head could not hold, or age not encrypt to.
func (r Recipient) validate() error {
	if _, err := r.wrapper(); err != nil && r.Kind() != KindPassphrase {
		return fmt.Errorf("%w: %q: %w", ErrRecipients, r.Public, err)
	}
	if r.Kind() == KindPIV && (r.Slot < firstSlot || r.Slot > lastSlot) {
		return fmt.Errorf("%w: %#x is no retired slot", ErrRecipients, r.Slot)
	}
	if r.Key != "" && !validID(r.Key) {
		return fmt.Errorf("%w: %q is no key's id", ErrRecipients, r.Key)
	}
	if strings.ContainsFunc(r.Name, unicode.IsControl) || strings.ToValidUTF8(r.Name, "") != r.Name {
		return fmt.Errorf("%w: unusable name %q", ErrRecipients, r.Name)
	}
	return nil
}

// wrapper returns what age encrypts to; there is none for a passphrase.
func (r Recipient) wrapper() (age.Recipient, error) {
	switch r.Kind() {
	case KindPIV:
		public, err := parsePIV(r.Public)
		return pivRecipient{public}, err
	case KindRecovery:
		return age.ParseX25519Recipient(r.Public)
	}
	return nil, errors.New("a passphrase has no public half")
}

// checkRecipients holds a list against the rules: no one twice, and at least one that is no passphrase, for
// a passphrase can be forgotten, guessed, and nobody sees that it was.
func checkRecipients(list []Recipient) error {
	seen := map[string]bool{}
	for _, r := range list {
		if err := r.validate(); err != nil {
			return err
		}
		if seen[r.Public] {
			return fmt.Errorf("%w: %s is there twice", ErrRecipients, r.Public)
		}
		seen[r.Public] = true
	}
	if len(seen) == 0 || len(seen) == 1 && seen[PassphraseRecipient] {
		return fmt.Errorf("%w: nothing but a passphrase would open it", ErrRecipients)
	}
	return nil
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
