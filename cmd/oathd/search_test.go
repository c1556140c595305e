package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/ipc/api"
)

// nobody is the presence where no desktop is known: nothing is ever locked, and nobody is told.
type nobody struct{}

func (nobody) Locked() bool        { return false }
func (nobody) Tell(string, string) {}

// clipIs puts a script in oathctl-clip's place.
func clipIs(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oathctl-clip"), []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

// TestSeatCopies has a code go to the session on the screen by a pipe, and in no argument.
func TestSeatCopies(t *testing.T) {
	dir := clipIs(t, "echo $@ >args; cat >text; echo wl-copy clears\n")
	until := time.Now().Add(time.Minute)
	if err := (seat{nobody{}}).Copy(t.Context(), "755224", until); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"args": fmt.Sprintf("-session -until %d\n", until.Unix()), "text": "755224"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestSeatCannotCopy wants an error to say what to do about it.
func TestSeatCannotCopy(t *testing.T) {
	clipIs(t, "echo cannot copy: no desktop is known >&2; exit 1\n")
	fails := func(message, hint string) {
		t.Helper()
		err := (seat{nobody{}}).Copy(t.Context(), "755224", time.Now())
		if ours, ok := errors.AsType[*api.Error](err); !ok || ours.Message != message || ours.Hint != hint {
			t.Errorf("got %#v", err)
		}
	}
	fails("cannot copy: no desktop is known", "install wl-clipboard or xclip, or ask for it in a terminal: oathctl code --copy")
	t.Setenv("PATH", "/nonexistent")
	fails(`cannot start oathctl-clip: exec: "oathctl-clip": executable file not found in $PATH`, "install oathd whole: oathctl-clip belongs to it")
}

// TestSearchSettings holds what the bus is told against the settings.
func TestSearchSettings(t *testing.T) {
	if off := searchOf(config.Config{SearchKeyword: "otp"}, nobody{}); off.Desktop != nil {
		t.Errorf("off, it is %+v", off)
	}
	on := searchOf(config.Config{Search: true, SearchKeyword: "otp", SearchCodes: true}, nobody{})
	if on.Desktop == nil || on.Keyword != "otp" || !on.ShowCodes {
		t.Errorf("on, it is %+v", on)
	}
}
