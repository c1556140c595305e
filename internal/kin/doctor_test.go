package kin

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDoctor puts programs in oathctl-doctor's place.
func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for script, want := range map[string]string{
		`[ "$*" = "-socket /s" ] && echo '{"healthy":true,"findings":[{"check":"a","state":"ok","found":"b"}]}'; exit 1`: "", // the status repeats what is told
		"echo cake":              "cannot use what " + dir,
		"echo 'cannot look' >&2": "cannot look",
		"exit 3":                 "exit status 3",
		"exec /bin/sleep 600":    context.DeadlineExceeded.Error(),
	} {
		if err := os.WriteFile(filepath.Join(dir, "oathctl-doctor"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		patience := time.Minute
		if strings.Contains(script, "exec /bin/sleep") {
			patience = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		d, err := Doctor(ctx, "/s")
		cancel()
		if want == "" && (err != nil || !d.Healthy || d.Findings[0].Check != "a") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", script, d, err)
		}
	}
}

func TestDiagnose(t *testing.T) {
	for verdict, healthy := range map[Verdict]bool{VerdictOK: true, VerdictWarning: true, VerdictNone: true, VerdictBroken: false} {
		if d := Diagnose([]Finding{{State: VerdictOK}, {State: verdict}}); d.Healthy != healthy {
			t.Errorf("%s: %+v", verdict, d)
		}
	}
}

func TestNoDoctor(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Doctor(t.Context(), ""); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
