package api

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
