// Package need is test support: it finds what a test cannot bring along, such as a program of others. Where that is missing the test is
// skipped and says how to get it; where the environment variable CI is set it fails, for there nothing may be missing.
package need

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// That ends the test unless what it needs is there. The format says what that is, and how to get it.
func That(t testing.TB, there bool, format string, args ...any) {
	t.Helper()
	missing := "this test needs " + fmt.Sprintf(format, args...)
	switch {
	case there:
	case os.Getenv("CI") != "":
		t.Fatal(missing + "; as CI is set, nothing may be missing")
	default:
		t.Skip(missing)
	}
}

// Program returns the path of a program, given by its name or path, that Debian packages bring.
func Program(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", program)) // not in an ordinary user's PATH
	}
	That(t, err == nil, "%s (Debian: apt-get install %s)", program, debian)
	return path
}

// Python returns the path of Debian's Python, which has these modules ("a, b") if Debian packages are installed.
func Python(t testing.TB, modules, debian string) string {
	t.Helper()
	python := Program(t, "/usr/bin/python3", "python3")
	err := exec.Command(python, "-c", "import "+modules).Run()
	That(t, err == nil, "%s for Python (Debian: apt-get install %s)", modules, debian)
	return python
}

// Samples returns a folder of files that other projects made. They lie in OATHD_SAMPLES, or beside the checkout.
func Samples(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("OATHD_SAMPLES")
	if dir == "" {
		dir = filepath.Join(checkout(t), "..", "shared", "samples")
	}
	dir = filepath.Join(dir, name)
	_, err := os.Stat(dir)
	That(t, err == nil, "other projects' samples: put them beside the checkout, or name their folder in OATHD_SAMPLES (%v)", err)
	return dir
}

// checkout returns the nearest directory above the test that has a go.mod.
func checkout(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// SmallDisk mounts, until the test ends, a file system of its own on a directory; its size is as tmpfs takes it: "256k".
func SmallDisk(t testing.TB, dir, size string) {
	t.Helper()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)
	That(t, !errors.Is(err, fs.ErrPermission), "the right to mount a small file system: run it as root (%v)", err)
	if err != nil {
		t.Fatalf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}
