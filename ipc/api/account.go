package api

import "time"

// CopyState says how much is known of a copy.
type CopyState string

// The states of a copy.
const (
	// CopyProved: the key answered the fingerprint step as the seed does.
	CopyProved CopyState = "proved"
	// CopyUnproven: the credential is there, nothing is known of its seed (touch needed, or not yet asked).
	CopyUnproven CopyState = "unproven"
	// CopyWritten: an HOTP credential that oathd wrote; HOTP can't be proved.
	CopyWritten CopyState = "written"
	// CopyPending: an intent is open; the copy may or may not be on the key.
	CopyPending CopyState = "pending"
	// CopyMissing: the ledger has it, the key no longer does.
	CopyMissing CopyState = "missing"
	// CopyMismatch: the key answered, but with another seed than before.
	CopyMismatch CopyState = "mismatch"
)

// Copy is an account's credential on one key.
type Copy struct {
	// Key is the key's id, KeyLabel what people call it.
	Key      string    `json:"key"`
	KeyLabel string    `json:"key_label"`
	State    CopyState `json:"state"`
	// CredentialID is the name under which the key holds it.
	CredentialID string `json:"credential_id"`
	Touch        bool   `json:"touch"`
	// Present says that the key is plugged in, Locked that its password is not known.
	Present bool `json:"present"`
	Locked  bool `json:"locked"`
	Soft    bool `json:"soft"`
	// ProvedAt is when the key last proved the copy.
	ProvedAt time.Time `json:"proved_at,omitzero"`
}

// Account is what a person has at a service, with its copies.
type Account struct {
	// ID is 10 characters of lower-case base32.
	ID     string `json:"id"`
	Issuer string `json:"issuer"`
	Name   string `json:"name"`
	Alias  string `json:"alias,omitempty"`
	// Type is "totp" or "hotp", Algorithm "SHA1", "SHA256" or "SHA512"; Period is in seconds, 0 for HOTP.
	Type      string `json:"type"`
	Algorithm string `json:"algorithm"`
	// Digits is 0 where no key has told yet (an unproven credential).
	Digits int  `json:"digits,omitempty"`
	Period int  `json:"period,omitempty"`
	Steam  bool `json:"steam,omitempty"`
	// Touch says that every copy that is plugged in needs a touch.
	Touch bool `json:"touch"`
	// Available says that a code can be had now: a copy is plugged in on a key that is not locked.
	Available bool `json:"available"`
	// Proved counts the proved copies that count, Wanted those that the user wants.
	Proved int `json:"proved"`
	Wanted int `json:"wanted"`
	// Superseded says that another account of this name was declared the valid one.
	Superseded bool `json:"superseded,omitempty"`
	// Conflict says that another account of this name exists with another seed.
	Conflict bool `json:"conflict,omitempty"`
	// Escrow says whether the escrow has its seed; RunbookAt is when its runbook was last written or confirmed.
	Escrow    EscrowState `json:"escrow,omitempty"`
	RunbookAt time.Time   `json:"runbook_at,omitzero"`
	// Rotating is the id of the account that has its next seed, while it is getting one.
	Rotating string `json:"rotating,omitempty"`
	Copies   []Copy `json:"copies"`
}

// Label returns "issuer:name", or the name alone.
func (a Account) Label() string {
	if a.Issuer == "" {
		return a.Name
	}
	return a.Issuer + ":" + a.Name
}

// RenameRequest gives an account another name, on every key that can.
type RenameRequest struct {
	Issuer string `json:"issuer"`
	Name   string `json:"name"`
}
