package api

import "time"

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
