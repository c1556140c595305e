package api

import "time"

// SecretsType is the content type of a request with secrets: one line of JSON that ends with '\n', then the secrets raw, one
// after the other, each as long as the request says. A request that may do without any is sent as JSONType then. It is
// also the type of an EscrowMade, behind which a page follows.
const SecretsType = "application/vnd.oathd.secrets"

// BackupType is the content type of a backup of the escrow.
const BackupType = "application/x-tar"

// OpenerKind says what opens the escrow.
type OpenerKind string

// What opens it.
const (
	OpenPIV        OpenerKind = "piv"        // a security key: the secret is its PIV PIN, and it asks for a touch
	OpenRecovery   OpenerKind = "recovery"   // a printed recovery key: the secret is its text
	OpenPassphrase OpenerKind = "passphrase" // a passphrase
)

// Opener is what a request brings to open the escrow with, for itself alone: between requests it is locked. Its
// secret is the first that follows the request.
type Opener struct {
	By OpenerKind `json:"by"`
	// Key names the security key by id, label or serial; empty: the one recipient that is plugged in.
	Key         string `json:"key,omitempty"`
	SecretBytes int    `json:"secret_bytes"`
}

// EscrowState says whether the escrow has an account's seed.
type EscrowState string

// The states of a seed in the escrow; "" is none.
const (
	// EscrowPending: it is there, and no key has proved it yet.
	EscrowPending EscrowState = "pending"
	EscrowLive    EscrowState = "live"
)

// Escrow is what can be told of the escrow without opening it.
type Escrow struct {
	// Exists is false where there is none; all else is empty then.
	Exists bool `json:"exists"`
	// Trouble and Hint say why it cannot be used.
	Trouble string `json:"trouble,omitempty"`
	Hint    string `json:"hint,omitempty"`

	ID string `json:"id,omitempty"`
	// PublicKey is what seeds are encrypted to, since Created.
	PublicKey  string      `json:"public_key,omitempty"`
	Created    time.Time   `json:"created,omitzero"`
	Recipients []Recipient `json:"recipients,omitempty"`
	// Seeds, Pending and Runbooks count what is in it.
	Seeds    int `json:"seeds"`
	Pending  int `json:"pending"`
	Runbooks int `json:"runbooks"`
	// Without are the accounts in the ledger whose seed is not in it.
	Without []Candidate `json:"without,omitempty"`
	// Warnings are for people.
	Warnings []string `json:"warnings,omitempty"`
}

// Recipient is one of those that open the escrow.
type Recipient struct {
	By OpenerKind `json:"by"`
	// Public identifies it: "age1yubikey1…", "age1…", or "passphrase".
	Public string `json:"public"`
	// Key, Serial and Slot (0x82 to 0x95) tell where a security key's is; Present says that it is plugged in.
	Key     string `json:"key,omitempty"`
	Serial  uint32 `json:"serial,omitempty"`
	Slot    int    `json:"slot,omitempty"`
	Present bool   `json:"present,omitempty"`
	// Name is what people call it.
	Name  string    `json:"name,omitempty"`
	Added time.Time `json:"added"`
	// DrilledAt is when it last opened the escrow in a drill.
	DrilledAt time.Time `json:"drilled_at,omitzero"`
}

// EscrowInitRequest makes the escrow, for two recipients or more. The passphrase's is the secret that follows.
type EscrowInitRequest struct {
	// Keys are enrolled security keys, by id, label or serial.
	Keys []string `json:"keys,omitempty"`
	// Recovery names a recovery paper to be made, e.g. "paper in the safe"; empty: none.
	Recovery        string `json:"recovery,omitempty"`
	PassphraseBytes int    `json:"passphrase_bytes,omitempty"`
}

// EscrowAddRequest adds one recipient: a key, a new recovery paper, or a passphrase, which follows the opener's secret.
type EscrowAddRequest struct {
	Opener          Opener `json:"opener"`
	Key             string `json:"key,omitempty"`
	Recovery        string `json:"recovery,omitempty"`
	PassphraseBytes int    `json:"passphrase_bytes,omitempty"`
}

// EscrowMade is the escrow with a recipient that was just made. On the wire a recovery paper follows it: PaperBytes of HTML to
// be printed, with the recovery key in it, which nobody can see again.
type EscrowMade struct {
	Escrow     Escrow `json:"escrow"`
	PaperBytes int    `json:"paper_bytes"`
}

// EscrowRemoveRequest takes recipients out, by their names, public halves or keys. The passphrase that stays, if there is
// one, follows the opener's secret.
type EscrowRemoveRequest struct {
	Opener          Opener   `json:"opener"`
	Recipients      []string `json:"recipients"`
	PassphraseBytes int      `json:"passphrase_bytes,omitempty"`
}

// EscrowDrillRequest tries one recipient.
type EscrowDrillRequest struct {
	Opener Opener `json:"opener"`
}

// EscrowDrill is what a drill found: everything that is in the escrow was opened and compared.
type EscrowDrill struct {
	Recipient Recipient `json:"recipient"`
	// Seeds counts the seeds, Proved those that keys have answered for, Here those that a key which is plugged in
	// answered for just now; Runbooks counts the runbooks that could be read.
	Seeds    int `json:"seeds"`
	Proved   int `json:"proved"`
	Here     int `json:"here"`
	Runbooks int `json:"runbooks"`
	// Faults are what did not open, or is another seed than the keys have.
	Faults []EscrowFault `json:"faults,omitempty"`
	// Untried names the recipients that were never tried, or not for 90 days.
	Untried []string `json:"untried,omitempty"`
}

// EscrowFault is something in the escrow that is not as it must be.
type EscrowFault struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	Error   *Error `json:"error"`
}

// EscrowOpenRequest rebuilds ledger and escrow from a backup. The backup follows the opener's secret.
type EscrowOpenRequest struct {
	Opener      Opener `json:"opener"`
	BackupBytes int    `json:"backup_bytes"`
}

// RestoreRequest writes accounts from the escrow to keys.
type RestoreRequest struct {
	Opener Opener `json:"opener"`
	// To names the keys, by id, label or serial.
	To []string `json:"to"`
	// Accounts names the accounts, each of which goes to every key; empty: all that the keys should hold, which is what lacks copies,
	// spread over them, or, if nothing does, one more copy of everything on each.
	Accounts []string `json:"accounts,omitempty"`
	// WaitSeconds is how long to wait for keys that are not plugged in; negative: until the client goes.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// LostRequest declares a key lost. With an opener it is taken out of the escrow's recipients; the passphrase, if the escrow has
// one, follows the opener's secret.
type LostRequest struct {
	Opener          *Opener `json:"opener,omitempty"`
	PassphraseBytes int     `json:"passphrase_bytes,omitempty"`
}

// LostReport says what the loss of a key means.
type LostReport struct {
	Key Key `json:"key"`
	// Accounts are those that the key had.
	Accounts []LostAccount `json:"accounts"`
	// Recipient says that the key can still open the escrow, or older backups of it.
	Recipient bool `json:"recipient"`
	// Revoke lists what to do about what the finder has.
	Revoke   []string `json:"revoke,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// LostAccount is what is left of an account.
type LostAccount struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	Risk    Risk   `json:"risk"`
	Advice  string `json:"advice,omitempty"`
}

// ExportRequest asks for an account's seed out of the escrow, for a device that can only be enrolled by hand.
type ExportRequest struct {
	Account string `json:"account"`
	Opener  Opener `json:"opener"`
}

// Exported is an account whose seed follows, raw and as long as Account.SeedBytes says.
type Exported struct {
	ID      string     `json:"id"`
	Account NewAccount `json:"account"`
}

// RunbookRequest asks for an account's runbook, which takes the escrow open.
type RunbookRequest struct {
	Opener Opener `json:"opener"`
}

// RunbookSetRequest replaces an account's runbook by the text that follows, or forgets it where there is none. The escrow stays
// locked.
type RunbookSetRequest struct {
	TextBytes int `json:"text_bytes"`
}

// RotateRequest begins to give an account another seed, which follows. It is written under a temporary name; the old one stays until
// the end (RotateEndRequest).
type RotateRequest struct {
	// New is what the service gave. Its names are not used; what else is left out is as it was.
	New NewAccount `json:"new"`
	// To names the keys; empty: those that have the account now.
	To          []string `json:"to,omitempty"`
	WaitSeconds int      `json:"wait_seconds,omitempty"`
}

// RotateEndRequest ends a rotation.
type RotateEndRequest struct {
	// GiveUp removes the new seed; otherwise the service has taken its codes, and the old seed is removed.
	GiveUp bool `json:"give_up,omitempty"`
}

// Lengths: the seed.
func (r *RotateRequest) Lengths() []*int { return []*int{&r.New.SeedBytes} }

// Lengths are where a request says how long its secrets are, in the order in which they follow it.
func (r *EscrowInitRequest) Lengths() []*int { return []*int{&r.PassphraseBytes} }

// Lengths: the opener's secret, a new passphrase.
func (r *EscrowAddRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes, &r.PassphraseBytes} }

// Lengths: the opener's secret, the passphrase that stays.
func (r *EscrowRemoveRequest) Lengths() []*int {
	return []*int{&r.Opener.SecretBytes, &r.PassphraseBytes}
}

// Lengths: the opener's secret.
func (r *EscrowDrillRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes} }

// Lengths: the opener's secret, the backup.
func (r *EscrowOpenRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes, &r.BackupBytes} }

// Lengths: the opener's secret.
func (r *RestoreRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes} }

// Lengths: the opener's secret, the passphrase that stays; none without an opener.
func (r *LostRequest) Lengths() []*int {
	if r.Opener == nil {
		return nil
	}
	return []*int{&r.Opener.SecretBytes, &r.PassphraseBytes}
}

// Lengths: the opener's secret, if there is an opener.
func (r *ResumeRequest) Lengths() []*int {
	if r.Opener == nil {
		return nil
	}
	return []*int{&r.Opener.SecretBytes}
}

// Lengths: the opener's secret.
func (r *ExportRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes} }

// Lengths: the opener's secret.
func (r *RunbookRequest) Lengths() []*int { return []*int{&r.Opener.SecretBytes} }

// Lengths: the text.
func (r *RunbookSetRequest) Lengths() []*int { return []*int{&r.TextBytes} }
