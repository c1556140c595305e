package agent_test

import (
	"strings"
	"testing"

	"github.com/oathd/oathd/agent"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestBadAccountsAreRefused(t *testing.T) {
	r, main, spare := twoKeys(t)
	forget(main, spare)
	before := len(r.intact())
	for name, account := range map[string]api.NewAccount{
		"no name":             totp("GitHub", ""),
		"control character":   totp("GitHub", "me\n"),
		"text turned around":  totp("GitHub", "\u202eem"),
		"not UTF-8":           totp("GitHub", "\xff"),
		"65 bytes":            totp("GitHub", strings.Repeat("n", 58)),
		"reads as another":    totp("", "a:b"),
		"5 digits":            with(first, func(a *api.NewAccount) { a.Digits = 5 }),
		"11 digits":           with(first, func(a *api.NewAccount) { a.Digits = 11 }),
		"period 0":            with(first, func(a *api.NewAccount) { a.Period = 0 }),
		"period of two days":  with(first, func(a *api.NewAccount) { a.Period = 172800 }),
		"MD5":                 with(first, func(a *api.NewAccount) { a.Algorithm = "MD5" }),
		"yotp":                with(first, func(a *api.NewAccount) { a.Type = "yotp" }),
		"HOTP with a period":  with(hotp("Bank", "me"), func(a *api.NewAccount) { a.Period = 30 }),
		"TOTP with a counter": with(first, func(a *api.NewAccount) { a.Counter = 7 }),
		"alias of two lines":  with(first, func(a *api.NewAccount) { a.Alias = "a\nb" }),
		"alias without end":   with(first, func(a *api.NewAccount) { a.Alias = strings.Repeat("a", 2049) }),
	} {
		t.Run(name, func(t *testing.T) {
			seed := seedOf(t, rfcSeed)
			_, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{account}}, seed)
			wantCode(t, err, api.CodeBadRequest)
			untouched(t, r, before, main, spare)
			if seed.Len() != 0 {
				t.Error("the seed is not wiped")
			}
		})
	}
}

// untouched wants nothing to have happened: no command on a key, no line in the audit log, no account, no intent.
func untouched(t *testing.T, r *rig, lines int, keys ...*softkey.Key) {
	t.Helper()
	for _, k := range keys {
		wantTraffic(t, k, "")
	}
	if what := r.intact(); len(what) != lines {
		t.Errorf("audit log: %q", what)
	}
	if s := r.Status(); s.OpenIntents != 0 || len(r.Coverage().Rows) != 0 {
		t.Errorf("%d intents, coverage %+v", s.OpenIntents, r.Coverage().Rows)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	r, main, spare := twoKeys(t)
	forget(main, spare)
	before := len(r.intact())
	one := []api.NewAccount{first}
	two := []api.NewAccount{first, second}
	for name, test := range map[string]struct {
		request api.AddRequest
		seeds   []string
		want    api.ErrorCode
	}{
		"no accounts":         {api.AddRequest{}, nil, api.CodeBadRequest},
		"too few seeds":       {api.AddRequest{Accounts: two}, []string{seedA}, api.CodeBadRequest},
		"too many seeds":      {api.AddRequest{Accounts: one}, []string{seedA, seedB}, api.CodeBadRequest},
		"an empty seed":       {api.AddRequest{Accounts: one}, []string{""}, api.CodeBadRequest},
		"one name twice":      {api.AddRequest{Accounts: []api.NewAccount{first, first}}, []string{seedA, seedB}, api.CodeBadRequest},
		"one seed twice":      {api.AddRequest{Accounts: []api.NewAccount{first, totp("GitHub", "you")}}, []string{seedA, seedA}, api.CodeBadRequest},
		"an unknown key":      {api.AddRequest{Accounts: one, To: []string{"nobody"}}, []string{seedA}, api.CodeNotFound},
		"an ambiguous key":    {api.AddRequest{Accounts: one, To: []string{"a"}}, []string{seedA}, api.CodeAmbiguous},
		"less than no copies": {api.AddRequest{Accounts: one, Copies: -1}, []string{seedA}, api.CodeBadRequest},
		"HOTP on two keys":    {api.AddRequest{Accounts: []api.NewAccount{hotp("Bank", "me")}, To: []string{"main", "spare"}}, []string{seedA}, api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			var seeds []*oath.Secret
			for _, s := range test.seeds {
				seeds = append(seeds, secret(s))
			}
			_, err := r.addSeeds(test.request, seeds...)
			wantCode(t, err, test.want)
			untouched(t, r, before, main, spare)
			for _, s := range seeds {
				if s.Len() != 0 {
					t.Error("a seed is not wiped")
				}
			}
		})
	}
}

func TestAddToKeysThatAreNotAdopted(t *testing.T) {
	main, spare := pair(t, "")
	r := newRig(t, main, spare)
	forget(main, spare)
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if e := wantCode(t, err, api.CodeNotAdopted); len(e.Candidates) != 2 {
		t.Errorf("%+v", e)
	}
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"1000001"}})
	if e := wantCode(t, err, api.CodeNotAdopted); !strings.Contains(e.Hint, "oathctl key adopt yubikey-5-1000001") {
		t.Errorf("%+v", e)
	}
	untouched(t, r, 0, main, spare)
}

func TestAnAccountThatIsThere(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(first)
	if acc.Proved != 2 || acc.Wanted != 2 || !acc.Available || acc.Touch || acc.Copies[0].ProvedAt.IsZero() {
		t.Errorf("%+v", acc)
	}
	forget(main, spare)
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if e := wantCode(t, err, api.CodeExistsSame); !strings.Contains(e.Message, "GitHub:me on main, spare") {
		t.Errorf("%q", e.Message)
	}
	// The same seed under another name is no other account.
	_, err = r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{totp("Hub", "you")}}, nameSeed("GitHub", "me"))
	if e := wantCode(t, err, api.CodeExistsSame); !strings.Contains(e.Message, "as GitHub:me on") {
		t.Errorf("%q", e.Message)
	}
	_, err = r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}}, seedOf(t, rfcSeed))
	if e := wantCode(t, err, api.CodeExists); !strings.Contains(e.Message, "with another seed") {
		t.Errorf("%q", e.Message)
	}
	wantTraffic(t, main, "")
	wantTraffic(t, spare, "")
	// Another period is another credential.
	r.mustAdd(with(first, func(a *api.NewAccount) { a.Period = 60 }))
}

// An alias is longer than any name on a key, finds its account only as a whole, and belongs to one seed.
func TestAlias(t *testing.T) {
	r, _, _ := twoKeys(t)
	const arn = "arn:aws:iam::123456789012:mfa/a/path/that/makes/it/longer/than/what/a/key/holds/alice"
	called := func(a *api.NewAccount) { a.Alias = arn }
	acc := r.mustAdd(with(first, called))
	if found, err := r.Account(arn); err != nil || found.ID != acc.ID || found.Alias != arn {
		t.Errorf("%+v, %v", found, err)
	}
	_, err := r.Account(arn[:len(arn)-1])
	wantCode(t, err, api.CodeNotFound)
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{with(second, called)}})
	if e := wantCode(t, err, api.CodeExists); !strings.Contains(e.Message, "GitHub:me is called "+arn) {
		t.Errorf("%q", e.Message)
	}
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{with(second, func(a *api.NewAccount) { a.Alias = "GitHub:me" })}})
	wantCode(t, err, api.CodeExists) // it would hide an account
	// One that comes later is taken as well.
	r.mustAdd(second)
	later := api.AddRequest{Accounts: []api.NewAccount{with(second, func(a *api.NewAccount) { a.Alias = arn + "2" })}}
	_, err = r.add(later)
	wantCode(t, err, api.CodeExistsSame)
	r.adoptNew(newKey(t, softkey.Options{Serial: 1000003}), "third")
	later.To = []string{"third"}
	if _, err := r.add(later); err != nil {
		t.Fatal(err)
	}
	if found, err := r.Account(arn + "2"); err != nil || found.Name != "me" || found.Issuer != "Mail" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestANameWhoseSeedIsNotKnown(t *testing.T) {
	r, _, _ := written(t, "", func(main, _ program) { main.put(first, seedA, needsTouch) })
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if e := wantCode(t, err, api.CodeExists); !strings.Contains(e.Hint, "verify --touch") {
		t.Errorf("%+v", e)
	}
}

// A key may hold a name that its account no longer has, and may not be there to ask.
func TestANameOnAKeyThatIsAway(t *testing.T) {
	r, main, spare := twoKeysLike(t, "neo")
	acc := r.mustAdd(first)
	if _, err := r.Rename(t.Context(), tester, acc.ID, api.RenameRequest{Issuer: "GitHub", Name: "you"}); err != nil {
		t.Fatal(err)
	}
	r.remove(spare)
	_, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"spare"}}, seedOf(t, rfcSeed))
	wantCode(t, err, api.CodeExists)
	_, err = r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main"}}, seedOf(t, rfcSeed))
	wantCode(t, err, api.CodeExists)
	_ = main
}

func TestOneMoreCopy(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(first)
	third := newKey(t, softkey.Options{Serial: 1000003})
	r.adoptNew(third, "third")
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first, second}, To: []string{"third", "main", "third"}})
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if a := report.Accounts[0]; a.Wanted != 2 || a.Proved != 2 || a.Outcomes[0].Existed || !a.Outcomes[1].Existed {
		t.Errorf("%+v", a)
	}
	r.wantAccounts("GitHub:me 3/3, Mail:me 2/2")
}

func TestOneMoreCopyUnderAnotherName(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAddTo(first, "main")
	report, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{totp("Hub", "you")}, To: []string{"spare"}}, nameSeed("GitHub", "me"))
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	if w := report.Accounts[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "known as GitHub:me") {
		t.Errorf("%q", w)
	}
	r.wantAccounts("GitHub:me 2/2")
	r.remove(main)
	r.mustCode(api.CodeRequest{Account: "GitHub:me"})
}

func TestFewerKeysThanCopies(t *testing.T) {
	main, _ := pair(t, "")
	r := newRigWith(t, agent.Options{Copies: 3})
	r.adoptNew(main, "main")
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if err != nil || report.Complete || len(report.Warnings) == 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	if a := report.Accounts[0]; a.Wanted != 3 || a.Proved != 1 || len(a.LostWith) != 1 || a.LostWith[0] != "main" || a.Warnings[0] != "1 of 3 copies" {
		t.Errorf("%+v", a)
	}
	report, err = r.add(api.AddRequest{Accounts: []api.NewAccount{second}, Copies: 1})
	if err != nil || !report.Complete || r.account("Mail:me").Wanted != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
	report, err = r.add(api.AddRequest{Accounts: []api.NewAccount{hotp("Bank", "me")}})
	if err != nil || !report.Complete || report.Accounts[0].Wanted != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
}

// Soft keys are for where there are no real ones.
func TestSoftKeysDoNotCountBesideRealOnes(t *testing.T) {
	main, soft := pair(t, "")
	r := newRigWith(t, agent.Options{Bay: &realBay{soft: []string{reader1}}})
	r.adoptNew(main, "main")
	r.adoptNew(soft, "soft")
	if r.key("main").Soft || !r.key("soft").Soft {
		t.Fatalf("%+v", r.Keys())
	}
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	if err != nil || report.Complete || len(report.Accounts[0].Outcomes) != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
	report, err = r.add(api.AddRequest{Accounts: []api.NewAccount{first}, To: []string{"main", "soft"}})
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	a := report.Accounts[0]
	if a.Proved != 1 || a.Wanted != 2 || len(a.Warnings) != 2 || !strings.Contains(a.Warnings[1], "soft") || a.LostWith[0] != "main" {
		t.Errorf("%+v", a)
	}
	if acc := r.account("GitHub:me"); acc.Proved != 1 || len(acc.Copies) != 2 {
		t.Errorf("%+v", acc)
	}
	if row := r.Coverage().Rows[0]; row.Risk != api.RiskOneLoss {
		t.Errorf("%+v", row)
	}
	r.mustAddOnSoft(second, "soft")
	if acc := r.account("Mail:me"); acc.Proved != 0 {
		t.Errorf("%+v", acc)
	}
	for _, row := range r.Coverage().Rows {
		if row.Account.Label() == "Mail:me" && (row.Risk != api.RiskOnlySoft || row.Advice == "") {
			t.Errorf("%+v", row)
		}
	}
}

func (r *rig) mustAddOnSoft(a api.NewAccount, key string) {
	r.t.Helper()
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{a}, To: []string{key}})
	if err != nil || report.Complete || report.Accounts[0].Outcomes[0].State != api.CopyProved {
		r.t.Fatalf("%v, %+v", err, report)
	}
}

func TestKeysThatCannotTakeIt(t *testing.T) {
	for name, test := range map[string]struct {
		personality string
		account     api.NewAccount
		want        api.ErrorCode
	}{
		"SHA-512 on a NEO":      {"neo", with(first, func(a *api.NewAccount) { a.Algorithm = "SHA512" }), api.CodeNotSupported},
		"SHA-512 on a Nitrokey": {"nitrokey-3", with(first, func(a *api.NewAccount) { a.Algorithm = "SHA512" }), api.CodeNotSupported},
		"touch on a NEO":        {"neo", touched(first), api.CodeNotSupported},
		"touch on a pico-fido":  {"pico-fido", touched(first), api.CodeNotSupported},
		"a prefix on 4.3":       {"yubikey-4.3", totp("Git", "me"), api.CodeExists},
	} {
		t.Run(name, func(t *testing.T) {
			r, main, spare := twoKeysLike(t, test.personality)
			for _, k := range []*softkey.Key{main, spare} {
				program{t: t, k: k}.put(totp("Git", "me and others"), seedA, 0)
			}
			r.verify(api.VerifyRequest{})
			forget(main, spare)
			before := len(r.intact())
			_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{test.account}})
			wantCode(t, err, test.want)
			wantTraffic(t, main, "")
			wantTraffic(t, spare, "")
			if n := len(r.intact()); n != before {
				t.Errorf("%d lines were written", n-before)
			}
		})
	}
}

// A key whose version promises touch takes the account, but would give its codes to anybody.
func TestKeyThatForgetsTheTouch(t *testing.T) {
	k := newKey(t, softkey.Options{ForgetsTouch: true})
	r := newRig(t)
	r.adoptNew(k, "main")
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{touched(first), second}, To: []string{"main"}})
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, api.CodeNotSupported)
	if got := (program{t: t, k: k}).ids(); len(got) != 1 || got[0] == "GitHub:me" {
		t.Errorf("on the key: %q", got)
	}
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
}

// One of two keys cannot, and nothing is written to the other.
func TestAllKeysAreCheckedFirst(t *testing.T) {
	main := newKey(t, softkey.Options{Serial: mainSerial})
	neo := newKey(t, softkey.Options{Personality: "neo"})
	r := newRig(t)
	r.adoptNew(main, "main")
	r.adoptNew(neo, "neo")
	forget(main, neo)
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{second, touched(first)}})
	if e := wantCode(t, err, api.CodeNotSupported); !strings.Contains(e.Message, "neo") {
		t.Errorf("%q", e.Message)
	}
	untouched(t, r, 2, main, neo)
	r.lock("neo")
	r.restart()
	forget(main, neo)
	_, err = r.add(api.AddRequest{Accounts: []api.NewAccount{second}})
	if e := wantCode(t, err, api.CodeLocked); !strings.Contains(e.Hint, "unlock neo") {
		t.Errorf("%+v", e)
	}
	wantTraffic(t, main, "")
}

func TestAKeyInTroubleIsNotWrittenTo(t *testing.T) {
	r, main, spare := twoKeys(t)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa1, Status: hw.StatusMemory, Times: 2})
	r.Refresh(t.Context())
	if k := r.key("main"); k.Trouble == "" || k.Hint == "" {
		t.Fatalf("%+v", k)
	}
	forget(spare)
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}})
	wantCode(t, err, api.CodeCardError) // it was looked at once more, in vain
	wantTraffic(t, spare, "")
	r.mustAdd(first)
}
