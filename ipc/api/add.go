package api

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
