// Package ledger is being written.
package ledger

// Ledger is being written.
type Ledger struct{}
