//go:build race

package importer

// patience is by what the race detector makes things slower.
const patience = 10
