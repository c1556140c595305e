package main

import (
	"errors"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// Here are the documents of --json that are oathctl's own; most are the daemon's, from ipc/api, and one is oathctl-doctor's, from internal/kin. docs/json.md is made of the
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
	// Tool is what took the code: wayland (by oathctl itself), wl-copy, xclip, xsel, tmux, or terminal, which does not say whether it did.
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

// exportFile is the document of "oathctl export". The seed is not in it: it is in the file.
type exportFile struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	// Form is uri, qr (a PNG picture) or pskc.
	Form string `json:"form"`
	// Encrypted says that it takes a password to use the file.
	Encrypted bool   `json:"encrypted,omitempty"`
	File      string `json:"file"`
}

// awsPaired is the document of "oathctl aws pair", behind its steps.
type awsPaired struct {
	Report api.Report `json:"report"`
	// Code has both codes; it is missing where no key has proved its copy.
	Code *api.Code `json:"code,omitempty"`
}

// awsProfile is the document of "oathctl aws setup".
type awsProfile struct {
	// File is where the profile is, Profile what it is called.
	File    string `json:"file"`
	Profile string `json:"profile"`
	// Change are the lines that go and come, with "-" and "+" before them, and those around them; none if all was there.
	Change []string `json:"change,omitempty"`
	// Written says that the change was made.
	Written bool `json:"written"`
}

// runbookText is the document of "oathctl runbook".
type runbookText struct {
	Account string `json:"account"`
	Label   string `json:"label"`
	// At is when it was written down.
	At   time.Time `json:"at,omitzero"`
	Text string    `json:"text"`
	// Missing names what it does not tell and AWS will ask for, for an account at AWS.
	Missing []string `json:"missing,omitempty"`
}

// formats is the document of "oathctl import --list-formats".
type formats struct {
	Formats []importFormat `json:"formats"`
}

// importFormat is a format that "oathctl import" reads.
type importFormat struct {
	// Name is what --format takes, Program what people call the program that writes it, Kind what its files are.
	Name    string `json:"name"`
	Program string `json:"program"`
	Kind    string `json:"kind"`
	// Encrypted says that its encrypted exports are read too.
	Encrypted bool `json:"encrypted"`
}

// imports is what "oathctl import" found in files, and what would become of it; all of a dry run, else the first line.
type imports struct {
	Files    []importedFile    `json:"files"`
	Accounts []importedAccount `json:"accounts"`
	// Missing are the pictures that are missing of exports that were divided over several.
	Missing []missingParts `json:"missing,omitempty"`
	// Helps are what would make room for accounts that do not fit: any one of these would do.
	Helps []api.PlanChange `json:"helps,omitempty"`
}

// importedFile is a file that was read, or could not be.
type importedFile struct {
	File     string     `json:"file"`
	Format   string     `json:"format,omitempty"`
	Program  string     `json:"program,omitempty"`
	Accounts int        `json:"accounts"`
	Error    *api.Error `json:"error,omitempty"`
}

// importedAccount is an account in a file.
type importedAccount struct {
	// File and Number say where it is, from 1.
	File   string `json:"file"`
	Number int    `json:"number"`
	Issuer string `json:"issuer"`
	Name   string `json:"name"`
	// Renamed is its "issuer:name" in the file, where that is another.
	Renamed   string `json:"renamed,omitempty"`
	Type      string `json:"type,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	Digits    int    `json:"digits,omitempty"`
	Period    int    `json:"period,omitempty"`
	Counter   uint32 `json:"counter,omitempty"`
	Fate      fate   `json:"fate"`
	// Reason and Hint are for people.
	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"`
	// Account is the id of the account that is known to have the same seed.
	Account string `json:"account,omitempty"`
	// Fingerprint is the same for the same seed, type, algorithm, digits and period, as far as one ledger is asked.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Keys are those that have it, or would get it.
	Keys []api.Outcome `json:"keys,omitempty"`
	// URI is the otpauth URI, with --show-uri: the seed is in it.
	URI string `json:"uri,omitempty"`
}

// fate is what would become of an account in a file.
type fate string

// The fates.
const (
	fateNew        fate = "new"        // it would be written
	fateThere      fate = "there"      // all its copies are there, with the same seed
	fateDuplicate  fate = "duplicate"  // it is in the files once more
	fateConflict   fate = "conflict"   // an account of its name is there with another seed, or in the files
	fateImpossible fate = "impossible" // no key, or not this one, can hold it
	fateFull       fate = "full"       // there is no room
	fateBlocked    fate = "blocked"    // something else is in the way, e.g. a locked key
	fateLeftOut    fate = "left_out"   // you said so
	fateUnknown    fate = "unknown"    // there is no daemon to ask: of a dry run only
)

// missingParts are pictures that are missing.
type missingParts struct {
	// Of is how many there are; Parts are the missing ones, from 1.
	Of    int   `json:"of"`
	Parts []int `json:"parts"`
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
