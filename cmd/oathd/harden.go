package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// gcPercent keeps the heap small: the daemon sits in every session all day, and has little to collect. There is
// no limit of memory: whose ledger is larger than it would have the collector run all the time.
const gcPercent = 50

// harden closes what the process leaves open by default: files that others can read, and memory that a
// debugger, /proc/PID/mem of this user's other programs, or a core dump would show.
func harden() error {
	unix.Umask(0o077)
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot hide the process's memory: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("cannot turn core dumps off: %w", err)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return nil
}
