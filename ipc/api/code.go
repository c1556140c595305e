package api

import "time"

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
