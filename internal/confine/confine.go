// Package confine owns how a process gives up, for good, whatever it does not need for reading what a stranger made.
//
// Two walls stand one behind the other: a seccomp filter that knows the few system calls of a Go program that computes, and
// Landlock with not a single rule. What is open already can be read and written on; nothing else can be opened, made, sent,
// started or looked at. Both are for all threads, and cannot be taken down.
package confine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Budget bounds what the process may use from now on.
type Budget struct {
	// Memory is in bytes, beside the address space that is mapped already: Go reserves much more than it uses.
	Memory uint64
	// CPU is the time on processors, in whole seconds from 1 on; the kernel kills the process that needs more.
	CPU time.Duration
}

// Walls says what stands around the process.
type Walls struct {
	// Landlock is the version of the kernel's Landlock (landlock(7)); 0 if it has none, or the program is linked with cgo.
	Landlock int
	// Filter says that system calls are filtered (seccomp(2)).
	Filter bool
}

// Enter confines the process, with all its threads, and says in which way. Without Landlock, which kernels have since 5.13, the
// filter stands alone; it is an error if the process cannot be confined in either way, or a limit cannot be set.
func Enter(b Budget) (Walls, error) {
	if err := limit(b); err != nil {
		return Walls{}, err
	}
	if err := hide(); err != nil {
		return Walls{}, err
	}
	var w Walls
	var errLandlock, errFilter error
	w.Landlock, errLandlock = landlock()
	errFilter = filter()
	w.Filter = errFilter == nil
	if w.Landlock == 0 && !w.Filter {
		return w, fmt.Errorf("cannot confine the process: %w", errors.Join(errLandlock, errFilter))
	}
	return w, nil
}

// hide keeps the user's other programs from the memory.
func hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot hide the process's memory: %w", err)
	}
	return nil
}

// limit sets the budget, and forbids files of any size.
func limit(b Budget) error {
	mapped, err := addressSpace()
	if err != nil {
		return fmt.Errorf("cannot limit the memory: %w", err)
	}
	seconds := uint64(math.Ceil(b.CPU.Seconds()))
	for _, l := range []struct {
		what     string
		resource int
		most     uint64
	}{
		{"the memory", unix.RLIMIT_AS, mapped + b.Memory},
		// The hard limit is the soft one, so that the kernel kills: the soft one alone would let Go print its stacks.
		{"the time", unix.RLIMIT_CPU, max(seconds, 1)},
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"files", unix.RLIMIT_FSIZE, 0},
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("cannot limit %s: %w", l.what, err)
		}
	}
	return nil
}

// addressSpace returns how much of it is mapped, in bytes (proc_pid_statm(5), the first number).
func addressSpace() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseUint(pages, 10, 64)
	return n * uint64(os.Getpagesize()), err
}
