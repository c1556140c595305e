package socket

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxAncestry bounds how many processes a caller's name is made of.
const maxAncestry = 5

// nobodies are the processes at which an ancestry ends, for they started everything.
var nobodies = []string{"systemd", "init", "login"}

// ancestry names a process and those that started it, "oathctl ← zsh ← kitty". It is what the process says of
// itself: good enough for a prompt and a log, never for a decision. A process that has ended, or that
// lives where this daemon cannot see it, is "pid N".
func ancestry(pid int32) string {
	var names []string
	for p := pid; p > 1 && len(names) < maxAncestry; {
		name, parent, err := process(p)
		if err != nil || slices.Contains(nobodies, name) {
			break
		}
		names = append(names, name)
		p = parent
	}
	if names == nil {
		return fmt.Sprintf("pid %d", pid)
	}
	return strings.Join(names, " ← ")
}

// process returns a process's name and its parent.
func process(pid int32) (name string, parent int32, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, fmt.Errorf("cannot find process %d: %w", pid, err)
	}
	return parseStat(stat)
}

// parseStat reads "PID (NAME) STATE PPID …" (proc_pid_stat(5)). The name may hold anything, parentheses and
// spaces too, so it ends at the last one; what could confuse a terminal or a log is taken out.
func parseStat(stat []byte) (name string, parent int32, err error) {
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return "", 0, fmt.Errorf("cannot read a process's name in %q", stat)
	}
	fields := strings.Fields(string(stat[to+1:]))
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("cannot read a process's parent in %q", stat)
	}
	ppid, err := strconv.ParseInt(fields[1], 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read a process's parent: %w", err)
	}
	return printable(stat[from+1 : to]), int32(ppid), nil
}

// printable drops what is not to be printed, and invalid UTF-8; what has nothing left is "?".
func printable(name []byte) string {
	kept := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(name))
	return cmp.Or(kept, "?")
}
