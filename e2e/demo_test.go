package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/internal/need"
)

// TestDemo runs the demonstration to its end: behind a pcscd of its own, and where no namespaces can be had.
func TestDemo(t *testing.T) {
	t.Parallel()
	hwtest.StartPCSCD(t, 1) // skips where it cannot
	const behind, without = "A pcscd is running for us alone", "gives us no pcscd of our own"
	if said := runDemo(t, os.Getenv("PATH")); !strings.Contains(said, behind) || strings.Contains(said, without) {
		t.Errorf("it is not behind pcscd:\n%s", said)
	}
	refusing := t.TempDir()
	if err := os.WriteFile(filepath.Join(refusing, "unshare"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if said := runDemo(t, refusing+":"+os.Getenv("PATH")); strings.Contains(said, behind) || !strings.Contains(said, without) {
		t.Errorf("it does not do without:\n%s", said)
	}
}

// runDemo returns what the demonstration prints, which must reach its end and leave nothing behind.
func runDemo(t *testing.T, path string) string {
	t.Helper()
	need.Program(t, "oathtool", "oathtool")
	tmp := t.TempDir()
	demo := exec.Command("../scripts/demo")
	demo.Env = append(os.Environ(), "PATH="+path, "TMPDIR="+tmp, "OATHD_BIN="+build(t), "GORACE=atexit_sleep_ms=0")
	out, err := demo.CombinedOutput()
	if said := string(out); err != nil || !strings.Contains(said, "\nLosing one key lost nothing.") || strings.Count(said, ", all safe: losing one key loses nothing.") != 2 {
		t.Fatalf("%v\n%s", err, said)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	return string(out)
}
