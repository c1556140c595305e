package kin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oathd/oathd/ipc/api"
)

// TestAWS puts programs in oathctl-aws's place.
func TestAWS(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for script, want := range map[string]string{
		`[ "$1" = coverage ] && echo "{\"note\":\"n\"}{\"asks\":\"a\"}{\"step\":{\"kind\":\"proved\"}}{\"done\":{\"account_number\":\"7\"}}"`: "",
		`[ "$2" = '{"profile":"work"}' ] && echo '{"done":{"account_number":"7"}}'`:                                                           "",
		`echo '{"error":{"code":"aws","message":"cannot do it","hint":"h"}}'; exit 1`:                                                         "cannot do it",
		"echo 'fatal error: x' >&2; exit 2":    "it ended in the middle: fatal error: x",
		"exit 3":                               "it ended in the middle: exit status 3",
		`echo '{"note":"n"}'`:                  "it ended in the middle",
		`echo cake`:                            "invalid character",
		`echo '{"done":{"account_number":7}}'`: "cannot unmarshal",
		`echo '{"error":{"code":"key_absent","message":""}}'`: "",
	} {
		if err := os.WriteFile(filepath.Join(dir, "oathctl-aws"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		var found AWSCoverage
		heard := 0
		err := AWS(t.Context(), "coverage", AWSAccess{Profile: "work"}, &found, func(AWSLine) { heard++ })
		switch {
		case strings.Contains(script, "key_absent"):
			if api.CodeOf(err) != api.CodeKeyAbsent {
				t.Errorf("%s: %v", script, err)
			}
		case want == "" && (err != nil || found.Number != "7" || strings.Contains(script, "asks") && heard != 3):
			t.Errorf("%s: %+v, %v, heard %d", script, found, err, heard)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", script, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := AWS(t.Context(), "coverage", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "oathctl-aws") {
		t.Errorf("without the program: %v", err)
	}
}
