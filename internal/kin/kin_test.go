package kin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program makes a file of that mode and returns its path.
func program(t *testing.T, dir, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho $0 $@\n"), mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

func TestFind(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	beside, inPath := filepath.Dir(self), t.TempDir()
	t.Setenv("PATH", inPath)
	near := program(t, beside, "oathctl-near", 0o700)
	program(t, inPath, "oathctl-near", 0o700)
	program(t, beside, "oathctl-far", 0o600) // not a program
	far := program(t, inPath, "oathctl-far", 0o700)
	for name, want := range map[string]string{"oathctl-near": near, "oathctl-far": far} {
		if got, err := Find(name); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"oathctl-nowhere", "../oathctl-near", near} {
		if got, err := Find(name); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestBecomeNothing(t *testing.T) {
	if err := Become("/nowhere/oathctl-x", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// clip puts a program in oathctl-clip's place, which keeps what it is given and told.
func clip(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "oathctl-clip")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" >"+dir+"/args\ncat >"+dir+"/text\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

func TestCopy(t *testing.T) {
	for script, want := range map[string]Copied{"echo xclip clears": {"xclip", true}, "echo terminal keeps": {"terminal", false}} {
		dir := clip(t, script)
		got, err := Copy(t.Context(), "755224", time.Unix(1234567890, 0))
		text, _ := os.ReadFile(filepath.Join(dir, "text"))
		args, _ := os.ReadFile(filepath.Join(dir, "args"))
		if err != nil || got != want || string(text) != "755224" || string(args) != "-until 1234567890\n" {
			t.Errorf("%s: got %+v, %v; it was told %q and given %q", script, got, err, args, text)
		}
	}
}

func TestCannotCopy(t *testing.T) {
	for script, want := range map[string]string{"echo cannot copy: no desktop >&2; exit 1": "cannot copy: no desktop", "exit 3": "exit status 3"} {
		clip(t, script)
		if _, err := Copy(t.Context(), "755224", time.Now()); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", script, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Copy(t.Context(), "755224", time.Now()); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("without the program: got %v", err)
	}
}
