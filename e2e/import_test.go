package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// blank has two new keys, in the ledger.
func blank(t testing.TB) *stage {
	return stageOf(t, "blank", func(t testing.TB) *stage {
		s := &stage{keys: map[string]*softkey.Key{}}
		for i, label := range []string{"daily", "spare"} {
			k, err := softkey.New(softkey.Options{Serial: uint32(i + 1), Personality: "yubikey-5.7"})
			if err != nil {
				t.Fatal(err)
			}
			s.keys[label] = k
		}
		return s
	}, func(s *scene) {
		for label, k := range s.keys {
			if _, err := s.client.Adopt(s.t.Context(), fmt.Sprint(k.Serial()), api.AdoptRequest{Label: label}); err != nil {
				s.t.Fatal(err)
			}
		}
	})
}

// export is a file of so many accounts, Service1:me and on.
func (s *scene) export(accounts int) string {
	var text strings.Builder
	for i := range accounts {
		fmt.Fprintf(&text, "otpauth://totp/Service%d:me?secret=%s\n", i+1, strings.Repeat("GEZDGNBV", i%7+1)+strings.Repeat("MFRGGZDF", i/7+1))
	}
	path := filepath.Join(s.dir, "export.txt")
	write(s.t, path, []byte(text.String()))
	return path
}

// importing runs oathctl import and returns what it says.
func (s *scene) importing(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(release(t), "oathctl"), append([]string{"--socket", s.client.Socket, "import", "--yes"}, args...)...)
	c.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return string(out), err
}

// commands names what a key was told since it was last asked.
func commands(k *softkey.Key) string {
	names := map[byte]string{0xa4: "SELECT", 0xa1: "LIST", 0x01: "PUT", 0xa2: "CALCULATE"}
	var list []string
	for _, c := range k.APDUs() {
		if name, known := names[c.INS]; known {
			list = append(list, name)
		} else {
			list = append(list, fmt.Sprintf("%02x", c.INS))
		}
	}
	k.ForgetAPDUs()
	return strings.Join(list, " ")
}

// TestImportOfAll counts what it takes to bring 64 accounts onto two keys: one SELECT and one LIST on each, a PUT and a proof for each
// account, and nothing more if it is repeated.
func TestImportOfAll(t *testing.T) {
	t.Parallel()
	const accounts = 64
	s := blank(t).enter(t)
	defer s.leave(syscall.SIGTERM)
	file := s.export(accounts)
	for _, k := range s.keys {
		k.ForgetAPDUs()
	}
	out, err := s.importing(t, file)
	if err != nil || !strings.Contains(out, "Service64:me: 2 of 2 copies") {
		t.Fatalf("%v, %s", err, out)
	}
	want := "SELECT LIST" + strings.Repeat(" PUT CALCULATE", accounts)
	for label, k := range s.keys {
		if got := commands(k); got != want {
			t.Errorf("on %s: %s", label, got)
		}
	}
	if out, err := s.importing(t, file); err != nil || !strings.Contains(out, "nothing to write") {
		t.Errorf("once more: %v, %s", err, out)
	}
	for label, k := range s.keys {
		if got := commands(k); got != "" {
			t.Errorf("once more, on %s: %s", label, got)
		}
	}
	// One more has no room, and it is said what would help.
	write(t, file, []byte("otpauth://totp/One%20too%20many:me?secret=MFRGGZDF\n"))
	if out, err := s.importing(t, file); err == nil || !strings.Contains(out, "it is full with 64 accounts") || !strings.Contains(out, "2 more keys") {
		t.Errorf("one too many: %v, %s", err, out)
	}
}

// TestImportKilled kills the daemon at points all over an import, runs another, and imports the same file again: it does the rest,
// and no more.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	const accounts = 3
	whole := func(s *scene) (errs []error) {
		for i := range accounts {
			errs = append(errs, s.onKeys(fmt.Sprintf("Service%d:me", i+1), "daily", "spare"))
		}
		return append(errs, s.settled())
	}
	s := blank(t).enter(t)
	file := s.export(accounts)
	points, _, err := s.attempt(0, func() error { _, err := s.importing(t, file); return err })
	s.expect(append(whole(s), err)...)
	s.leave(syscall.SIGTERM)
	for n := 1; n <= points; n += 3 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := blank(t).doom().enter(t)
			file := s.export(accounts)
			_, dead, err := s.attempt(n, func() error { _, err := s.importing(t, file); return err })
			if dead == (err == nil) {
				t.Errorf("it died: %t, oathctl: %v", dead, err)
			}
			if dead {
				s.reborn()
			}
			_, err = s.importing(t, file)
			s.expect(append([]error{err}, whole(s)...)...)
			for label, k := range s.keys {
				if n := len(answers(t, k)); n != accounts {
					t.Errorf("%d accounts on %s", n, label)
				}
			}
			s.leave(syscall.SIGTERM)
		})
	}
}
