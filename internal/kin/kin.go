// Package kin owns how oathctl's programs find and start each other. What costs "oathctl code" its start, or must not
// have what oathctl has, is a program of its own: oathctl-NAME, beside the program that asks or in PATH.
package kin

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// libexec is where packages put the programs, seen from the directory of ours (Filesystem Hierarchy Standard 3.0, 4.7).
const libexec = "../libexec/oathd"

// Find returns the path of a program: the one beside ours or in libexec, else the first in PATH, or an error that
// wraps exec.ErrNotFound.
func Find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return "", fmt.Errorf("cannot start %q: %w", name, exec.ErrNotFound)
	}
	if self, err := os.Executable(); err == nil {
		for _, dir := range []string{".", libexec} {
			path := filepath.Join(filepath.Dir(self), dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("cannot start %s: %w", name, err)
	}
	return path, nil
}

// Become replaces this process with the program; it returns only if that cannot be.
func Become(path string, args []string) error {
	err := unix.Exec(path, append([]string{filepath.Base(path)}, args...), os.Environ())
	return fmt.Errorf("cannot start %s: %w", path, err)
}
