package api

import "time"

// KeyState says what a key is to oathd.
type KeyState string

// The states of a key.
const (
	// KeySeen is a key that is plugged in and not adopted: it gives codes and is never written to.
	KeySeen KeyState = "seen"
	// KeyAdopted is a key that the user took into the ledger.
	KeyAdopted KeyState = "adopted"
	// KeyLost is a key that the user declared lost.
	KeyLost KeyState = "lost"
)

// Key is one security key, plugged in or known from the ledger.
type Key struct {
	// ID is 10 characters of lower-case base32, drawn at random when the key is adopted.
	ID    string   `json:"id"`
	State KeyState `json:"state"`
	// Label is the user's name for the key, unique among adopted keys.
	Label string `json:"label"`
	// Site is where the key is kept, Holder who has it. Both are for placement and for people.
	Site   string `json:"site,omitempty"`
	Holder string `json:"holder,omitempty"`
	// Vendor is the maker's name as far as the applet tells, e.g. "YubiKey 5", "Nitrokey 3".
	Vendor string `json:"vendor"`
	// Serial is 0 where the key has none or hides it.
	Serial uint32 `json:"serial,omitempty"`
	// Firmware is the version, e.g. "5.4.3".
	Firmware   string `json:"firmware"`
	FormFactor string `json:"form_factor,omitempty"`
	// DeviceID is the OATH applet's own id; it changes when the applet is reset.
	DeviceID string `json:"device_id"`
	// Soft marks a key that is a program. It never counts as a copy beside real keys.
	Soft bool `json:"soft"`
	// Present says that the key is plugged in now; Reader then names the reader.
	Present bool   `json:"present"`
	Reader  string `json:"reader,omitempty"`
	// Contactless says that the key lies on an NFC reader.
	Contactless bool `json:"contactless,omitempty"`
	// PasswordSet says that the applet has a password, Locked that it is not known to the daemon.
	PasswordSet bool `json:"password_set"`
	Locked      bool `json:"locked"`
	// Trouble says in words why a key that is plugged in can't be used, with Hint as the remedy.
	Trouble string `json:"trouble,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Accounts counts the credentials; Capacity is how many the key holds, 0 if unknown.
	Accounts  int       `json:"accounts"`
	Capacity  int       `json:"capacity,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	// Waiting names who waits for a touch of this key, most recent last.
	Waiting []string `json:"waiting,omitempty"`
	// Attestation is only in the answers to the key's adoption and its enrollment, and only where it has an escrow slot.
	Attestation *Attestation `json:"attestation,omitempty"`
}

// Attestation is what Yubico's signature says of a key and of its escrow slot (PIV attestation).
type Attestation struct {
	// Trouble says in words why the signature is not to be believed; then nothing else is told.
	Trouble string `json:"trouble,omitempty"`
	// Serial is 0 where it is not told.
	Serial   uint32 `json:"serial,omitempty"`
	Firmware string `json:"firmware,omitempty"`
	// PIN and Touch say whether the slot asks for them.
	PIN   bool `json:"pin"`
	Touch bool `json:"touch"`
}

// LabelRequest sets a key's label, site or holder.
type LabelRequest struct {
	Value string `json:"value"`
}

// AdoptRequest takes a key into the ledger.
type AdoptRequest struct {
	// Label defaults to the vendor's name and serial.
	Label  string `json:"label,omitempty"`
	Site   string `json:"site,omitempty"`
	Holder string `json:"holder,omitempty"`
}

// ResetRequest empties a key's OATH applet.
type ResetRequest struct {
	// Force allows it although proved copies would be lost that exist nowhere else.
	Force bool `json:"force,omitempty"`
}
