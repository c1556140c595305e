package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// runtimeSettings have the collector overwrite what it frees, so that what libraries leave of a secret goes with their garbage,
// and keep the runtime from interrupting goroutines by signals, for each of these writes the processor's registers into
// memory, with whatever was copied last (go doc runtime, "GODEBUG").
var runtimeSettings = []string{"clobberfree=1", "asyncpreemptoff=1"}

// settle starts the program again where the runtime has not these settings: it reads them when it starts, and at no other time.
func settle() error {
	set := strings.Split(os.Getenv("GODEBUG"), ",")
	if !slices.ContainsFunc(runtimeSettings, func(s string) bool { return !slices.Contains(set, s) }) {
		return nil
	}
	err := os.Setenv("GODEBUG", strings.Trim(strings.Join(append(set, runtimeSettings...), ","), ","))
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil { // as where there is no /proc
		program, err = exec.LookPath(os.Args[0])
	}
	if err != nil {
		return fmt.Errorf("cannot start the program again, with GODEBUG=%s: %w", os.Getenv("GODEBUG"), err)
	}
	return unix.Exec(program, os.Args, os.Environ())
}

// gcPercent keeps the heap small: the daemon sits in every session all day, and has little to collect. There is
// no limit of memory: whose ledger is larger than it would have the collector run all the time.
const gcPercent = 50

// processors is how many run the daemon's Go code at a time. It waits most of the time, for keys and for people, and whatever it
// does is short: shorter than it takes to wake a second processor, which the runtime does for each goroutine that could use one.
const processors = 1

// tune has the runtime be a good neighbour, unless the environment says otherwise.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors)
	}
}

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
	return nil
}
