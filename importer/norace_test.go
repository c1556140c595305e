//go:build !race

package importer

const patience = 1
