package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"rsc.io/qr"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/oath"
)

var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "oathctl-import"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(status)
}

// installed builds oathctl-import as it is released, and lets package kin find it.
func installed(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", built+":"+os.Getenv("PATH"))
	return filepath.Join(built, "oathctl-import")
}

var build = sync.OnceValue(func() error {
	c := exec.Command("go", "build", "-o", built+"/", ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return nil
})

// file holds text, open to be read.
func file(t *testing.T, text []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// noPassword fails the test that is asked for one.
func noPassword(t *testing.T) func(bool) (*oath.Secret, error) {
	return func(bool) (*oath.Secret, error) {
		t.Error("asked for a password")
		return nil, errors.New("there is none")
	}
}

const (
	alice = "otpauth://totp/GitHub:alice?secret=JBSWY3DPEHPK3PXP&issuer=GitHub"
	long  = "otpauth://totp/GitHub:nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn?secret=MY"
	odd   = "otpauth://totp/Odd:alice?secret=JBSWY3DPEHPK3PXP&digits=5"
	bank  = "otpauth://hotp/Bank:bob?secret=MY&counter=7&algorithm=SHA256&digits=8"
)

// words writes down what was found, seeds included.
func words(found kin.Imported) string {
	lines := []string{found.Format}
	for _, e := range found.Entries {
		line := fmt.Sprintf("%s:%s %x", e.Issuer, e.Name, e.Seed.Bytes())
		if e.Problem != "" {
			line += fmt.Sprintf(" rename %t: %s", e.Rename, e.Problem)
		} else {
			line += fmt.Sprintf(" %s %s %d %d %d", e.Type, e.Algorithm, e.Digits, e.Period, e.Counter)
		}
		lines = append(lines, line)
	}
	return strings.Join(append(lines, found.Notes...), "\n")
}

func TestRead(t *testing.T) {
	installed(t)
	found, err := kin.Import(t.Context(), file(t, []byte(alice+"\n"+long+"\n"+odd+"\n"+bank+"\n")), "", noPassword(t))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Wipe()
	want := strings.Join([]string{
		"otpauth",
		"GitHub:alice 48656c6c6f21deadbeef totp SHA1 6 30 0",
		"GitHub:" + strings.Repeat("n", 71) + " 66 rename true: name too long: \"GitHub:" + strings.Repeat("n", 71) + "\" takes 78 bytes on a key, 64 fit",
		"Odd:alice  rename false: unusable number of digits: 5, a key holds 6, 7 or 8",
		"Bank:bob 66 hotp SHA256 8 0 7",
	}, "\n")
	if got := words(found); got != want || found.Program != "many programs" {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if kernel := landlock(); found.Landlock != kernel {
		t.Errorf("Landlock %d around it, the kernel has %d", found.Landlock, kernel)
	}
}

// landlock is the kernel's version of it, 0 for none.
func landlock() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// picture is a PNG of a QR code.
func picture(t *testing.T, text string) []byte {
	t.Helper()
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	return c.PNG()
}

func TestPicture(t *testing.T) {
	installed(t)
	found, err := kin.Import(t.Context(), file(t, picture(t, alice)), "", noPassword(t))
	if err != nil || words(found) != "otpauth\nGitHub:alice 48656c6c6f21deadbeef totp SHA1 6 30 0" {
		t.Errorf("%v, %s", err, words(found))
	}
	_, err = kin.Import(t.Context(), file(t, picture(t, "https://example.com")), "", noPassword(t))
	if err == nil || err.Error() != "it shows 1 QR code, none with an account" {
		t.Errorf("%v", err)
	}
}

// TestPartOfBatch reads a picture of one of the QR codes over which Google Authenticator divides its accounts, and says which it is.
func TestPartOfBatch(t *testing.T) {
	installed(t)
	text, err := os.ReadFile("../../importer/testdata/google_batch1.txt")
	if err != nil {
		t.Fatal(err)
	}
	found, err := kin.Import(t.Context(), file(t, picture(t, strings.TrimSpace(string(text)))), "", noPassword(t))
	if err != nil || len(found.Entries) != 1 || found.Entries[0].Name != "alice" {
		t.Fatalf("%v, %s", err, words(found))
	}
	defer found.Wipe()
	if want := []kin.ImportedBatch{{ID: 99, Size: 3, Indexes: []int{0}}}; !reflect.DeepEqual(found.Batches, want) {
		t.Errorf("%+v, want %+v", found.Batches, want)
	}
}

// encrypted is an export of Aegis whose password is "test".
func encrypted(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open("../../importer/testdata/aegis_encrypted.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestPasswords gives a wrong password first, and looks at the program while it waits for one: it has been shut in, on all of its
// threads, before it read what says that it takes a password.
func TestPasswords(t *testing.T) {
	installed(t)
	var asked []bool
	found, err := kin.Import(t.Context(), encrypted(t), "", func(again bool) (*oath.Secret, error) {
		if asked = append(asked, again); !again {
			shutIn(t)
			return oath.TakeSecret([]byte("wrong")), nil
		}
		return oath.TakeSecret([]byte("test")), nil
	})
	if err != nil || len(found.Entries) == 0 || found.Format != "aegis" || fmt.Sprint(asked) != "[false true]" {
		t.Errorf("%v, %s, asked %v", err, words(found), asked)
	}
	found.Wipe()

	gone := errors.New("gone")
	if _, err := kin.Import(t.Context(), encrypted(t), "", func(bool) (*oath.Secret, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("without a password: %v", err)
	}
	_, err = kin.Import(t.Context(), encrypted(t), "", func(bool) (*oath.Secret, error) { return oath.TakeSecret([]byte("wrong")), nil })
	if err == nil || !strings.Contains(err.Error(), "the password is wrong") || err.(*kin.ImportError).Hint == "" {
		t.Errorf("with wrong passwords: %v", err)
	}
}

// shutIn wants this process's one child to be confined.
func shutIn(t *testing.T) {
	t.Helper()
	for _, child := range children(t) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%s/task/*/status", child))
		if err != nil || len(threads) < 2 {
			t.Errorf("%v, threads %v", err, threads)
		}
		for _, thread := range threads {
			status, err := os.ReadFile(thread)
			if err != nil {
				t.Error(err)
			}
			for _, line := range []string{"Seccomp:\t2\n", "NoNewPrivs:\t1\n"} {
				if !strings.Contains(string(status), line) {
					t.Errorf("%s has no line %q:\n%s", thread, line, status)
				}
			}
		}
		limits, err := os.ReadFile("/proc/" + child + "/limits")
		if err != nil || !strings.Contains(string(limits), "Max cpu time              180                  180 ") || strings.Contains(string(limits), "Max address space         unlimited") {
			t.Errorf("%v, %s", err, limits)
		}
		environment, err := os.ReadFile("/proc/" + child + "/environ")
		if err == nil && string(environment) != "GOTRACEBACK=none\x00" {
			t.Errorf("its environment is %q", environment)
		}
	}
}

func children(t *testing.T) []string {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		all = append(all, strings.Fields(string(text))...)
	}
	if len(all) != 1 {
		t.Fatalf("children %v", all)
	}
	return all
}

func TestUnusable(t *testing.T) {
	installed(t)
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	huge := file(t, nil)
	if err := os.Truncate(huge.Name(), maxFile+1); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file         *os.File
		format, want string
	}{
		"nothing":   {file(t, nil), "", "no known format"},
		"a stone":   {file(t, []byte("\x00\x01\x02")), "", "no known format"},
		"directory": {dir, "", "it is a directory"},
		"huge":      {huge, "", "it is larger than 512 MiB"},
		"format":    {file(t, []byte(alice)), "cake", `no known format "cake"`},
		"picture":   {file(t, []byte("\x89PNG\r\n\x1a\n")), "", "EOF"},
	} {
		_, err := kin.Import(t.Context(), test.file, test.format, noPassword(t))
		wire, ok := errors.AsType[*kin.ImportError](err)
		if !ok || !strings.Contains(wire.Message, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPipe(t *testing.T) {
	installed(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(alice + "\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if found, err := kin.Import(t.Context(), r, "", noPassword(t)); err != nil || len(found.Entries) != 1 {
		t.Errorf("%v, %s", err, words(found))
	}
}

func TestList(t *testing.T) {
	installed(t)
	formats, err := kin.ImportFormats(t.Context())
	if err != nil || len(formats) < 2 || formats[0].Name >= formats[1].Name || formats[0].Program == "" || formats[0].Kind == "" {
		t.Errorf("%v, %+v", err, formats)
	}
}

// TestNobodyListens wants the program to end where oathctl has ended.
func TestNobodyListens(t *testing.T) {
	c := exec.CommandContext(t.Context(), installed(t))
	c.ExtraFiles = []*os.File{file(t, []byte(alice))}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	c.Stdout = w
	if err := c.Run(); err == nil {
		t.Error("it was heard")
	}
}

// TestBreakingOff ends the program with the context, in the middle of a question.
func TestBreakingOff(t *testing.T) {
	installed(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := kin.Import(ctx, encrypted(t), "", func(bool) (*oath.Secret, error) {
		cancel()
		return oath.TakeSecret([]byte("test")), nil
	})
	if err == nil {
		t.Error("it went on")
	}
}
