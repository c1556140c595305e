// Package peer knows the process at the other end of a connection: whether it may ask, and what people
// call it. Every front door asks it, so that each admits the same programs under the same names.
package peer

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/oathd/oathd/ipc/api"
)

// maxAncestry bounds how many processes a caller's name is made of.
const maxAncestry = 5

// nobodies are the processes at which an ancestry ends, for they started everything.
var nobodies = []string{"systemd", "init", "login"}

// Admit refuses every user but root and own with api.CodeForbidden; own is the daemon's (os.Getuid).
// Whoever keeps others from a socket or a bus does so first; this holds where somebody changed that, or handed a
// connection over.
func Admit(uid, own uint32) error {
	if uid == own || uid == 0 {
		return nil
	}
	return &api.Error{
		Code:    api.CodeForbidden,
		Message: fmt.Sprintf("cannot answer: this daemon serves user %d, not user %d", own, uid),
		Hint:    hint(uid, own),
	}
}

// overflow is every user whom the daemon's user namespace has no number for (user_namespaces(7)). In the namespace of
// its service that is everybody but its own user, root too.
const overflow = 65534

func hint(uid, own uint32) string {
	if uid == overflow {
		return fmt.Sprintf("where the daemon has a user namespace of its own, as its service has, root asks as that user: sudo -u '#%d' …", own)
	}
	return "each user has a daemon of their own; ask that one"
}

// Name names a process and those that started it, "oathctl ← zsh ← kitty". It is what the process says of
// itself: good enough for a prompt and a log, never for a decision. A process that has ended, or that
// lives where this daemon cannot see it, is "pid N".
func Name(pid int32) string {
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
