//go:build race

package e2e

// raceFlags build the programs as this test is built.
var raceFlags = []string{"-race"}
