//go:build race

package e2e

// raceFlags build the programs as scripts/test builds the tests.
var raceFlags = []string{"-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=golang.org/x/crypto/scrypt=-race=false"}
