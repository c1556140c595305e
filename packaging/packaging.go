// Package packaging owns what a package brings besides the programs: units, the files by which the bus and the desktop find
// oathd, manual pages, and what a package does when it comes and goes. scripts/packages makes packages of it; the tests hold it
// against the names that the programs have.
package packaging

import "embed"

// Files are the files, below the directories that they have here.
//
//go:embed systemd dbus desktop man udev deb rpm arch nfpm.yaml
var Files embed.FS
