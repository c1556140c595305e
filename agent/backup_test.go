package agent_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// kept is a safe with accounts of each kind, and its backup.
func kept(t *testing.T) (*safe, []byte) {
	t.Helper()
	s := newSafe(t)
	s.mustAdd(first)
	s.mustAdd(touched(second))
	if _, err := s.add(api.AddRequest{Accounts: []api.NewAccount{hotp("Bank", "me")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("codes: drawer")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.drill(onPaper, s.paper); err != nil {
		t.Fatal(err)
	}
	file, err := s.EscrowBackup(t.Context(), tester)
	if err != nil {
		t.Fatal(err)
	}
	return s, file
}

func (r *rig) open(o api.Opener, secret string, backup []byte) (api.Escrow, error) {
	r.t.Helper()
	return r.EscrowOpen(r.t.Context(), tester, api.EscrowOpenRequest{Opener: o}, secrets(secret, string(backup)))
}

// TestOpenOnABareMachine takes the backup, and one of the keys, to another machine.
func TestOpenOnABareMachine(t *testing.T) {
	s, file := kept(t)
	for name, test := range map[string]struct {
		opener api.Opener
		secret string
	}{
		"paper": {onPaper, s.paper}, "key": {api.Opener{By: api.OpenPIV}, hwtest.FactoryPIN},
	} {
		t.Run(name, func(t *testing.T) {
			bare := safe{rig: newRig(t), paper: s.paper}
			s.main.Power(true)
			bare.insert(s.main)
			e, err := bare.open(test.opener, test.secret, file)
			if err != nil || e.Seeds != 3 || e.Runbooks != 1 || len(e.Recipients) != 2 || e.Recipients[1].DrilledAt.IsZero() {
				t.Fatalf("%v, %+v", err, e)
			}
			if k := bare.key("main"); !k.Present || k.State != api.KeyAdopted {
				t.Errorf("%+v", k)
			}
			if c := bare.mustCode(api.CodeRequest{Account: "GitHub:me"}); !c.Proved {
				t.Errorf("%+v", c)
			}
			bare.restart()
			bare.fresh(3, "new")
			if report, err := bare.restore(api.RestoreRequest{To: []string{"new"}}); err != nil || !report.Complete || len(report.Accounts) != 2 {
				t.Errorf("%v, %+v", err, report)
			}
			_, err = bare.open(test.opener, test.secret, file)
			wantCode(t, err, api.CodeConflict)
			bare.intact()
			log, _ := bare.Audit(t.Context())
			if !strings.Contains(log.Entries[0].What, "rebuild the ledger from the backup of ") {
				t.Errorf("%+v", log.Entries[0])
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	s, file := kept(t)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		opener api.Opener
		secret string
		file   []byte
		code   api.ErrorCode
	}{
		"no backup":       {onPaper, s.paper, []byte("hello"), api.CodeEscrow},
		"an empty one":    {onPaper, s.paper, nil, api.CodeEscrow},
		"a flipped bit":   {onPaper, s.paper, flipped, api.CodeEscrow},
		"another paper":   {onPaper, otherPaper(t), file, api.CodeNotFound},
		"a key not there": {api.Opener{By: api.OpenPIV}, hwtest.FactoryPIN, file, api.CodeKeyAbsent},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.open(test.opener, test.secret, test.file)
			if e := wantCode(t, err, test.code); strings.Contains(e.Hint, "escrow open") {
				t.Errorf("who opens a backup is told to open one: %s", e.Hint)
			}
			if r.Escrow().Exists || len(r.Accounts("")) != 0 {
				t.Error("something was kept")
			}
		})
	}
	_, err := s.open(onPaper, s.paper, file)
	wantCode(t, err, api.CodeConflict)
	r, _, _ := twoKeys(t)
	_, err = r.open(onPaper, s.paper, file)
	wantCode(t, err, api.CodeConflict)
}

func TestRecipients(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.enrolled(3, "third")
	_, page, err := s.EscrowAdd(t.Context(), tester, api.EscrowAddRequest{Opener: onPaper, Recovery: "second paper"}, secrets(s.paper, ""))
	if err != nil {
		t.Fatal(err)
	}
	another := keyOnPaper(t, page)
	e, err := s.EscrowRemove(t.Context(), tester, api.EscrowRemoveRequest{Opener: withMain, Recipients: []string{"paper", "third"}}, secrets(hwtest.FactoryPIN, ""))
	if err != nil || len(e.Recipients) != 2 || len(e.Warnings) == 0 || !strings.Contains(e.Warnings[0], "exposed") || e.Seeds != 1 {
		t.Fatalf("%v, %+v", err, e)
	}
	_, err = s.drill(onPaper, s.paper)
	wantCode(t, err, api.CodeNotFound)
	s.mustAdd(second)
	s.restart()
	for opener, secret := range map[api.Opener]string{onPaper: another, withMain: hwtest.FactoryPIN} {
		if d, err := s.drill(opener, secret); err != nil || d.Seeds != 2 || len(d.Faults) != 0 {
			t.Errorf("%v: %v, %+v", opener, err, d)
		}
	}
	for name, test := range map[string]struct {
		run  func() error
		code api.ErrorCode
	}{
		"nobody": {func() error {
			_, err := s.EscrowRemove(t.Context(), tester, api.EscrowRemoveRequest{Opener: onPaper}, secrets(another, ""))
			return err
		}, api.CodeBadRequest},
		"somebody unknown": {func() error {
			_, err := s.EscrowRemove(t.Context(), tester, api.EscrowRemoveRequest{Opener: onPaper, Recipients: []string{"third"}}, secrets(another, ""))
			return err
		}, api.CodeNotFound},
		"all": {func() error {
			_, err := s.EscrowRemove(t.Context(), tester, api.EscrowRemoveRequest{Opener: onPaper, Recipients: []string{"main", "second paper"}}, secrets(another, ""))
			return err
		}, api.CodeBadRequest},
		"two at once": {func() error {
			_, _, err := s.EscrowAdd(t.Context(), tester, api.EscrowAddRequest{Opener: onPaper, Recovery: "x"}, secrets(another, "pass"))
			return err
		}, api.CodeBadRequest},
		"one twice": {func() error {
			_, _, err := s.EscrowAdd(t.Context(), tester, api.EscrowAddRequest{Opener: onPaper, Key: "main"}, secrets(another, ""))
			return err
		}, api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, test.run(), test.code) })
	}
	if e := s.Escrow(); len(e.Recipients) != 2 {
		t.Errorf("%+v", e)
	}
}

// Scrypt is meant to be slow; under the race detector it takes a quarter of a minute.
func init() { escrow.WorkFactor = 2 }

func TestPassphrase(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	s := safe{rig: newRig(t)}
	s.adoptNew(main, "main")
	_, page, err := s.EscrowInit(t.Context(), tester, api.EscrowInitRequest{Recovery: "paper"}, secrets("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	s.paper = keyOnPaper(t, page)
	_, page, err = s.EscrowAdd(t.Context(), tester, api.EscrowAddRequest{Opener: onPaper, Recovery: "another"}, secrets(s.paper, ""))
	if err != nil {
		t.Fatal(err)
	}
	page.Wipe()
	remove := func(passphrase string) error {
		_, err := s.EscrowRemove(t.Context(), tester, api.EscrowRemoveRequest{Opener: onPaper, Recipients: []string{"another"}}, secrets(s.paper, passphrase))
		return err
	}
	wantCode(t, remove(""), api.CodeLocked)
	wantCode(t, remove("battery staple"), api.CodeWrongPassword)
	if err := remove("correct horse"); err != nil {
		t.Fatal(err)
	}
	pass := api.Opener{By: api.OpenPassphrase}
	if _, err := s.drill(pass, "correct horse"); err != nil {
		t.Error(err)
	}
}
