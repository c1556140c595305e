//go:build !race

package qr

// raced tells whether the race detector watches.
const raced = false
