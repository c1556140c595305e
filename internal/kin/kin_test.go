package kin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
