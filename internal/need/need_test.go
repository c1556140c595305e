package need

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fake is a test that tells how it ended.
type fake struct {
	testing.TB
	ended, said string
}

func (f *fake) Helper()           {}
func (f *fake) Fatal(args ...any) { f.end("failed", args) }
func (f *fake) Skip(args ...any)  { f.end("skipped", args) }
func (f *fake) Fatalf(format string, args ...any) {
	f.end("failed", []any{fmt.Sprintf(format, args...)})
}

func (f *fake) end(how string, args []any) {
	f.ended, f.said = how, fmt.Sprint(args...)
	runtime.Goexit()
}

// runs runs a test to its end.
func runs(test func(testing.TB)) *fake {
	f, done := &fake{ended: "passed"}, make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	return f
}

// ends wants a test to be skipped where CI is not set and to fail where it is, and to say so both times.
func ends(t *testing.T, test func(testing.TB), says string) {
	t.Helper()
	for ci, want := range map[string]string{"": "skipped", "true": "failed"} {
		t.Setenv("CI", ci)
		if f := runs(test); f.ended != want || !strings.Contains(f.said, says) {
			t.Errorf("CI=%s: it %s, saying %q; want it %s, saying %q", ci, f.ended, f.said, want, says)
		}
	}
}

// passes wants a test to find what it needs, CI or not.
func passes(t *testing.T, test func(testing.TB)) {
	t.Helper()
	for _, ci := range []string{"", "true"} {
		t.Setenv("CI", ci)
		if f := runs(test); f.ended != "passed" {
			t.Errorf("CI=%s: it %s, saying %q", ci, f.ended, f.said)
		}
	}
}

func TestThat(t *testing.T) {
	passes(t, func(t testing.TB) { That(t, true, "nothing") })
	ends(t, func(t testing.TB) { That(t, false, "%s, to give a file away", "root") }, "this test needs root, to give a file away")
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "cake")
	if err := os.WriteFile(there, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, program := range []string{"cake", there} {
		passes(t, func(t testing.TB) {
			if got := Program(t, program, "cakes"); got != there {
				t.Fatalf("%s is at %s, want %s", program, got, there)
			}
		})
	}
	ends(t, func(t testing.TB) { Program(t, "pie", "pies sugar") }, "this test needs pie (Debian: apt-get install pies sugar)")
	t.Setenv("PATH", "")
	ends(t, func(t testing.TB) { Program(t, "cake", "cakes") }, "apt-get install cakes")
}

// TestSystemProgram finds what an ordinary user's PATH does not lead to.
func TestSystemProgram(t *testing.T) {
	t.Setenv("PATH", "")
	const everywhere = "/usr/sbin/nologin" // Debian's login, and other systems'
	passes(t, func(t testing.TB) {
		if got := Program(t, "nologin", "login"); got != everywhere {
			t.Fatalf("it is %s, want %s", got, everywhere)
		}
	})
}

func TestPython(t *testing.T) {
	Program(t, "/usr/bin/python3", "python3")
	passes(t, func(t testing.TB) { Python(t, "sys, json", "python3") })
	ends(t, func(t testing.TB) { Python(t, "sys, cake", "python3-cake") }, "sys, cake for Python (Debian: apt-get install python3-cake)")
}

func TestSamples(t *testing.T) {
	within := func(dir string) func(testing.TB) {
		return func(t testing.TB) {
			if got := Samples(t, "imports"); got != filepath.Join(dir, "imports") {
				t.Fatalf("they are in %s, want %s", got, dir)
			}
		}
	}
	named, parent := t.TempDir(), t.TempDir()
	beside := filepath.Join(parent, "shared", "samples")
	here := filepath.Join(parent, "checkout", "hw", "tlv")
	err := errors.Join(os.Mkdir(filepath.Join(named, "imports"), 0o700), os.MkdirAll(here, 0o700))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	t.Setenv("OATHD_SAMPLES", "")
	if f := runs(within(beside)); f.ended != "failed" || !strings.Contains(f.said, "no go.mod") {
		t.Errorf("outside of a checkout it %s, saying %q", f.ended, f.said)
	}
	if err := os.WriteFile(filepath.Join(parent, "checkout", "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ends(t, within(beside), "name their folder in OATHD_SAMPLES")
	if err := os.MkdirAll(filepath.Join(beside, "imports"), 0o700); err != nil {
		t.Fatal(err)
	}
	passes(t, within(beside))
	t.Setenv("OATHD_SAMPLES", named)
	passes(t, within(named))
	t.Setenv("OATHD_SAMPLES", here)
	ends(t, within(here), "name their folder in OATHD_SAMPLES")
}

func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	t.Run("mounted", func(t *testing.T) {
		SmallDisk(t, dir, "64k")
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, make([]byte, 32<<10), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(file, make([]byte, 65<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("more than its size fits: %v", err)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it is still mounted: %v, %v", left, err)
	}
}

// TestWrongDisk: what is the test's own mistake is not skipped.
func TestWrongDisk(t *testing.T) {
	SmallDisk(t, t.TempDir(), "64k")
	t.Setenv("CI", "")
	if f := runs(func(tb testing.TB) { SmallDisk(tb, filepath.Join(t.TempDir(), "nowhere"), "64k") }); f.ended != "failed" {
		t.Errorf("it %s, saying %q", f.ended, f.said)
	}
}
