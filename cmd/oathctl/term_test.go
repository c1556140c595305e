package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/internal/ink"
	"github.com/oathd/oathd/ipc/api"
)

// fakeTerminal is one whose streams are files.
func fakeTerminal() (t *terminal, out, errOut *bytes.Buffer) {
	out, errOut = new(bytes.Buffer), new(bytes.Buffer)
	return newTerminal(streams{strings.NewReader(""), out, errOut}), out, errOut
}

func TestFail(t *testing.T) {
	ambiguous := &api.Error{
		Code: api.CodeAmbiguous, Message: "cannot tell", Hint: "say which",
		Candidates: []api.Candidate{{ID: "aaaa", Label: "x:y"}, {ID: "bbbb", Label: "x:y", Note: "on spare\x1b[2J"}},
	}
	tests := []struct {
		err        error
		text, code string
	}{
		{errors.New("cannot go on"), "oathctl: cannot go on\n", `"internal"`},
		{usagef("try this", "cannot say %q", "x"), "oathctl: cannot say \"x\"\nhint: try this\n", `"bad_request"`},
		{fmt.Errorf("cannot do it: %w", &api.Error{Code: api.CodeLocked, Message: "it is locked", Hint: "unlock it"}),
			"oathctl: cannot do it: it is locked\nhint: unlock it\n", `"locked"`},
		{ambiguous, "oathctl: cannot tell\n  x:y  (aaaa)\n  x:y  (bbbb, on spare?[2J)\nhint: say which\n", `"ambiguous"`},
		{ended(7), "", ""},
	}
	t.Setenv("LC_ALL", "C")
	for _, test := range tests {
		term, out, errOut := fakeTerminal()
		term.fail(test.err)
		if errOut.String() != test.text || out.Len() > 0 {
			t.Errorf("%v: got %q, want %q; and %q", test.err, errOut, test.text, out)
		}
		term.json = true
		term.fail(test.err)
		if got := out.String(); !strings.Contains(got, test.code) || test.code != "" && !json.Valid(out.Bytes()) {
			t.Errorf("%v: got %s, want a document with %s", test.err, got, test.code)
		}
	}
}

func TestAnswer(t *testing.T) {
	term, out, errOut := fakeTerminal()
	if err := term.answer(1, []string{ink.Paint(ink.Green, "a"), "b"}); err != nil || out.String() != "a\nb\n" {
		t.Errorf("got %q, %v", out, err)
	}
	out.Reset()
	term.json = true
	if err := term.answer(map[string]string{"a": "<&>"}, []string{"unused"}); err != nil || out.String() != `{"a":"<&>"}`+"\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if errOut.Len() > 0 {
		t.Errorf("stderr: %q", errOut)
	}
	term.out = brokenPipe{}
	for _, term.json = range []bool{true, false} {
		if err := term.answer(1, []string{"a"}); err == nil || !strings.HasPrefix(err.Error(), "cannot write the answer: ") {
			t.Errorf("got error %v", err)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestQuiet(t *testing.T) {
	term, _, errOut := fakeTerminal()
	term.quiet = true
	term.say("progress")
	term.warn("danger")
	if got := errOut.String(); got != "warning: danger\n" {
		t.Errorf("got %q", got)
	}
}

func TestParseChoice(t *testing.T) {
	for answer, want := range map[string][]int{"": nil, " , ": nil, "all": {0, 1, 2}, "ALL": {0, 1, 2}, "2": {1}, "3,1": {2, 0}, "1 2 , 1": {0, 1}} {
		if got, err := parseChoice(answer, 3); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v", answer, got, err)
		}
	}
	for _, answer := range []string{"0", "4", "x", "1-2", "-1"} {
		if got, err := parseChoice(answer, 3); err == nil {
			t.Errorf("%q: got %v", answer, got)
		}
	}
}

func TestTrimLineEnd(t *testing.T) {
	for in, want := range map[string]string{"": "", "\n": "", "\r\n": "", "a\n": "a", "a \r\n": "a ", "a\n\n": "a\n", "a": "a"} {
		if got := string(trimLineEnd([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Colours and symbols are nobody's business in a file, whatever the environment says.
func TestFilesAreNoTerminals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	term := newTerminal(streams{f, f, f})
	if term.outTTY || term.asks || term.outLook.Colour || term.errLook.Colour || term.columns != 80 {
		t.Errorf("got %+v", term)
	}
}

func TestRefuseSecrets(t *testing.T) {
	const seed = "JBSWY3DPEHPK3PXP"
	for _, args := range [][]string{
		{"add", "otpauth://totp/x?secret=" + seed}, {"add", "--qr=OTPAUTH://totp/x?secret=" + seed},
		{"code", "--", "otpauth://totp/x?secret=" + seed}, {"otpauth-migration://offline?data=" + seed},
		{"add", seed}, {"add", "-", seed},
	} {
		var out, errOut bytes.Buffer
		status := run(context.Background(), args, streams{strings.NewReader(""), &out, &errOut})
		if status != exitUsage || !strings.HasPrefix(errOut.String(), "oathctl: cannot take an ") {
			t.Errorf("%q: status %d, %q", args, status, errOut.String())
		}
		if strings.Contains(errOut.String()+out.String(), seed) {
			t.Errorf("%q: the secret is repeated: %s", args, errOut.String())
		}
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"cod", "did you mean: code"},
		{"xyzzy", "oathctl --help lists the verbs"},
		{"code --kee x", "unknown flag: --kee"},
		{"code a b", "accepts at most 1 arg"},
		{"rename a", "accepts 2 arg"},
		{"key", "needs a verb behind it"},
		{"key adpt x", "did you mean: adopt"},
		{"password xyzzy", "oathctl password --help"},
		{"code --wait x", `it is a time like 30s or 5m, 0, or "forever"`},
		{"code --wait -5s", "it is a time"},
		{"code --min-validity -1 x", "it is a number of seconds"},
		{"code --copy --pair x", "both --copy and --pair"},
		{"completion tcsh", "bash, fish, zsh"},
		{"verify --current spare", "--current needs its NAME"},
		{"add", "cannot add nothing"},
		{"add - --qr x.png", `both "-" and a picture`},
		{"add - --all", "--all without a picture"},
		{"add - --to a --copies 2", "both --to and --copies"},
		{"add - --copies 0", "cannot make 0 copies"},
		{"add - --digits 8", "cannot use --digits for an account that is read"},
		{"add --qr x.png --hotp", "cannot use --hotp for an account that is read"},
		{"add --name x --hotp --period 30", "--period with --hotp"},
		{"add --name x --counter 3", "--counter without --hotp"},
		{"add --name x --digits 5", "number of digits: 5"},
		{"add --name x --digits 11", "number of digits: 11"},
		{"add --name x --period 0", "period: 0 seconds"},
		{"add --name x --algorithm MD5", "SHA1, SHA256 or SHA512"},
		{"add --name " + strings.Repeat("n", 65), "takes 65 bytes on a key, 64 fit"},
		{"add --name x\a", "control character"},
		{"add --name x --issuer y:z", "would give"},
	} {
		var out, errOut bytes.Buffer
		status := run(context.Background(), strings.Fields(test.args), streams{strings.NewReader(""), &out, &errOut})
		if status != exitUsage || !strings.Contains(errOut.String(), test.want) || out.Len() > 0 {
			t.Errorf("%s: status %d, got %q, want %q", test.args, status, errOut.String(), test.want)
		}
	}
}
