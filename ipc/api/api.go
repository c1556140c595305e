// Package api is the vocabulary that oathd shares with its clients: the types that travel, the error
// codes and the routes of version 1. The core answers in these words too, so that every front door says
// the same. It imports the standard library only, so that a client can use it alone.
//
// openapi.yaml describes the routes in the words of OpenAPI 3.1; tests hold it against the types here, the routes of ipc/socket
// and the answers of a real daemon.
//
// Times are UTC. No type holds a seed, a PIN or a password: those travel as raw bodies.
package api

import "time"

// Version is the version of the API that this package describes; it is the first element of every route.
const Version = 1

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

// CodeRequest asks for a code of one account.
type CodeRequest struct {
	// Account selects by id, alias, exact issuer:name, exact name, or a unique case-insensitive part.
	Account string `json:"account"`
	// Key asks for one key, by id, label or serial.
	Key string `json:"key,omitempty"`
	// Fresh asks for a step that was never handed out; it waits for the next one if need be.
	Fresh bool `json:"fresh,omitempty"`
	// Pair asks for the codes of two consecutive steps.
	Pair bool `json:"pair,omitempty"`
	// MinValidity is in seconds: a code that lives shorter is replaced by the next step's.
	MinValidity int `json:"min_validity,omitempty"`
}

// Code is one code and where it came from. Copies are not listed, the code is all that is asked for.
type Code struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	Code    string `json:"code"`
	// Next is the following step's code, with Pair only.
	Next string `json:"next,omitempty"`
	// ValidFrom and ValidUntil bound the code's time step; both are zero for HOTP.
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	// Key is the id of the key that computed it, Proved whether that copy is proved.
	Key      string `json:"key"`
	KeyLabel string `json:"key_label"`
	Proved   bool   `json:"proved"`
	Soft     bool   `json:"soft"`
	Touch    bool   `json:"touch"`
	// Warnings are for people: a superseded account, an unproven copy, a clock that is not synchronised.
	Warnings []string `json:"warnings,omitempty"`
}

// NewAccount is one account to be written. Its seed is not in here: the seeds follow the JSON
// document raw, one after the other in the order of the accounts, SeedBytes long each.
type NewAccount struct {
	Issuer    string `json:"issuer"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Algorithm string `json:"algorithm"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period,omitempty"`
	// Counter is an HOTP account's first counter.
	Counter uint32 `json:"counter,omitempty"`
	Touch   bool   `json:"touch,omitempty"`
	// Alias is one more name, which no other account has; it is in the ledger only, and may be as long as an ARN. An account that has one keeps it.
	Alias     string `json:"alias,omitempty"`
	SeedBytes int    `json:"seed_bytes"`
}

// AddRequest asks for accounts to be written to keys. On the wire it is one line of JSON that ends with
// '\n', then the raw seeds (content type SeedsType).
type AddRequest struct {
	Accounts []NewAccount `json:"accounts"`
	// To names the keys, by id, label or serial. Empty: Copies keys are chosen among the adopted ones.
	To []string `json:"to,omitempty"`
	// Copies is how many keys are to hold each account when To is empty; 0 means the default of 2.
	Copies int `json:"copies,omitempty"`
	// WaitSeconds is how long to wait for keys that are not plugged in; negative: until the client goes.
	WaitSeconds int `json:"wait_seconds,omitempty"`
	// DryRun asks what would become of each account, and has nothing written: the report tells it.
	DryRun bool `json:"dry_run,omitempty"`
}

// SeedsType is the content type of an AddRequest with its seeds, RawType that of a password.
const (
	SeedsType  = "application/vnd.oathd.seeds"
	RawType    = "application/octet-stream"
	JSONType   = "application/json"
	StreamType = "application/x-ndjson"
)

// StepKind says what a Step tells.
type StepKind string

// The kinds of steps that the streams of add, verify and resume tell.
const (
	StepWaitKey   StepKind = "waiting_for_key"   // Key is to be plugged in
	StepWaitTouch StepKind = "waiting_for_touch" // Key blinks
	StepWritten   StepKind = "written"           // the credential is on the key
	StepProved    StepKind = "proved"            // and has answered as it must
	StepFailed    StepKind = "failed"            // Error says why
)

// Step is one line of progress.
type Step struct {
	Kind     StepKind `json:"kind"`
	Key      string   `json:"key,omitempty"`
	KeyLabel string   `json:"key_label,omitempty"`
	Account  string   `json:"account,omitempty"`
	Label    string   `json:"label,omitempty"`
	// Candidates are the labels of the keys that may be plugged in, with StepWaitKey.
	Candidates []string `json:"candidates,omitempty"`
	Error      *Error   `json:"error,omitempty"`
}

// Outcome is what became of one account on one key.
type Outcome struct {
	Key      string    `json:"key"`
	KeyLabel string    `json:"key_label"`
	Soft     bool      `json:"soft,omitempty"`
	State    CopyState `json:"state"`
	// Existed says that the copy was there before, with the same seed.
	Existed bool   `json:"existed,omitempty"`
	Error   *Error `json:"error,omitempty"`
}

// AccountReport is what became of one account.
type AccountReport struct {
	// Account is its id; with a dry run it is empty where no account has the seed yet.
	Account  string    `json:"account"`
	Label    string    `json:"label"`
	Outcomes []Outcome `json:"outcomes"`
	// Wanted is how many copies were asked for, Proved how many are proved (or, for HOTP, written).
	Wanted int `json:"wanted"`
	Proved int `json:"proved"`
	// LostWith names the labels of keys whose loss would now cost the account.
	LostWith []string `json:"lost_with,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Fingerprint is told by a dry run, in hexadecimal: accounts of one ledger that have the same one have the same seed, type,
	// algorithm, digits and period. It says nothing of the seed itself.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Escrow is told by a dry run of an account that is known: the escrow lacks its seed, and would get it.
	Escrow bool `json:"escrow,omitempty"`
	// Unsettled is told by a dry run where an attempt to write it was broken off, though it succeeded: adding it again settles that.
	Unsettled bool `json:"unsettled,omitempty"`
	// Error is why an account cannot be added at all, with a dry run; an outcome's is why it cannot be on that key.
	Error *Error `json:"error,omitempty"`
}

// Report ends the stream of add, verify, resume and of every change to a copy.
type Report struct {
	Accounts []AccountReport `json:"accounts"`
	// Complete says that every copy that was asked for is there and, where it can be, proved.
	Complete bool `json:"complete"`
	// Warnings concern the whole, e.g. that there is no escrow.
	Warnings []string `json:"warnings,omitempty"`
	// Helps are told by a dry run of more than there is room for: any one of these would do.
	Helps []PlanChange `json:"helps,omitempty"`
}

// Line is one line of an NDJSON stream. Exactly one field is set; Report or Error ends the stream.
type Line struct {
	Step   *Step   `json:"step,omitempty"`
	Report *Report `json:"report,omitempty"`
	Error  *Error  `json:"error,omitempty"`
}

// VerifyRequest asks for proofs.
type VerifyRequest struct {
	// Account and Key narrow what is verified; empty means all.
	Account string `json:"account,omitempty"`
	Key     string `json:"key,omitempty"`
	// Touch also proves credentials that need a touch, one touch each.
	Touch bool `json:"touch,omitempty"`
	// Current names the key that holds the valid one of several accounts with the same name.
	Current string `json:"current,omitempty"`
}

// ResumeRequest asks for open intents to be finished.
type ResumeRequest struct {
	// Discard drops the intents whose account can't be finished without its seed.
	Discard bool `json:"discard,omitempty"`
	// Opener has what is absent written from the escrow. Its secret follows the request.
	Opener *Opener `json:"opener,omitempty"`
}

// RenameRequest gives an account another name, on every key that can.
type RenameRequest struct {
	Issuer string `json:"issuer"`
	Name   string `json:"name"`
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

// Risk says how an account would fare.
type Risk string

// The risks of an account.
const (
	RiskSafe     Risk = "safe"      // two proved copies or more
	RiskOneLoss  Risk = "at_risk"   // the loss of one key would cost it
	RiskUnproven Risk = "unproven"  // copies exist, none is proved
	RiskNoCopy   Risk = "lost"      // no key has it
	RiskHOTP     Risk = "hotp"      // one copy by nature
	RiskOnlySoft Risk = "only_soft" // soft keys alone have it
	RiskEscrow   Risk = "escrow"    // fewer than two proved copies, and the escrow can make more
)

// Coverage is accounts × keys.
type Coverage struct {
	At   time.Time `json:"at"`
	Keys []Key     `json:"keys"`
	// Rows are in the order of the accounts' labels.
	Rows []CoverageRow `json:"rows"`
	// Safe, AtRisk count the rows; AtRisk is all that is neither safe nor superseded.
	Safe   int `json:"safe"`
	AtRisk int `json:"at_risk"`
	// Losses say what it would cost to lose a key, all keys at a site, or all that one person has: first the keys in their order,
	// then sites, then holders.
	Losses []Loss `json:"losses"`
	// Reminders are what people tend to put off: drills, runbooks.
	Reminders []string `json:"reminders,omitempty"`
}

// CoverageRow is one account's line.
type CoverageRow struct {
	Account Account `json:"account"`
	Risk    Risk    `json:"risk"`
	// Advice says what to do, "" where nothing is to be done.
	Advice string `json:"advice,omitempty"`
}

// AuditEntry is one line of the audit log; Hash covers it and Prev.
type AuditEntry struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	What string    `json:"what"`
	Prev string    `json:"prev"`
	Hash string    `json:"hash"`
}

// Audit is the audit log with the result of checking its chain.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	Intact  bool         `json:"intact"`
}

// EventKind says what an Event tells.
type EventKind string

// The events. None carries a code.
const (
	EventKeyIn        EventKind = "key_in"
	EventKeyOut       EventKind = "key_out"
	EventKeyChanged   EventKind = "key_changed"
	EventTouchWanted  EventKind = "touch_wanted"
	EventTouchDone    EventKind = "touch_done"
	EventAccounts     EventKind = "accounts_changed"
	EventMismatch     EventKind = "copy_mismatch"
	EventTrouble      EventKind = "trouble"
	EventTroubleOver  EventKind = "trouble_over"
	EventSkipped      EventKind = "skipped" // the reader was too slow; Skipped says how many it missed
	EventHoldToReader EventKind = "hold_to_reader"
)

// Event is one line of the event stream.
type Event struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Kind     EventKind `json:"kind"`
	Key      string    `json:"key,omitempty"`
	KeyLabel string    `json:"key_label,omitempty"`
	Account  string    `json:"account,omitempty"`
	Label    string    `json:"label,omitempty"`
	// Waiting names everyone who waits, with EventTouchWanted.
	Waiting []string `json:"waiting,omitempty"`
	Message string   `json:"message,omitempty"`
	Skipped uint64   `json:"skipped,omitempty"`
}

// Status is what the daemon says of itself.
type Status struct {
	Version string    `json:"version"`
	API     int       `json:"api"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Bay is "pcsc" or "soft".
	Bay string `json:"bay"`
	// Readers counts the readers, Keys the keys plugged in.
	Readers int `json:"readers"`
	Keys    int `json:"keys"`
	// OpenIntents counts what resume would look at.
	OpenIntents int    `json:"open_intents"`
	Ledger      string `json:"ledger"`
	// Trouble and Hint say what keeps the daemon from seeing keys.
	Trouble string `json:"trouble,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Warnings are for people: a clock that is not synchronised.
	Warnings []string `json:"warnings,omitempty"`
}

// Name is something that can be typed to mean one account or key, with a Note that says what it is.
type Name struct {
	Name string `json:"name"`
	Note string `json:"note,omitempty"`
}

// Keys, Accounts and Names wrap lists, so that the documents can grow.
type (
	// Keys answers GET /v1/keys.
	Keys struct {
		Keys []Key `json:"keys"`
	}
	// Accounts answers GET /v1/accounts.
	Accounts struct {
		Accounts []Account `json:"accounts"`
	}
	// Names answers GET /v1/names?account=TEXT and ?key=TEXT: what may be meant by the beginning of a name.
	Names struct {
		Names []Name `json:"names"`
	}
)
