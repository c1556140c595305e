package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oathd/oathd/awsmfa/awstest"
	"github.com/oathd/oathd/oath"
)

// scriptAWS starts a stand-in of AWS for a script. The users before "-" have a device each; "root" is the root user.
func scriptAWS(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		enrolled := slices.Index(args, "-")
		users := slices.Delete(slices.Clone(args), enrolled, enrolled+1)
		o := awstest.Options{Users: []awstest.User{}, Roles: []awstest.Role{{Name: "admin", NeedsMFA: true}}}
		for _, name := range users {
			if name != "root" {
				o.Users = append(o.Users, awstest.User{Name: name})
			}
		}
		server := awstest.Start(t, o)
		var profiles strings.Builder
		for i, name := range users {
			who := strings.TrimPrefix(name, "root")
			key := server.AccessKey(who)
			fmt.Fprintf(&profiles, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, key.ID, key.Secret)
			if i < enrolled {
				server.Enrol(who, name)
				uri := server.Console(server.ARN("mfa/"+name), "123456789012")
				uri = strings.Replace(uri, url.PathEscape(server.ARN("mfa/")), "", 1) // AWS shows the name alone
				ts.Check(os.WriteFile(ts.MkAbs(name+".uri"), []byte(uri+"\n"), 0o600))
			}
		}
		ts.Setenv("HOME", ts.Getenv("WORK"))
		ts.Setenv("AWS_ENDPOINT_URL", server.URL)
		ts.Check(os.Mkdir(filepath.Join(ts.Getenv("WORK"), ".aws"), 0o700))
		ts.Check(os.WriteFile(ts.MkAbs(".aws/credentials"), []byte(profiles.String()), 0o600))
	}
}

func TestDeviceOf(t *testing.T) {
	for account, want := range map[oath.Account]string{
		{Issuer: "Amazon Web Services", Name: "root-account-mfa-device@123456789012"}: "arn:aws:iam::123456789012:mfa/root-account-mfa-device",
		{Issuer: "Amazon Web Services", Name: "a@b@123456789012"}:                     "arn:aws:iam::123456789012:mfa/a@b",
		{Issuer: "Amazon Web Services", Name: "alice@my-shop"}:                        "",
		{Issuer: "Amazon Web Services", Name: "alice@1234567890123"}:                  "",
		{Issuer: "Amazon", Name: "alice@123456789012"}:                                "",
	} {
		if got := deviceOf(account); got != want {
			t.Errorf("%+v: %q", account, got)
		}
	}
}

func TestSectionName(t *testing.T) {
	for line, want := range map[string]string{
		"[default]": "default", "[profile work]\n": "work", " [ profile  work ] # mine": "work", `[profile "two words"]`: "two words", "[work]": "work",
		"[sso-session x]": "", "[services x]": "", "region = x": "", "# [profile x]": "", "[broken": "", "": "",
	} {
		if got := sectionName(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestWithProcess changes one line, and nothing else, of whatever is there.
func TestWithProcess(t *testing.T) {
	const process = "/usr/bin/oathctl aws credentials --profile work"
	for name, test := range map[string]struct{ before, after, change string }{
		"nothing":         {"", "[profile x]\ncredential_process = P\n", "+[profile x],+credential_process = P"},
		"another profile": {"[default]\nregion = r", "[default]\nregion = r\n\n[profile x]\ncredential_process = P\n", "+[profile x],+credential_process = P"},
		"the profile":     {"[profile x]\r\nregion = r\r\n[default]\n", "[profile x]\r\ncredential_process = P\nregion = r\r\n[default]\n", " [profile x],+credential_process = P"},
		"without an end":  {"[profile x]", "[profile x]\ncredential_process = P\n", " [profile x],+credential_process = P"},
		"another process": {"[profile x]\nregion=r\ncredential_process=old # it\n[default]\ncredential_process=z\n", "[profile x]\nregion=r\ncredential_process = P\n[default]\ncredential_process=z\n",
			" [profile x],-credential_process=old # it,+credential_process = P"},
		"the same":    {"[profile x]\ncredential_process=P\n", "[profile x]\ncredential_process=P\n", ""},
		"nested":      {"[profile x]\ns3 =\n  credential_process = no\n", "[profile x]\ncredential_process = P\ns3 =\n  credential_process = no\n", " [profile x],+credential_process = P"},
		"a line of =": {"[profile x]\n=\n\n", "[profile x]\ncredential_process = P\n=\n\n", " [profile x],+credential_process = P"},
	} {
		full := func(s string) string { return strings.ReplaceAll(s, "P", process) }
		after, change := withProcess(full(test.before), "x", process)
		if after != full(test.after) || strings.Join(change, ",") != full(test.change) {
			t.Errorf("%s: %q, %q", name, after, change)
		}
		if again, change := withProcess(after, "x", process); again != after || len(change) > 0 {
			t.Errorf("%s, once more: %q, %q", name, again, change)
		}
	}
}

func TestAWSLetter(t *testing.T) {
	if got := strings.Map(awsLetter, "Nitrokey 3 (Büro)/2_a"); got != "Nitrokey-3--B-ro--2_a" {
		t.Error(got)
	}
}

// TestPairAtTerminal follows somebody who has the page open: both codes are shown, and copied one after the other.
func TestPairAtTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	picture, err := filepath.Abs("../../docs/demo/aws-root.png")
	if err != nil {
		t.Fatal(err)
	}
	user, program := openPTY(t)
	c := w.command(t, "", "aws", "pair", "--qr", picture)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = program.File, program.File, program.File
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c.start(t)
	program.Close()
	seen := until(t, user, "Enter copies the second.")
	codes := regexp.MustCompile(`MFA code 1:\s+(\d{6})\s+MFA code 2:\s+(\d{6})`).FindStringSubmatch(seen)
	if codes == nil || codes[1] == codes[2] || !strings.Contains(seen, "2 of 2 copies") {
		t.Fatalf("%q", seen)
	}
	say(t, user, "\n")
	until(t, user, "Did it take them?")
	say(t, user, "y\n")
	if seen = until(t, user, "oathctl runbook set"); !strings.Contains(seen, "there is no escrow") {
		t.Errorf("%q", seen)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
	account, err := w.client.Account(t.Context(), "amazon")
	if err != nil || account.Proved != 2 || !strings.HasPrefix(account.Alias, "arn:aws:iam::") {
		t.Errorf("%+v, %v", account, err)
	}
}

// until reads what the user sees, up to a text. Colours are left out.
func until(t *testing.T, user *os.File, text string) string {
	t.Helper()
	var seen strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := user.Read(buf)
		seen.Write(buf[:n])
		plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(seen.String(), "")
		if strings.Contains(plain, text) {
			return plain
		}
		if err != nil {
			t.Fatalf("it ended without %q: %v, %q", text, err, plain)
		}
	}
}

func say(t *testing.T, user *os.File, text string) {
	t.Helper()
	if _, err := user.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
