package api

// Apart says how strictly the copies of an account are kept in different places, that is, sites or holders.
type Apart string

// The rules, from the strictest on. The first two are in force as soon as two keys are said to be in different places. A key of
// which nothing is said is taken to be in a place of its own.
const (
	ApartAlways Apart = "apart"  // never two copies of an account in one place; "" is the same
	ApartSpread Apart = "spread" // never all copies of an account in one place
	ApartPrefer Apart = "prefer" // apart where that takes neither another key nor a move
	ApartIgnore Apart = "ignore" // places make no difference
)

// PlanRequest asks how every account could have as many copies as are wanted. Nothing is changed until an ApplyRequest says so.
type PlanRequest struct {
	Sites   Apart `json:"sites,omitempty"`
	Holders Apart `json:"holders,omitempty"`
	// Copies is how many each account is to have; 0: as many as are wanted of it.
	Copies int `json:"copies,omitempty"`
	// Without names keys to do without, by id, label or serial, as if they were lost.
	Without []string `json:"without,omitempty"`
}

// Plan is the way there, as far as there is one.
type Plan struct {
	// ID stands for the steps, "" where there are none: as long as it is the same, so are they.
	ID string `json:"id,omitempty"`
	// Steps are in an order in which each can be done, and no account has fewer proved copies meanwhile than it has now or than are wanted.
	Steps []PlanStep `json:"steps"`
	// Keys counts the keys that will hold copies.
	Keys int `json:"keys"`
	// Unmet are the accounts that will lack copies; Helps says what would help them, but for want of a seed: any one of these
	// would do, those first that leave the wish as it is.
	Unmet []PlanUnmet  `json:"unmet,omitempty"`
	Helps []PlanChange `json:"helps,omitempty"`
}

// ApplyRequest has a plan carried out, the one that was shown: if it would be another one by now, nothing is done (CodeConflict).
type ApplyRequest struct {
	Plan PlanRequest `json:"plan"`
	// ID is that of the plan that was shown.
	ID string `json:"id"`
	// Opener opens the escrow, from which copies are written; nil for a plan that writes none. Its secret follows the request.
	Opener *Opener `json:"opener,omitempty"`
	// WaitSeconds is how long to wait for keys that are not plugged in; negative: until the client goes.
	WaitSeconds int `json:"wait_seconds,omitempty"`
}

// PlanStepKind says what a step of a plan does.
type PlanStepKind string

// The kinds of steps of a plan.
const (
	PlanProve  PlanStepKind = "prove"  // have the key answer for a copy that is there
	PlanPut    PlanStepKind = "put"    // write a copy and prove it
	PlanRemove PlanStepKind = "remove" // delete a copy whose successor was put before
)

// PlanStep is one change to one key.
type PlanStep struct {
	Kind     PlanStepKind `json:"kind"`
	Key      string       `json:"key"`
	KeyLabel string       `json:"key_label"`
	Account  string       `json:"account"`
	Label    string       `json:"label"`
}

// PlanReason says what an account lacks.
type PlanReason string

// The reasons.
const (
	LacksSeed   PlanReason = "seed"   // nobody has the seed but the keys
	LacksKeys   PlanReason = "keys"   // too few keys can hold it at all
	LacksPlaces PlanReason = "places" // enough keys can hold it, but at too few sites or with too few holders
	LacksRoom   PlanReason = "room"   // the keys that could hold it are full
)

// PlanUnmet is an account that will lack copies.
type PlanUnmet struct {
	Account string     `json:"account"`
	Label   string     `json:"label"`
	Missing int        `json:"missing"`
	Reason  PlanReason `json:"reason"`
}

// PlanChange is one that would help.
type PlanChange struct {
	// Kind is "more_keys", "fewer_accounts", "fewer_copies", "any_site" or "any_holder", N how many, Words says it to people.
	Kind  string `json:"kind"`
	N     int    `json:"n,omitempty"`
	Words string `json:"words"`
	// Accounts are the labels of those that are concerned.
	Accounts []string `json:"accounts,omitempty"`
}

// Lengths: the opener's secret, if there is an opener.
func (r *ApplyRequest) Lengths() []*int {
	if r.Opener == nil {
		return nil
	}
	return []*int{&r.Opener.SecretBytes}
}
