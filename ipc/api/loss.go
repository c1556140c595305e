package api

import "slices"

// LossKind says what is lost.
type LossKind string

// What can be lost.
const (
	LossKey    LossKind = "key"
	LossSite   LossKind = "site"   // all keys at one site
	LossHolder LossKind = "holder" // all keys that one person has
)

// Loss is what a single loss would cost.
type Loss struct {
	Kind LossKind `json:"kind"`
	// Name is the key's label, the site or the holder; Keys are the ids of the keys that are lost with it.
	Name string   `json:"name"`
	Keys []string `json:"keys"`
	// Accounts are the ids of the accounts that would be lost, Escrow of those that only the escrow would have. Superseded
	// accounts are in neither.
	Accounts []string `json:"accounts"`
	Escrow   []string `json:"escrow,omitempty"`
}

// Costs says whether anything would be lost, or left to the escrow.
func (l Loss) Costs() bool { return len(l.Accounts)+len(l.Escrow) > 0 }

// Distinct lists the losses but for places with one key: they cost what that key costs.
func (c Coverage) Distinct() []Loss {
	return slices.DeleteFunc(slices.Clone(c.Losses), func(l Loss) bool { return l.Kind != LossKey && len(l.Keys) == 1 })
}
