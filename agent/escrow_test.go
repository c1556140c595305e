package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
	"github.com/oathd/oathd/oath"
)

// safe is a rig with an escrow: the key main and a recovery paper open it.
type safe struct {
	*rig
	main, spare *softkey.Key
	// paper is the recovery key's text.
	paper string
}

// newSafe makes two adopted keys, the first of them enrolled, and the escrow.
func newSafe(t testing.TB) *safe {
	t.Helper()
	s := &safe{}
	s.main, s.spare = pair(t, "")
	enroll(t, s.main)
	s.rig = newRig(t)
	s.adoptNew(s.main, "main")
	s.adoptNew(s.spare, "spare")
	s.paper = s.init(api.EscrowInitRequest{Keys: []string{"main"}, Recovery: "paper"})
	return s
}

// enroll sets up an escrow slot on a key that is not plugged in yet.
func enroll(t testing.TB, k *softkey.Key) {
	t.Helper()
	hwtest.EscrowSlot(t, k, 0x82)
	k.Power(true)
}

// init makes the escrow and returns the recovery key's text, as it is on the paper.
func (r *rig) init(req api.EscrowInitRequest) string {
	r.t.Helper()
	made, page, err := r.EscrowInit(r.t.Context(), tester, req, secrets(""))
	if err != nil {
		r.t.Fatal(err)
	}
	defer page.Wipe()
	if !made.Exists || len(made.Recipients) != 2 {
		r.t.Fatalf("%+v", made)
	}
	return keyOnPaper(r.t, page)
}

// keyOnPaper finds the recovery key on the page, in groups as people copy it.
func keyOnPaper(t testing.TB, page *oath.Secret) string {
	t.Helper()
	text := string(page.Bytes())
	i := strings.Index(text, "AGE-SECRET-KEY-1")
	if i < 0 {
		t.Fatal("the paper has no key on it")
	}
	return text[i : i+strings.IndexByte(text[i:], '<')]
}

func secrets(texts ...string) []*oath.Secret {
	list := make([]*oath.Secret, len(texts))
	for i, text := range texts {
		list[i] = secret(text)
	}
	return list
}

// onPaper and withMain are the two ways to open it.
var (
	onPaper  = api.Opener{By: api.OpenRecovery}
	withMain = api.Opener{By: api.OpenPIV, Key: "main"}
)

func (s *safe) restore(req api.RestoreRequest) (api.Report, error) {
	req.Opener = onPaper
	return s.Restore(s.t.Context(), tester, req, secrets(s.paper), s.step)
}

func (s *safe) drill(o api.Opener, secret string) (api.EscrowDrill, error) {
	return s.EscrowDrill(s.t.Context(), tester, api.EscrowDrillRequest{Opener: o}, secrets(secret))
}

// fresh plugs in a new adopted key.
func (s *safe) fresh(serial uint32, label string) *softkey.Key {
	s.t.Helper()
	k := newKey(s.t, softkey.Options{Serial: serial})
	s.adoptNew(k, label)
	return k
}

func TestAddPutsIntoEscrow(t *testing.T) {
	s := newSafe(t)
	report, err := s.add(api.AddRequest{Accounts: []api.NewAccount{first, hotp("Bank", "me")}})
	if err != nil || !report.Complete || len(report.Warnings) != 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	for _, acc := range s.Accounts("") {
		if acc.Escrow != api.EscrowLive {
			t.Errorf("%s is %q", acc.Label(), acc.Escrow)
		}
	}
	if e := s.Escrow(); e.Seeds != 2 || e.Pending != 0 || len(e.Without) != 0 {
		t.Errorf("%+v", e)
	}
	s.restart()
	if e := s.Escrow(); e.Seeds != 2 || !e.Exists || e.Recipients[0].Name != "main" || !e.Recipients[0].Present {
		t.Errorf("after a restart: %+v", e)
	}
}

func TestAddWithoutEscrowSaysSo(t *testing.T) {
	r, _, _ := twoKeys(t)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if err != nil || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "escrow init") {
		t.Errorf("%v, %+v", err, report)
	}
	if r.Escrow().Exists || r.account("GitHub:me").Escrow != "" {
		t.Error("there is an escrow")
	}
	_, err = r.EscrowBackup(t.Context(), tester)
	wantCode(t, err, api.CodeNoEscrow)
}

// TestAddAgainPutsIntoEscrow: what was there before the escrow gets into it when its seed is at hand again.
func TestAddAgainPutsIntoEscrow(t *testing.T) {
	main, spare := pair(t, "")
	enroll(t, main)
	r := newRig(t)
	r.adoptNew(main, "main")
	r.adoptNew(spare, "spare")
	r.mustAdd(first)
	s := safe{rig: r}
	made, page, err := r.EscrowInit(t.Context(), tester, api.EscrowInitRequest{Keys: []string{"main"}, Recovery: "paper"}, secrets(""))
	if err != nil || len(made.Without) != 1 || made.Without[0].Label != "GitHub:me" {
		t.Fatalf("%v, %+v", err, made)
	}
	s.paper = keyOnPaper(t, page)
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if err != nil || !report.Complete || r.account("GitHub:me").Escrow != api.EscrowLive {
		t.Fatalf("%v, %+v", err, report)
	}
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	wantCode(t, err, api.CodeExistsSame)
	if d, err := s.drill(onPaper, s.paper); err != nil || d.Seeds != 1 || d.Proved != 1 || d.Here != 1 || len(d.Faults) != 0 {
		t.Errorf("%v, %+v", err, d)
	}
}

func TestPendingUntilProved(t *testing.T) {
	s := newSafe(t)
	s.main.Fail(softkey.Fault{Kind: softkey.FaultPulled, INS: put})
	report, err := s.add(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main"}})
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.main.Heal()
	s.await(api.EventKeyOut)
	if acc := s.account("GitHub:me"); acc.Escrow != api.EscrowPending {
		t.Fatalf("it is %q", acc.Escrow)
	}
	s.insert(s.main)
	report, err = s.ResumeWith(t.Context(), tester, api.ResumeRequest{Opener: &withMain}, secrets(hwtest.FactoryPIN), s.step)
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if acc := s.account("GitHub:me"); acc.Escrow != api.EscrowLive || states(acc)["main"] != api.CopyProved {
		t.Errorf("%+v", acc)
	}
	if s.Status().OpenIntents != 0 {
		t.Error("an intent is open")
	}
}

func TestPendingIsDroppedWithTheAttempt(t *testing.T) {
	s := newSafe(t)
	s.main.Fail(softkey.Fault{Kind: softkey.FaultPulled, INS: put})
	if _, err := s.add(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main"}}); err != nil {
		t.Fatal(err)
	}
	s.main.Heal()
	s.await(api.EventKeyOut)
	s.insert(s.main)
	report := s.resume(api.ResumeRequest{})
	wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, api.CodeLocked)
	s.resume(api.ResumeRequest{Discard: true})
	if e := s.Escrow(); e.Pending+e.Seeds != 0 || len(s.Accounts("")) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestRemoveAndEscrow(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	for _, key := range []string{"main", "spare"} {
		if _, err := s.Remove(t.Context(), tester, "GitHub:me", key, false); err != nil {
			t.Fatalf("from %s: %v", key, err)
		}
	}
	if acc := s.account("GitHub:me"); acc.Escrow != api.EscrowLive || len(acc.Copies) != 0 {
		t.Fatalf("%+v", acc)
	}
	if row := s.Coverage().Rows[0]; row.Risk != api.RiskEscrow || !strings.Contains(row.Advice, "restore") {
		t.Errorf("%+v", row)
	}
	_, err := s.Remove(t.Context(), tester, "GitHub:me", "", false)
	wantCode(t, err, api.CodeLastCopy)
	if _, err := s.Remove(t.Context(), tester, "GitHub:me", "", true); err != nil {
		t.Fatal(err)
	}
	if len(s.Accounts("")) != 0 || s.Escrow().Seeds != 0 {
		t.Errorf("%+v", s.Accounts(""))
	}
}

func TestWithdraw(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	if report, err := s.Withdraw(t.Context(), tester, "GitHub:me"); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if acc := s.account("GitHub:me"); len(acc.Copies) != 0 {
		t.Fatalf("%+v", acc)
	}
	if report, err := s.restore(api.RestoreRequest{To: []string{"main", "spare"}}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if acc := s.account("GitHub:me"); acc.Proved != 2 {
		t.Errorf("%+v", acc)
	}
	r, _, _ := twoKeys(t)
	r.mustAdd(first)
	_, err := r.Withdraw(t.Context(), tester, "GitHub:me")
	wantCode(t, err, api.CodeNoEscrow)
}

func TestInitRefuses(t *testing.T) {
	bare, _, _ := twoKeys(t)
	for name, test := range map[string]struct {
		r    *rig
		req  api.EscrowInitRequest
		code api.ErrorCode
	}{
		"a second one":      {newSafe(t).rig, api.EscrowInitRequest{Keys: []string{"main"}, Recovery: "x"}, api.CodeExists},
		"one recipient":     {bare, api.EscrowInitRequest{Recovery: "paper"}, api.CodeBadRequest},
		"not enrolled":      {bare, api.EscrowInitRequest{Keys: []string{"main"}, Recovery: "paper"}, api.CodeNotFound},
		"no such key":       {bare, api.EscrowInitRequest{Keys: []string{"blue"}, Recovery: "paper"}, api.CodeNotFound},
		"an unusable name":  {newSafe(t).rig, api.EscrowInitRequest{Recovery: "a\nb"}, api.CodeExists},
		"a line break":      {bare, api.EscrowInitRequest{Recovery: "a\nb", Keys: nil}, api.CodeBadRequest},
		"no secret at all":  {bare, api.EscrowInitRequest{}, api.CodeBadRequest},
		"nothing to unlock": {bare, api.EscrowInitRequest{Keys: []string{}}, api.CodeBadRequest},
	} {
		_, page, err := test.r.EscrowInit(t.Context(), tester, test.req, secrets(""))
		if api.CodeOf(err) != test.code || page != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := bare.EscrowInit(t.Context(), tester, api.EscrowInitRequest{}, nil); api.CodeOf(err) != api.CodeBadRequest {
		t.Errorf("without a secret: %v", err)
	}
	if bare.Escrow().Exists {
		t.Error("an escrow was made")
	}
}

func TestOpeners(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	for name, test := range map[string]struct {
		opener api.Opener
		secret string
		code   api.ErrorCode
		words  string
	}{
		"the key":               {withMain, hwtest.FactoryPIN, "", ""},
		"the only key":          {api.Opener{By: api.OpenPIV}, hwtest.FactoryPIN, "", ""},
		"the paper":             {onPaper, s.paper, "", ""},
		"the paper, small":      {onPaper, strings.ToLower(s.paper), "", ""},
		"a typing mistake":      {onPaper, strings.Replace(s.paper, "Q", "P", 1) + "Q", api.CodeWrongPassword, "mistyped"},
		"another paper":         {onPaper, otherPaper(t), api.CodeNotFound, "not a recipient"},
		"a wrong PIN":           {withMain, "654321", api.CodeWrongPassword, "2 tries are left"},
		"no PIN":                {withMain, "1", api.CodeBadRequest, "6 to 8"},
		"a key that is none":    {api.Opener{By: api.OpenPIV, Key: "spare"}, hwtest.FactoryPIN, api.CodeNotFound, "spare"},
		"no such key":           {api.Opener{By: api.OpenPIV, Key: "blue"}, hwtest.FactoryPIN, api.CodeNotFound, "blue"},
		"no passphrase is set":  {api.Opener{By: api.OpenPassphrase}, "x", api.CodeNotFound, "passphrase"},
		"no such kind of thing": {api.Opener{By: "magic"}, "x", api.CodeBadRequest, "magic"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := s.drill(test.opener, test.secret)
			if api.CodeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Fatalf("%v", err)
			}
			if err == nil && (d.Seeds != 1 || len(d.Faults) != 0) {
				t.Errorf("%+v", d)
			}
			if err != nil {
				wantWords(t, err.(*api.Error))
			}
		})
	}
	s.intact()
}

func otherPaper(t *testing.T) string {
	t.Helper()
	key, _, err := escrow.NewRecoveryKey()
	if err != nil {
		t.Fatal(err)
	}
	defer key.Wipe()
	return string(key.Bytes())
}

// TestPINIsNeverBlocked: the last try is not used up, and another PIN of the owner's still works before.
func TestPINIsNeverBlocked(t *testing.T) {
	s := newSafe(t)
	var codes []api.ErrorCode
	for range 4 {
		_, err := s.drill(withMain, "654321")
		codes = append(codes, api.CodeOf(err))
	}
	want := []api.ErrorCode{api.CodeWrongPassword, api.CodeWrongPassword, api.CodePINBlocked, api.CodePINBlocked}
	if !slices.Equal(codes, want) {
		t.Errorf("%q", codes)
	}
}

func TestOpeningTellsOfTouch(t *testing.T) {
	s := newSafe(t)
	if _, err := s.drill(withMain, hwtest.FactoryPIN); err != nil {
		t.Fatal(err)
	}
	e := s.await(api.EventTouchWanted)
	if e.KeyLabel != "main" || len(e.Waiting) != 1 || !strings.Contains(e.Message, "drill") {
		t.Errorf("%+v", e)
	}
	s.await(api.EventTouchDone)
}

func TestOpeningIsAudited(t *testing.T) {
	s := newSafe(t)
	if _, err := s.drill(onPaper, s.paper); err != nil {
		t.Fatal(err)
	}
	log, err := s.Audit(t.Context())
	if err != nil || !log.Intact {
		t.Fatal(err)
	}
	lines := fmt.Sprint(log.Entries)
	for _, want := range []string{"make the escrow, for main, paper", "open the escrow with paper: a drill", "the drill with paper went well"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no line %q", want)
		}
	}
	s.breakLedger()
	if _, err = s.drill(onPaper, s.paper); api.CodeOf(err) != api.CodeLedger {
		t.Errorf("without a line in the log: %v", err)
	}
}

func TestDrillFindsFaults(t *testing.T) {
	s := newSafe(t)
	one, two := s.mustAdd(first), s.mustAdd(second)
	rows, err := s.book.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	swap := func(x, y int) {
		err := s.book.Observe(t.Context(), func(tx *ledger.Tx) error {
			a, b := rows[x], rows[y]
			a.Entry, a.Ciphertext, b.Entry, b.Ciphertext = b.Entry, b.Ciphertext, a.Entry, a.Ciphertext
			return errors.Join(tx.PutEscrow(a), tx.PutEscrow(b))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	swap(0, 1)
	d, err := s.drill(onPaper, s.paper)
	if err != nil || len(d.Faults) != 2 || d.Faults[0].Error.Code != api.CodeProofFailed || d.Faults[0].Label == "" {
		t.Fatalf("%v, %+v", err, d)
	}
	if !d.Recipient.DrilledAt.IsZero() || !s.Escrow().Recipients[1].DrilledAt.IsZero() {
		t.Error("the day of a drill that found faults was kept")
	}
	k := s.fresh(3, "new")
	forget(k)
	_, err = s.restore(api.RestoreRequest{To: []string{"new"}, Accounts: []string{one.ID, two.ID}})
	wantCode(t, err, api.CodeProofFailed)
	if len(program{t: t, k: k}.ids()) != 0 {
		t.Error("something was written")
	}
	err = s.book.Observe(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(tx.PutEscrow(rows[0]), tx.PutEscrow(rows[1]))
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.drill(onPaper, s.paper); err != nil || len(d.Faults) != 0 || s.Escrow().Recipients[1].DrilledAt.IsZero() {
		t.Errorf("put right: %v, %+v", err, d)
	}
}

// TestVaultThatCannotBeRead: codes go on, and nothing is changed.
func TestVaultThatCannotBeRead(t *testing.T) {
	for text, words := range map[string]string{"oathd vault 9\n": "newer", "nonsense": "damaged"} {
		r, _, _ := twoKeys(t)
		r.mustAdd(first)
		err := r.book.Observe(t.Context(), func(tx *ledger.Tx) error { return tx.PutVault([]byte(text), nil) })
		if err != nil {
			t.Fatal(err)
		}
		r.restart()
		if e := r.Escrow(); !e.Exists || !strings.Contains(e.Trouble, words) || e.Hint == "" {
			t.Errorf("%+v", e)
		}
		_, _, err = r.EscrowInit(t.Context(), tester, api.EscrowInitRequest{Recovery: "x"}, secrets("y"))
		wantCode(t, err, api.CodeEscrow)
		report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{second}})
		if err != nil || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], words) {
			t.Errorf("%v, %+v", err, report)
		}
		r.mustCode(api.CodeRequest{Account: "GitHub:me"})
	}
}
