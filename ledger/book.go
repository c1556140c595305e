package ledger

import (
	"crypto/rand"
	"time"

	"github.com/oathd/oathd/oath"
)

// Book is all that a ledger holds, but for the used steps, the escrow's ciphertexts and the audit log.
type Book struct {
	// Salt (32 bytes) and Step are drawn once per ledger and go into every fingerprint. Step lies in
	// [2^13, 2^14): a time step that is past for every period of up to a day, the longest that an account may have.
	Salt []byte
	Step uint64

	Keys     []Key
	Seeds    []Seed
	Accounts []Account
	Copies   []Copy
	Intents  []Intent

	// Vault is the vault's text, nil if there is none. Drills tells when each recipient last opened it. Escrow lists what
	// is in it, without the ciphertexts: Ledger.Escrow reads those.
	Vault  []byte
	Drills map[string]time.Time
	Escrow []Escrowed

	Rotations []Rotation
}

// Key is a key that the user adopted. Times are in UTC seconds everywhere in this package, and zero
// where nothing is known.
type Key struct {
	ID     string
	Vendor string
	// Serial is 0 for a key that has none, or hides it.
	Serial              uint32
	Label, Site, Holder string
	Firmware            string
	// Soft marks a key that is a program.
	Soft bool
	// State is "adopted" or "lost".
	State               string
	FirstSeen, LastSeen time.Time
	// DeviceIDs are the ids that the OATH applet had, the newest last; each reset brings a new one.
	DeviceIDs []string
	// Capacity is how many credentials the key holds, 0 if unknown.
	Capacity int
	// Listing is a hash of the last LIST that was proved as a whole, at ProvedAt.
	Listing     string
	ProvedAt    time.Time
	PasswordSet bool
}

// Seed is a seed as far as the ledger knows it: by its fingerprints, from which it can't be computed.
type Seed struct {
	ID string
	// Full is 32 bytes, or nil if only T4 is known (keys that truncate).
	Full []byte
	T4   []byte
}

// Account is what a person has at a service.
type Account struct {
	ID string
	// Seed is "" as long as nothing is proved; the account then has exactly one copy.
	Seed         string
	Issuer, Name string
	Type         oath.Type
	Algorithm    oath.Algorithm
	// Digits is 0 as long as no key has told; Period is in seconds, 0 for HOTP.
	Digits, Period int
	WantCopies     int
	Alias, Runbook string
	// Superseded says that another account of this name was declared the valid one.
	Superseded bool
	CreatedAt  time.Time
}

// Copy is an account's credential on one key. Key and CredID together identify it.
type Copy struct {
	Key, CredID, Account string
	Type                 oath.Type
	Algorithm            oath.Algorithm
	Digits, Period       int
	Touch                bool
	// Seed is the one that was proved, "" if none was.
	Seed string
	// State is one of ipc/api's copy states.
	State    string
	ProvedAt time.Time
}

// Intent is what is about to be done to a key. It is written before the key changes and deleted
// when the outcome is known.
type Intent struct {
	ID string
	// Kind is "put", "delete" or "rename".
	Kind          string
	Key, CredID   string
	NewCredID     string
	Account, Seed string
	Touch         bool
	CreatedAt     time.Time
}

// Escrowed is what the vault holds of an account, but for the payload.
type Escrowed struct {
	// Account and Kind ("seed", "runbook") together identify it.
	Account, Kind string
	// State is "pending" until a key has proved the seed, then "live".
	State     string
	ChangedAt time.Time
}

// EscrowRow is the whole of it: the payload, encrypted, and in JSON what the payload is bound to.
type EscrowRow struct {
	Escrowed
	Entry, Ciphertext []byte
}

// Rotation says that an account is getting another seed, which Successor has until then.
type Rotation struct {
	Account, Successor string
	BegunAt            time.Time
}

// NewID draws an id: 10 characters of lower-case base32, fit for a D-Bus path.
func NewID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	var id [10]byte
	rand.Read(id[:])
	for i, b := range id {
		id[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(id[:])
}
