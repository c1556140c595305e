package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

func TestRestoreToSeveralKeys(t *testing.T) {
	s := newSafe(t)
	var names []string
	for i := range 8 {
		names = append(names, s.mustAdd(totp(fmt.Sprint("Service ", i), "me")).ID)
	}
	s.remove(s.main)
	s.remove(s.spare)
	one, two := s.fresh(3, "one"), s.fresh(4, "two")
	report, err := s.restore(api.RestoreRequest{To: []string{"one", "two"}})
	if err != nil || !report.Complete || len(report.Accounts) != 8 || len(report.Warnings) != 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	for _, name := range names {
		if got := states(s.account(name)); got["one"] != api.CopyProved || got["two"] != api.CopyProved {
			t.Errorf("%s: %v", name, got)
		}
	}
	if a, b := (program{t: t, k: one}).ids(), (program{t: t, k: two}).ids(); len(a) != 8 || !slices.Equal(a, b) {
		t.Errorf("%q, %q", a, b)
	}
	_, err = s.restore(api.RestoreRequest{To: []string{"one"}})
	wantCode(t, err, api.CodeExistsSame)
	s.intact()
}

func TestRestoreByTheKeyItself(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(touched(first))
	s.fresh(3, "new")
	report, err := s.Restore(t.Context(), tester, api.RestoreRequest{Opener: withMain, To: []string{"new"}}, secrets(hwtest.FactoryPIN), s.step)
	if err != nil || !report.Complete || s.told(api.StepWaitTouch) == 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	if c := s.mustCode(api.CodeRequest{Account: "GitHub:me", Key: "new"}); !c.Touch || !c.Proved {
		t.Errorf("%+v", c)
	}
}

func TestRestoreUnderTheNewName(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	if _, err := s.Rename(t.Context(), tester, "GitHub:me", api.RenameRequest{Issuer: "GitHub", Name: "you"}); err != nil {
		t.Fatal(err)
	}
	k := s.fresh(3, "new")
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}, Accounts: []string{"GitHub:you", "you"}}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if ids := (program{t: t, k: k}).ids(); !slices.Equal(ids, []string{"GitHub:you"}) {
		t.Errorf("%q", ids)
	}
}

// TestRestoreHOTP: a counter lives on one key, so it is restored only where none has it.
func TestRestoreHOTP(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	bank := with(hotp("Bank", "me"), func(a *api.NewAccount) { a.Counter = 7 })
	report, err := s.add(api.AddRequest{Accounts: []api.NewAccount{bank}, To: []string{"main"}})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.fresh(3, "new")
	_, err = s.restore(api.RestoreRequest{To: []string{"new"}, Accounts: []string{"Bank:me"}})
	wantCode(t, err, api.CodeBadRequest)
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}}); err != nil || len(report.Accounts) != 1 {
		t.Errorf("%v, %+v", err, report)
	}
	s.remove(s.main)
	if _, err := s.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if got := states(s.account("Bank:me")); got["new"] != api.CopyWritten {
		t.Errorf("%v", got)
	}
}

func TestRestoreRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		options softkey.Options
		prepare func(*testing.T, *safe, *softkey.Key)
		req     api.RestoreRequest
		code    api.ErrorCode
	}{
		"no key":          {req: api.RestoreRequest{}, code: api.CodeBadRequest},
		"an unknown key":  {req: api.RestoreRequest{To: []string{"blue"}}, code: api.CodeNotFound},
		"not adopted":     {req: api.RestoreRequest{To: []string{"5"}}, code: api.CodeNotAdopted},
		"no such account": {req: api.RestoreRequest{To: []string{"new"}, Accounts: []string{"Nobody"}}, code: api.CodeNotFound},
		"not in it":       {req: api.RestoreRequest{To: []string{"new"}, Accounts: []string{"Other:me"}}, code: api.CodeNoEscrow},
		"too old":         {options: softkey.Options{Personality: "neo"}, req: api.RestoreRequest{To: []string{"new"}}, code: api.CodeNotSupported},
		"another's name":  {prepare: taken, req: api.RestoreRequest{To: []string{"new"}, Accounts: []string{"GitHub:me"}}, code: api.CodeExists},
		"full":            {prepare: full, req: api.RestoreRequest{To: []string{"new"}, Accounts: []string{"GitHub:me"}}, code: api.CodeFull},
		"it has a password": {prepare: func(t *testing.T, s *safe, k *softkey.Key) { s.lock("new"); s.restart() },
			req: api.RestoreRequest{To: []string{"new"}}, code: api.CodeLocked},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSafe(t)
			s.mustAdd(touched(first))
			program{t: t, k: s.spare}.put(totp("Other", "me"), seedB, 0)
			s.replug(s.spare)
			s.insert(newKey(t, softkey.Options{Serial: 5}))
			test.options.Serial = 3
			k := newKey(t, test.options)
			s.adoptNew(k, "new")
			if test.prepare != nil {
				test.prepare(t, s, k)
			}
			forget(k)
			s.wantUnchanged("restore", k, func() error {
				_, err := s.restore(test.req)
				return err
			}, "", test.code)
			if slices.ContainsFunc(s.intact(), func(what string) bool { return strings.HasPrefix(what, "open the escrow") }) {
				t.Error("the escrow was opened in vain")
			}
		})
	}
}

// taken lets another program put its own account of that name on the key.
func taken(t *testing.T, s *safe, k *softkey.Key) {
	program{t: t, k: k}.put(first, seedB, 0)
	s.replug(k)
}

func full(t *testing.T, s *safe, k *softkey.Key) {
	for i := range s.key("new").Capacity {
		program{t: t, k: k}.put(totp("Full", fmt.Sprint(i)), seedB, 0)
	}
	s.replug(k)
}

// wrote reports whether a PUT came to the key.
func wrote(k *softkey.Key) bool {
	return slices.ContainsFunc(k.APDUs(), func(c softkey.APDU) bool { return c.INS == put })
}

// TestRestoreWhatLacks: where not all fit, those that lack copies come first.
// Without an escrow nobody is told that it is empty, or what it lacks.
func TestRestoreWithoutAnEscrow(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAddTo(first, "main")
	for _, accounts := range [][]string{nil, {"GitHub:me"}} {
		req := api.RestoreRequest{To: []string{"main"}, Accounts: accounts, Opener: api.Opener{By: api.OpenRecovery}}
		_, err := r.Restore(t.Context(), tester, req, []*oath.Secret{secret("x")}, r.step)
		if e := wantCode(t, err, api.CodeNoEscrow); !strings.Contains(e.Message, "there is none yet") {
			t.Error(e)
		}
	}
}

func TestRestoreWhatLacks(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	if report, err := s.add(api.AddRequest{Accounts: []api.NewAccount{second}, Copies: 1}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.mustAddTo(totp("Lacks", "me"), "main", "spare")
	if _, err := s.Remove(t.Context(), tester, "Lacks:me", "spare", false); err != nil {
		t.Fatal(err)
	}
	k := newKey(t, softkey.Options{Serial: 3})
	s.adoptNew(k, "new")
	for i := range s.key("new").Capacity - 1 {
		program{t: t, k: k}.put(totp("Full", fmt.Sprint(i)), seedB, 0)
	}
	s.replug(k)
	report, err := s.restore(api.RestoreRequest{To: []string{"new"}})
	if err != nil || len(report.Accounts) != 1 || report.Accounts[0].Label != "Lacks:me" {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestKeyLost(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.mustAddTo(second, "main")
	_, err := s.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil)
	wantCode(t, err, api.CodeConflict) // it is plugged in
	s.remove(s.main)
	report, err := s.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil)
	if err != nil || !report.Recipient || len(report.Warnings) == 0 || len(report.Revoke) != 3 || report.Key.State != api.KeyLost {
		t.Fatalf("%v, %+v", err, report)
	}
	risks := map[string]api.Risk{}
	for _, acc := range report.Accounts {
		risks[acc.Label] = acc.Risk
	}
	if risks["GitHub:me"] != api.RiskEscrow || risks["Mail:me"] != api.RiskEscrow {
		t.Errorf("%v", risks)
	}
	report, err = s.KeyLost(t.Context(), tester, "main", api.LostRequest{Opener: &onPaper}, secrets(otherPaper(t), ""))
	if err != nil || !report.Recipient || !strings.Contains(report.Warnings[0], "not a recipient") {
		t.Fatalf("with the wrong paper: %v, %+v", err, report)
	}
	s.enrolled(3, "new")
	report, err = s.KeyLost(t.Context(), tester, "main", api.LostRequest{Opener: &onPaper}, secrets(s.paper, ""))
	if err != nil || report.Recipient || len(report.Warnings) != 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	if e := s.Escrow(); len(e.Recipients) != 2 || e.Recipients[0].Name != "paper" || e.Recipients[1].Name != "new" {
		t.Errorf("%+v", e)
	}
	if d, err := s.drill(api.Opener{By: api.OpenPIV, Key: "new"}, hwtest.FactoryPIN); err != nil || d.Seeds != 2 || len(d.Faults) != 0 {
		t.Errorf("%v, %+v", err, d)
	}
	s.insert(s.main)
	_, err = s.drill(withMain, hwtest.FactoryPIN)
	wantCode(t, err, api.CodeNotFound)
	if k := s.key("main"); k.Present {
		t.Errorf("%+v", k)
	}
}

// enrolled adds a new key to those that open the escrow.
func (s *safe) enrolled(serial uint32, label string) *softkey.Key {
	s.t.Helper()
	k := newKey(s.t, softkey.Options{Serial: serial})
	enroll(s.t, k)
	s.adoptNew(k, label)
	_, page, err := s.EscrowAdd(s.t.Context(), tester, api.EscrowAddRequest{Opener: onPaper, Key: label}, secrets(s.paper, ""))
	if err != nil || page != nil {
		s.t.Fatal(err)
	}
	return k
}

func TestKeyLostDropsWhatWasToBeDone(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.remove(s.spare)
	if _, err := s.add(api.AddRequest{Accounts: []api.NewAccount{second}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), tester, "GitHub:me", "spare", false); err != nil {
		t.Fatal(err)
	}
	if n := s.Status().OpenIntents; n != 2 {
		t.Fatalf("%d intents are open", n)
	}
	if _, err := s.KeyLost(t.Context(), tester, "spare", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if n := s.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
	if acc := s.account("Mail:me"); acc.Proved != 1 || acc.Escrow != api.EscrowLive {
		t.Errorf("%+v", acc)
	}
	s.insert(s.spare)
	found := s.keysByLabel("yubikey")
	if len(found) != 1 || found[0].State != api.KeySeen {
		t.Fatalf("%+v", found)
	}
	if k := s.adopt(found[0].ID, "spare"); k.State != api.KeyAdopted {
		t.Errorf("found again: %+v", k)
	}
}

func (r *rig) keysByLabel(part string) []api.Key {
	return slices.DeleteFunc(r.Keys(), func(k api.Key) bool { return !strings.Contains(k.Label, part) })
}

func TestRunbook(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	set := func(text string) api.Account {
		acc, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets(text))
		if err != nil {
			t.Fatal(err)
		}
		return acc
	}
	get := func() (string, error) {
		text, err := s.Runbook(t.Context(), tester, "GitHub:me", api.RunbookRequest{Opener: onPaper}, secrets(s.paper))
		defer text.Wipe()
		return string(text.Bytes()), err
	}
	_, err := get()
	wantCode(t, err, api.CodeNotFound)
	set("codes: drawer")
	if acc := set("codes: safe\nmail: me@example.org"); acc.RunbookAt.IsZero() {
		t.Errorf("%+v", acc)
	}
	s.restart()
	if text, err := get(); err != nil || text != "codes: safe\nmail: me@example.org" {
		t.Errorf("%q, %v", text, err)
	}
	if d, err := s.drill(onPaper, s.paper); err != nil || d.Runbooks != 1 || len(d.Faults) != 0 {
		t.Errorf("%v, %+v", err, d)
	}
	if acc := set(""); !acc.RunbookAt.IsZero() {
		t.Errorf("%+v", acc)
	}
	_, err = get()
	wantCode(t, err, api.CodeNotFound)
	r, _, _ := twoKeys(t)
	r.mustAdd(first)
	_, err = r.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("x"))
	wantCode(t, err, api.CodeNoEscrow)
}

// TestReminders: what was put off for too long is said by coverage, and what was not is not.
func TestReminders(t *testing.T) {
	s := newSafe(t)
	acc := s.mustAdd(first)
	if _, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("codes: drawer")); err != nil {
		t.Fatal(err)
	}
	days := func(runbook, drill int) []string {
		s.stop()
		err := s.book.Observe(t.Context(), func(tx *ledger.Tx) error {
			ago := func(days int) time.Time { return time.Now().AddDate(0, 0, -days) }
			return errors.Join(
				tx.SetEscrow(ledger.Escrowed{Account: acc.ID, Kind: string(escrow.Runbook), State: string(api.EscrowLive), ChangedAt: ago(runbook)}),
				tx.PutDrill(s.Escrow().Recipients[1].Public, ago(drill)))
		})
		if err != nil {
			t.Fatal(err)
		}
		s.restart()
		return s.Coverage().Reminders
	}
	if said := days(179, 89); len(said) != 0 {
		t.Errorf("too early: %q", said)
	}
	said := days(181, 91)
	if len(said) != 2 || !strings.Contains(said[0], "paper was not tried for 90 days") || !strings.Contains(said[1], "the runbook of GitHub:me is older than 180 days") {
		t.Errorf("%q", said)
	}
	if _, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("codes: drawer")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.drill(onPaper, s.paper); err != nil {
		t.Fatal(err)
	}
	if said := s.Coverage().Reminders; len(said) != 0 {
		t.Errorf("done meanwhile: %q", said)
	}
}

// TestVerifyWithoutTheLost: nothing can be proved of a key that is gone, and nothing is to be done about it.
func TestVerifyWithoutTheLost(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.remove(s.spare)
	if report := s.verify(api.VerifyRequest{}); report.Complete {
		t.Errorf("with a key that is away: %+v", report)
	}
	if _, err := s.KeyLost(t.Context(), tester, "spare", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	if report := s.verify(api.VerifyRequest{}); !report.Complete || len(report.Accounts) != 1 || len(report.Accounts[0].Outcomes) != 1 {
		t.Errorf("%+v", report)
	}
}

// TestRestoreTellsAllBeforeItEnds: the step of the touch that opened the escrow does not come after the refusal.
func TestRestoreTellsAllBeforeItEnds(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	s.fresh(3, "new")
	rows, err := s.book.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows[0].Ciphertext[len(rows[0].Ciphertext)-1] ^= 1
	s.putRows(rows...)
	ended, late := make(chan struct{}), make(chan bool, 1)
	_, err = s.Restore(t.Context(), tester, api.RestoreRequest{Opener: withMain, To: []string{"new"}, Accounts: []string{"GitHub:me"}}, secrets(hwtest.FactoryPIN),
		func(api.Step) {
			select {
			case <-ended:
				late <- true
			case <-time.After(50 * time.Millisecond):
				late <- false
			}
		})
	close(ended)
	wantCode(t, err, api.CodeEscrow)
	if <-late {
		t.Error("a step was told after the end")
	}
}
