package escrow

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/internal/need"
)

// TestPython has Debian's python3-cryptography open what is wrapped for a slot.
func TestPython(t *testing.T) {
	python := need.Python(t, "cryptography", "python3-cryptography")
	s := newSafe(t)
	cmd := exec.Command(python, filepath.Join("testdata", "piv.py"), hex.EncodeToString(s.slot.private.Bytes()))
	cmd.Stdin = bytes.NewReader(s.Wrapped)
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	want, err := decrypt(s.Wrapped, s.recovery(t).key)
	if err != nil || string(got) != string(want.Bytes()) {
		t.Errorf("python reads %q, we %q, %v", got, want.Bytes(), err)
	}
}

// command is a line of a README that is to be typed.
var command = regexp.MustCompile(`(?m)^    (\S.*)$`)

// TestReadme does what a backup's README says, word by word, with Debian's tools alone: once with the recovery key,
// once with the passphrase.
func TestReadme(t *testing.T) {
	age := need.Program(t, "age", "age")
	need.Program(t, "oathtool", "oathtool")
	s := newSafe(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "FILE"), s.archive(t), 0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "oathd-backup")
	did := 0
	for _, m := range command.FindAllStringSubmatch(backupReadme, -1) {
		line := m[1]
		where := home
		switch {
		case strings.HasPrefix(line, "oathctl"), strings.HasPrefix(line, "cd "), strings.HasPrefix(line, "umask"):
			continue
		case strings.Contains(line, "identities.txt"):
			out, err := exec.Command("bash", "-c", "cd '"+home+"' && "+line).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "age-plugin-yubikey") {
				t.Errorf("%s: %v, %s; want it to ask for the plugin", line, err, out)
			}
			run(t, home, "", "cp", "again.txt", "vault-key.txt")
			continue
		case strings.HasPrefix(line, "tar"):
			where = dir
		case strings.Contains(line, "recovery.txt"):
			if err := os.WriteFile(filepath.Join(home, "recovery.txt"), append(s.paper.Bytes(), '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(line, "passphrase.age"):
			got := onTerminal(t, home, string(s.pass.Bytes()), age, "-d", "-o", "again.txt", "vault-key-passphrase.age")
			same(t, home, "vault-key.txt", "again.txt", got)
			did++
			continue
		}
		before := codeNow(t)
		out := run(t, where, "", "bash", "-euc", "set -o pipefail\n"+strings.ReplaceAll(line, "ID", github.ID))
		switch {
		case strings.Contains(line, "oathtool"):
			if out != before && out != codeNow(t) {
				t.Errorf("%s: %q", line, out)
			}
		case strings.Contains(line, "seeds/"):
			if !strings.Contains(out, "issuer: GitHub\n") || !strings.Contains(out, "secret: ONSWKZBAN5TCA5DIMUQGEYLONM\n") {
				t.Errorf("%s: %s", line, out)
			}
		case strings.Contains(line, "runbooks/"):
			if !strings.Contains(out, "\n\nCall +41 …\nCodes: drawer\n") {
				t.Errorf("%s: %s", line, out)
			}
		}
		did++
	}
	if did != 7 {
		t.Errorf("%d commands were tried", did)
	}
}

// codeNow is GitHub's code by oathtool.
func codeNow(t *testing.T) string {
	t.Helper()
	return run(t, "", "", "oathtool", "--totp", "-b", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
}

// same wants two files of a directory to be alike.
func same(t *testing.T, dir, a, b, context string) {
	t.Helper()
	x, err := os.ReadFile(filepath.Join(dir, a))
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(filepath.Join(dir, b))
	if err != nil || !bytes.Equal(x, y) {
		t.Errorf("%v: %q, %q\n%s", err, x, y, context)
	}
}

// TestPaperCommands does what the recovery paper says.
func TestPaperCommands(t *testing.T) {
	need.Program(t, "age", "age")
	s := newSafe(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"BACKUP": s.archive(t), "recovery.txt": s.paper.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, commands, _ := strings.Cut(paper, "<pre>tar")
	commands, _, _ = strings.Cut("tar"+commands, "</pre>")
	out := run(t, dir, "", "bash", "-euc", commands)
	if !strings.Contains(out, "name: alice") || !strings.Contains(out, "secret: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n") {
		t.Errorf("%s", out)
	}
}

// TestDebianEncrypts has Debian's age make the vault's files, and opens them here.
func TestDebianEncrypts(t *testing.T) {
	age := need.Program(t, "age", "age")
	s := newSafe(t)
	dir := t.TempDir()
	o := s.unlock(t, s.Vault)
	text := string(s.keyText(o.key).Bytes())

	v := *s.Vault
	v.Wrapped = []byte(run(t, dir, text, age, "-r", s.Recipients[1].Public))
	holds(t, s.unlock(t, &v), s.rows)

	if err := os.WriteFile(filepath.Join(dir, "key.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	onTerminal(t, dir, "correct horse", age, "-p", "-o", "key.age", "key.txt")
	wrapped, err := os.ReadFile(filepath.Join(dir, "key.age"))
	if err != nil {
		t.Fatal(err)
	}
	v.Passphrase = wrapped
	holds(t, s.unlock(t, &v, Passphrase(s.pass)), s.rows)

	row := Row{github, []byte(run(t, dir, github.header(s.ID)+"GEZDGNBV\n", age, "-r", s.PublicKey))}
	if got, err := o.Get(row); err != nil || string(got.Bytes()) != "12345" {
		t.Errorf("%q, %v", got.Bytes(), err)
	}
}

// onTerminal runs a program on a terminal of its own and types an answer to each "passphrase:" that it asks for; age
// takes a passphrase from nowhere else. It returns what the terminal showed.
func onTerminal(t *testing.T, dir, answer string, argv ...string) string {
	t.Helper()
	terminal, ours := openTerminal(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	var shown, unanswered []byte
	buf := make([]byte, 1024)
	for {
		n, err := ours.Read(buf)
		if err != nil { // EIO once the program has closed the terminal
			break
		}
		shown, unanswered = append(shown, buf[:n]...), append(unanswered, buf[:n]...)
		if i := bytes.Index(unanswered, []byte("passphrase")); i >= 0 && bytes.Contains(unanswered[i:], []byte(":")) {
			unanswered = nil
			if _, err := io.WriteString(ours, answer+"\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, shown)
	}
	return string(shown)
}

func openTerminal(t *testing.T) (theirs, ours *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	need.That(t, err == nil, "a pseudo-terminal (%v)", err)
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return theirs, ours
}
