package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/internal/need"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ipc/client"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// must returns what there is, or ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// adopt adopts all keys.
func adopt(t *testing.T, c *client.Client) {
	t.Helper()
	for i, key := range must(c.Keys(t.Context()))(t) {
		must(c.Adopt(t.Context(), key.ID, api.AdoptRequest{Label: fmt.Sprintf("key %d", i)}))(t)
	}
}

// sqlite has another program change the ledger.
func sqlite(t *testing.T, path, statement string) {
	t.Helper()
	const script = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\nassert db.execute(sys.argv[2]).rowcount > 0\ndb.commit()"
	if out, err := exec.Command(need.Program(t, "python3", "python3"), "-c", script, path, statement).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", statement, err, out)
	}
}

func TestDamagedLedger(t *testing.T) {
	s := newStage(t, "now")
	t.Setenv("OATHD_LEDGER", s.ledger())
	s.want("ledger", kin.VerdictNone, "no ledger yet", "")
	c, stop := s.daemon("now")
	adopt(t, c)
	s.want("ledger", kin.VerdictOK, "is whole", "")
	stop()
	whole := must(os.ReadFile(s.ledger()))(t)

	sqlite(t, s.ledger(), "UPDATE audit SET what = 'nothing' WHERE seq = 1")
	s.want("ledger", kin.VerdictBroken, "chain of the audit log is broken", "oathctl log")

	garbled := append([]byte{}, whole...)
	for i := 4096; i < 3*4096; i++ {
		garbled[i] = 0
	}
	files(t, "/", map[string]string{s.ledger(): string(garbled)})
	s.want("ledger", kin.VerdictBroken, "the file is damaged", "put a backup")
	files(t, "/", map[string]string{s.ledger(): "cake"})
	s.want("ledger", kin.VerdictBroken, "the file is damaged", "put a backup")
}

func TestEscrow(t *testing.T) {
	s := newStage(t, "now")
	t.Setenv("OATHD_LEDGER", s.ledger())
	c, stop := s.daemon("now")
	s.want("escrow", kin.VerdictNone, "there is no escrow", "oathctl escrow init")
	made, paper, err := c.EscrowInit(t.Context(), api.EscrowInitRequest{Recovery: "paper"}, oath.TakeSecret([]byte("correct horse")))
	if err != nil {
		t.Fatal(err)
	}
	paper.Wipe()
	s.want("escrow", kin.VerdictOK, "ways to open it 2", "")
	s.want("reminders", kin.VerdictOK, "of late", "")
	stop()

	// Nobody has tried one of them for 100 days.
	tried := time.Now().AddDate(0, 0, -100)
	for _, r := range made.Recipients {
		if r.By == api.OpenPassphrase {
			change(t, s.ledger(), func(tx *ledger.Tx) error { return tx.PutDrill(r.Public, tried) })
		}
	}
	_, stop = s.daemon("now")
	s.want("reminders", kin.VerdictWarning, "the passphrase was not tried for 90 days", "oathctl escrow drill")
	stop()

	change(t, s.ledger(), func(tx *ledger.Tx) error { return tx.PutVault([]byte("cake"), nil) })
	s.want("escrow", kin.VerdictBroken, "cannot use the escrow", "put a backup of the ledger in its place: "+s.ledger())
	s.daemon("now")
	s.want("escrow", kin.VerdictBroken, "cannot use the escrow", "put a backup of the ledger in its place: "+s.ledger())
}

// change writes to a ledger that no daemon has.
func change(t *testing.T, path string, f func(*ledger.Tx) error) {
	t.Helper()
	l := must(ledger.Open(t.Context(), path))(t)
	if err := l.Change(t.Context(), "a test", "something", f); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReminders(t *testing.T) {
	s := sight{daemon: daemon{reminders: []string{`the runbook of My: own is older than 180 days: see whether it is still true, then "oathctl runbook set"`}}}
	wantOne(t, checkReminders(s), kin.VerdictWarning, "My: own is older", `see whether it is still true, then "oathctl runbook set"`)
}

// TestOpenIntents adds an account while one of its keys is away.
func TestOpenIntents(t *testing.T) {
	s := newStage(t, "now")
	c, _ := s.daemon("now")
	adopt(t, c)
	s.want("intents", kin.VerdictOK, "nothing was left", "")
	must(c.MoveSoft(t.Context(), "1000002", api.SoftPull))(t)
	s.untilKeys(c, 1)
	account := api.NewAccount{Issuer: "GitHub", Name: "me", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
	must(c.Add(t.Context(), api.AddRequest{Accounts: []api.NewAccount{account}}, []*oath.Secret{oath.TakeSecret([]byte("12345678901234567890"))}, func(api.Step) {}))(t)
	s.want("intents", kin.VerdictWarning, "begun and not finished: 1", "oathctl resume")
}

func TestSettings(t *testing.T) {
	s := newStage(t, "now")
	s.want("settings", kin.VerdictOK, "can be used", "")
	files(t, s.config, map[string]string{"config.toml": "cake = 1\n"})
	s.want("settings", kin.VerdictBroken, `unknown setting`, "oathd check")
}

func TestPermissions(t *testing.T) {
	s := newStage(t, "now")
	s.daemon("now")
	settings := filepath.Join(s.config, "config.toml")
	files(t, s.config, map[string]string{"config.toml": "copies = 2\n"})
	s.want("permissions", kin.VerdictOK, "nobody else", "")
	for _, c := range []struct {
		path    string
		mode    os.FileMode
		verdict kin.Verdict
		mend    string
	}{
		{s.ledger(), 0o640, kin.VerdictWarning, "chmod go-rwx "},
		{s.ledger(), 0o660, kin.VerdictBroken, "chmod go-w "},
		{filepath.Dir(s.ledger()), 0o755, kin.VerdictWarning, "chmod go-rwx "},
		{filepath.Dir(s.ledger()), 0o777, kin.VerdictBroken, "chmod go-w "},
		{filepath.Dir(client.DefaultSocket()), 0o777, kin.VerdictBroken, "chmod go-w "},
		{client.DefaultSocket(), 0o666, kin.VerdictBroken, "chmod go-w "},
		{s.config, 0o755, kin.VerdictOK, ""},
		{s.config, 0o775, kin.VerdictWarning, "chmod g-w "},
		{settings, 0o646, kin.VerdictBroken, "chmod go-w "},
	} {
		was := must(os.Stat(c.path))(t)
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		words, mend := c.path, c.mend+c.path
		if c.verdict == kin.VerdictOK {
			words, mend = "nobody else", ""
		}
		s.want("permissions", c.verdict, words, mend)
		if err := os.Chmod(c.path, was.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeignOwner asks as somebody else whose a file is.
func TestForeignOwner(t *testing.T) {
	f := lookAtFiles(kin.SelfCheck{}, filepath.Join(t.TempDir(), "s"))[0]
	f.uid = 65534
	wantOne(t, f.check(1234), kin.VerdictBroken, "belongs to nobody", "sudo chown -R 1234 ")
}
