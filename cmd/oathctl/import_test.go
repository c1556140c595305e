package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// misnamed is an account of a file whose name no key holds.
func misnamed(issuer, name string, period int) *found {
	return &found{
		ImportedEntry: kin.ImportedEntry{Issuer: issuer, Name: name, Type: "totp", Algorithm: "SHA1", Digits: 6, Period: period, Problem: "name too long", Rename: true},
		issuer:        issuer, name: name,
	}
}

func TestPropose(t *testing.T) {
	long := strings.Repeat("n", 70)
	for _, test := range []struct {
		issuer, name string
		period       int
		want         string
	}{
		{"", long, 30, long[:64]},
		{"Bank", long, 30, "Bank:" + long[:59]},
		{"Bank", long, 60, "Bank:" + long[:56]},                    // "60/" is part of the name on a key
		{long, "me", 30, long[:61] + ":me"},                        // the name is whole, the issuer is not
		{long, long, 30, long[:32] + ":" + long[:31]},              // both are cut
		{"", strings.Repeat("é", 40), 30, strings.Repeat("é", 32)}, // between two characters
		{"", "x" + strings.Repeat("é", 40), 30, "x" + strings.Repeat("é", 31)},
		{"Bank", "m\u202ee\n", 30, "Bank:me"},
		{"Bank: of you", "me", 30, "Bank  of you:me"},
		{"Bank", "\n", 30, "Bank"},
		{"", "a:b", 30, ""}, // a key gives it back as something else, and nobody knows what is meant
		{"", "", 30, ""},
	} {
		f := misnamed(test.issuer, test.name, test.period)
		ok := f.propose()
		if got := f.account().Label(); ok && got != test.want || ok != (test.want != "") {
			t.Errorf("%q, %q: %q, %t", test.issuer, test.name, got, ok)
		}
	}
}

// FuzzPropose holds that what is proposed is a name that a key holds.
func FuzzPropose(f *testing.F) {
	f.Add("issuer", strings.Repeat("é:", 40), 30)
	f.Add("\xff", "\x00", 86400)
	f.Fuzz(func(t *testing.T, issuer, name string, period int) {
		account := misnamed(issuer, name, period)
		if account.propose() && account.account().Validate() != nil {
			t.Errorf("%q", account.account().Label())
		}
		if !utf8.ValidString(account.name) {
			t.Errorf("%q is not UTF-8", account.name)
		}
	})
}

func TestMissingParts(t *testing.T) {
	p := &pile{}
	for _, b := range []kin.ImportedBatch{{ID: 1, Size: 3, Indexes: []int{2}}, {ID: 2, Size: 2, Indexes: []int{0}}, {ID: 2, Size: 2, Indexes: []int{1}}, {ID: 1, Size: 3, Indexes: []int{2}}} {
		p.take("file", kin.Imported{Batches: []kin.ImportedBatch{b}})
	}
	if got := p.missing(); len(got) != 1 || got[0].Of != 3 || !slices.Equal(got[0].Parts, []int{1, 2}) {
		t.Errorf("%+v", got)
	}
	if p.status(nil) == nil {
		t.Error("parts are missing, and all is well")
	}
}

func TestJudged(t *testing.T) {
	full := &api.Error{Code: api.CodeFull, Message: "cannot write x to k: it is full"}
	for name, test := range map[string]struct {
		report api.AccountReport
		want   fate
		reason string
	}{
		"new":       {api.AccountReport{Outcomes: []api.Outcome{{}, {Existed: true}}}, fateNew, ""},
		"there":     {api.AccountReport{Outcomes: []api.Outcome{{Existed: true}, {Existed: true}}}, fateThere, ""},
		"one full":  {api.AccountReport{Outcomes: []api.Outcome{{}, {Error: full}}}, fateFull, full.Message},
		"duplicate": {api.AccountReport{Label: "x", Error: &api.Error{Code: api.CodeExistsSame, Message: "cannot add x: y"}}, fateDuplicate, "y"},
		"locked":    {api.AccountReport{Outcomes: []api.Outcome{{Error: &api.Error{Code: api.CodeLocked, Message: "locked"}}}}, fateBlocked, "locked"},
		"SHA-512":   {api.AccountReport{Outcomes: []api.Outcome{{Error: &api.Error{Code: api.CodeNotSupported, Message: "no"}}}}, fateImpossible, "no"},
	} {
		f := &found{}
		f.judged(test.report)
		if f.fate != test.want || f.reason != test.reason {
			t.Errorf("%s: %s, %q", name, f.fate, f.reason)
		}
	}
}

// Many accounts are more than one request, and HOTP goes to the first of several keys that were named.
func TestBatches(t *testing.T) {
	p := &pile{}
	for i := range 600 {
		f := &found{ImportedEntry: kin.ImportedEntry{Type: "totp", Algorithm: "SHA1", Seed: oath.NewSecret(1)}}
		if i == 1 || i == 2 {
			f.Type = "hotp"
		}
		p.found = append(p.found, f)
	}
	defer p.wipe()
	sizes := func() (list []int) {
		for _, b := range p.batches(p.found) {
			list = append(list, len(b))
		}
		return list
	}
	if got := sizes(); !slices.Equal(got, []int{256, 256, 88}) {
		t.Errorf("%v", got)
	}
	p.o.to = []string{"a", "b"}
	if got := sizes(); !slices.Equal(got, []int{256, 256, 86, 2}) {
		t.Errorf("%v", got)
	}
	if r, _ := p.request(p.batches(p.found)[3]); !slices.Equal(r.To, []string{"a"}) {
		t.Errorf("%v", r.To)
	}
}

// Batches that have room one by one may not have it together.
func TestCrowd(t *testing.T) {
	p := &pile{helps: []api.PlanChange{{}}}
	for range 4 {
		p.found = append(p.found, &found{fate: fateNew, report: api.AccountReport{Outcomes: []api.Outcome{{Key: "a", KeyLabel: "daily"}, {Key: "b"}}}})
	}
	p.found[0].report.Outcomes[0].Existed = true
	p.found[1].fate = fateThere
	p.crowd([]api.Key{{ID: "a", Capacity: 32, Accounts: 31}, {ID: "b"}})
	if p.found[0].fate != fateNew || p.found[2].fate != fateNew || p.found[3].fate != fateFull || p.found[3].reason != "daily is full with what comes before" || p.helps != nil {
		t.Errorf("%+v", p.found[3])
	}
}

func TestPileWords(t *testing.T) {
	blocked := func() *found {
		return &found{issuer: "A", name: "b", fate: fateBlocked, reason: "cannot write to spare: it is locked", hint: "unlock spare"}
	}
	p := &pile{
		files: []importedFile{{File: "x", Program: "Aegis", Accounts: 2}, {File: "y", Error: &api.Error{Message: "cannot import y: no", Hint: "look at it"}}},
		found: []*found{blocked(), blocked()}, parts: []kin.ImportedBatch{{Size: 2, Indexes: []int{1}}}, helps: []api.PlanChange{{Words: "one more key"}},
	}
	got := ink.Look{}.Render(strings.Join(p.words(80), "\n"))
	for _, want := range []string{
		"x: Aegis, 2 accounts", "cannot import y: no", "hint: look at it", "A:b  blocked  cannot write to spare: it is locked", "missing: picture 1 of the 2 of one export",
		"- one more key", "hint: unlock spare", "2 accounts in 2 files: 2 blocked",
	} {
		if strings.Count(got, want) != 1 && !strings.HasPrefix(want, "A:b") {
			t.Errorf("%q is not there once:\n%s", want, got)
		}
	}
}

// Where the kernel has no Landlock, that is said once, and the files are read.
func TestNoLandlock(t *testing.T) {
	term, _, errOut := fakeTerminal()
	r := &reading{a: &app{term: term}, p: &pile{}}
	r.take("x", kin.Imported{Program: "Aegis"})
	r.take("y", kin.Imported{Program: "2FAS", Notes: []string{"one left out"}})
	want := "warning: there is no Landlock here: what reads the files has only a filter of system calls around it\nwarning: y: one left out\n"
	if errOut.String() != want || len(r.p.files) != 2 {
		t.Errorf("%q, %+v", errOut, r.p.files)
	}
}

// list is a file of four accounts.
func list(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.txt")
	var text strings.Builder
	for _, name := range []string{"one", "two", "three", "four"} {
		text.WriteString("otpauth://totp/Service:" + name + "?secret=GEZDGNBVGY3TQOJQ" + strings.ToUpper(name[:2]) + "AAAAAA\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An import that was killed goes on when it is run again: the first key has all by then, the second nothing.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := list(t)
	w.move(t, "1000002", api.SoftPull)
	c := w.start(t, "", "import", "--yes", "--wait", "5m", file)
	waitForBoth(t, c, "Service:four on daily: proved", "plug in spare")
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // killed
	w.move(t, "1000002", api.SoftPlug)
	// The daemon may have done the rest already: it heard of the key before it heard that nobody waits for it any more.
	w.start(t, "", "import", "--yes", file).finish(t, exitDone)
	accounts, err := w.client.Accounts(t.Context(), "Service:")
	if err != nil || len(accounts) != 4 {
		t.Errorf("%v, %+v", err, accounts)
	}
	for _, acc := range accounts {
		if acc.Proved != 2 || acc.Wanted != 2 {
			t.Errorf("%s: %d of %d", acc.Label(), acc.Proved, acc.Wanted)
		}
	}
	if s, err := w.client.Status(t.Context()); err != nil || s.OpenIntents != 0 {
		t.Errorf("%v, %d intents are open", err, s.OpenIntents)
	}
}

// gnupg makes a key that nobody needs for long, and returns the environment in which gpg has it.
func gnupg(t *testing.T) []string {
	t.Helper()
	need.Program(t, "gpg", "gpg")
	need.Program(t, "gpg-agent", "gpg-agent")
	home, err := os.MkdirTemp("", "gnupg") // t.TempDir's names are too long for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "GNUPGHOME=" + home, "HOME=" + home}
	t.Cleanup(func() {
		end := exec.CommandContext(context.Background(), "gpgconf", "--kill", "gpg-agent")
		end.Env = env
		if out, err := end.CombinedOutput(); err != nil {
			t.Errorf("%v, %s", err, out)
		}
		_ = os.RemoveAll(home)
	})
	runProgram(t, env, "", "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "tester", "default", "default", "never")
	return env
}

func runProgram(t *testing.T, env []string, input string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Env, c.Stdin = env, strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// A password store is a tree of files that gpg decrypts; what has no code in it is left out.
func TestImportPasswordStore(t *testing.T) {
	t.Parallel()
	env := gnupg(t)
	store := t.TempDir()
	for name, text := range map[string]string{
		"github.gpg":     "hunter2\notpauth://totp/GitHub:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\nuser: alice\n",
		"mail/work.gpg":  "otpauth://totp/Mail:alice?secret=MFRGGZDFMZTWQ2LK\n",
		"mail/plain.gpg": "hunter3\n",
		".git/x.gpg":     "otpauth://totp/Gone:alice?secret=MFRGGZDFMZTWQ2LL\n",
	} {
		path := filepath.Join(store, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		runProgram(t, env, text, "gpg", "--batch", "--quiet", "--trust-model", "always", "--encrypt", "--recipient", "tester", "--output", path)
	}
	w := newWorld(t)
	w.env = append(w.env, env[1:]...)
	c := w.start(t, "", "import", "--yes", store)
	c.expect(t, store+": 1 file without a one-time code left out")
	c.finish(t, exitDone, "GitHub:alice: 2 of 2 copies", "Mail:alice: 2 of 2 copies")
	if strings.Contains(c.out.String(), "Gone") {
		t.Error("what git keeps was imported")
	}

	// A file that gpg cannot decrypt is named, and does not keep the others from it.
	broken := filepath.Join(store, "broken.gpg")
	if err := os.WriteFile(broken, []byte("not encrypted"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t, "", "import", "-n", store).finish(t, exitPartly, "cannot decrypt "+broken+": ", `hint: "gpg --decrypt`, "GitHub:alice", "Mail:alice")
	alone := t.TempDir()
	if err := os.Rename(broken, filepath.Join(alone, "broken.gpg")); err != nil {
		t.Fatal(err)
	}
	c = w.start(t, "", "import", "-n", alone)
	c.expect(t, "oathctl: cannot decrypt "+filepath.Join(alone, "broken.gpg")+": ")
	c.expect(t, `hint: "gpg --decrypt`)
	c.finish(t, exitUsage)
}

// Who says no to gpg is not asked for the next file.
func TestImportPasswordStoreDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"one.gpg", "two.gpg"} {
		if err := os.WriteFile(filepath.Join(store, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gpg := "#!/bin/sh\necho asked >>\"$0.asked\"\necho 'gpg: decryption failed: Operation cancelled' >&2\nexit 2\n"
	if err := os.WriteFile(filepath.Join(bin, "gpg"), []byte(gpg), 0o700); err != nil {
		t.Fatal(err)
	}
	w.env[0] = "PATH=" + bin + ":" + strings.TrimPrefix(w.env[0], "PATH=")
	c := w.start(t, "", "import", "-n", store)
	c.expect(t, "oathctl: cannot decrypt "+filepath.Join(store, "one.gpg")+": you said no")
	c.finish(t, exitError)
	if asked, err := os.ReadFile(filepath.Join(bin, "gpg.asked")); err != nil || string(asked) != "asked\n" {
		t.Errorf("%q, %v", asked, err)
	}
}
