package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// escrowCommands are what scripts about the escrow have besides:
//
//	mode OCTAL FILE          the file has these permissions
//	recovery PAGE FILE       types the key of a recovery paper into a file
//	agefind KEY DIR TEXT     with this key age opens every file in the directory, and one of them has the text
//	bare                     forgets the ledger of a daemon that ended
var escrowCommands = map[string]func(*testscript.TestScript, bool, []string){
	"mode": scriptMode, "recovery": scriptRecovery, "agefind": scriptAgeFind, "bare": scriptBare,
}

func scriptMode(ts *testscript.TestScript, _ bool, args []string) {
	about, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(about.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

var recoveryKey = regexp.MustCompile(`AGE-SECRET-KEY-1( [0-9A-Z]{1,4})+`)

func scriptRecovery(ts *testscript.TestScript, _ bool, args []string) {
	key := strings.ReplaceAll(recoveryKey.FindString(ts.ReadFile(args[0])), " ", "")
	if key == "" {
		ts.Fatalf("%s has no recovery key", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(key+"\n"), 0o600))
}

func scriptAgeFind(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "*.age"))
	ts.Check(err)
	found := false
	for _, file := range files {
		text, err := exec.Command("age", "-d", "-i", ts.MkAbs(args[0]), file).Output()
		ts.Check(err)
		found = found || strings.Contains(string(text), args[2])
	}
	if !found {
		ts.Fatalf("none of %d files has %q", len(files), args[2])
	}
}

func scriptBare(ts *testscript.TestScript, _ bool, _ []string) {
	ledger := filepath.Join(ts.Getenv("XDG_STATE_HOME"), "oathd")
	ts.Check(os.RemoveAll(ledger))
}

// joined returns the commands of both.
func joined(a, b map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
