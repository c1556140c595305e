package main

import (
	"errors"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// Here are the documents of --json that are oathctl's own; most are the daemon's, from ipc/api. docs/json.md is made of the
// comments of both (go test -run JSON -update), and a test holds every verb to it.

// versions is the document of "oathctl version".
type versions struct {
	Version string `json:"version"`
	// API is the version of the documents, the highest that --json=N takes.
	API int `json:"api"`
	// Daemon is missing where none answers.
	Daemon *api.Status `json:"daemon,omitempty"`
}

// script is the document of "oathctl completion".
type script struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

// copied is the document of "oathctl code --copy". The code is not in it: it is in the clipboard.
type copied struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	// Tool is what took the code: wl-copy, xclip, xsel, tmux, or terminal, which does not say whether it did.
	Tool string `json:"tool"`
	// ClearsAt is when the code is taken out of the clipboard, unless something else is in there by then; it is
	// missing where the code stays.
	ClearsAt time.Time `json:"clears_at,omitzero"`
}

// made is what was made of the escrow, and where the recovery paper is.
type made struct {
	Escrow api.Escrow `json:"escrow"`
	// Paper is the file with the recovery paper, where one was made.
	Paper string `json:"paper,omitempty"`
}

// recipients is the document of "oathctl escrow recipients".
type recipients struct {
	Recipients []api.Recipient `json:"recipients"`
}

// backupFile is the document of "oathctl escrow backup".
type backupFile struct {
	File  string `json:"file"`
	Bytes int    `json:"bytes"`
}

// runbookText is the document of "oathctl runbook".
type runbookText struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	// At is when it was written down.
	At   time.Time `json:"at,omitzero"`
	Text string    `json:"text"`
}

// asJSON is the flag --json, alone or with the version of the documents that is wanted.
type asJSON struct{ on *bool }

// String returns the version that is wanted, "" for none.
func (j asJSON) String() string {
	if j.on == nil || !*j.on {
		return ""
	}
	return "1"
}

// Type names the value in the help.
func (j asJSON) Type() string { return "VERSION" }

// Set takes the one version that there is.
func (j asJSON) Set(s string) error {
	if s != "1" {
		return errors.New("there is version 1 only")
	}
	*j.on = true
	return nil
}
