package api

import "time"

// AuditEntry is one line of the audit log; Hash covers it and Prev.
type AuditEntry struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Who  string    `json:"who"`
	What string    `json:"what"`
	Prev string    `json:"prev"`
	Hash string    `json:"hash"`
}

// Audit is the audit log with the result of checking its chain.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	Intact  bool         `json:"intact"`
}
