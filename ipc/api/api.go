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

// SeedsType is the content type of an AddRequest with its seeds, RawType that of a password.
const (
	SeedsType  = "application/vnd.oathd.seeds"
	RawType    = "application/octet-stream"
	JSONType   = "application/json"
	StreamType = "application/x-ndjson"
)

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
