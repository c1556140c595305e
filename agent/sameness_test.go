package agent_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// written returns two keys on which other programs have put things.
func written(t *testing.T, personality string, put func(main, spare program)) (*rig, *softkey.Key, *softkey.Key) {
	t.Helper()
	main, spare := pair(t, personality)
	put(program{t: t, k: main}, program{t: t, k: spare})
	r := newRig(t)
	r.adoptNew(main, "main")
	r.adoptNew(spare, "spare")
	return r, main, spare
}

// labels lists the accounts with the number of their copies.
func (r *rig) labels() string {
	var list []string
	for _, acc := range r.Accounts("") {
		list = append(list, fmt.Sprintf("%s %d/%d", acc.Label(), acc.Proved, len(acc.Copies)))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (r *rig) wantAccounts(want string) {
	r.t.Helper()
	if got := r.labels(); got != want {
		r.t.Errorf("accounts (proved/copies): %s\n                 want: %s", got, want)
	}
}

func TestCopiesWithOneSeedAreOneAccount(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		main.put(totp("GitHub", "me"), seedA, 0)
		spare.put(totp("Hub", "called otherwise"), seedA, 0)
	})
	r.wantAccounts("GitHub:me 2/2")
	acc := r.account("GitHub:me")
	if acc.Digits != 6 || acc.Wanted != 2 || acc.Conflict {
		t.Errorf("%+v", acc)
	}
	c := r.Coverage()
	if c.Safe != 1 || c.AtRisk != 0 || c.Rows[0].Risk != api.RiskSafe || c.Rows[0].Advice != "" {
		t.Errorf("%+v", c)
	}
}

func TestOneNameAndTwoSeedsAreTwoAccounts(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		main.put(totp("GitHub", "me"), seedA, 0)
		spare.put(totp("GitHub", "me"), seedB, 0)
	})
	r.wantAccounts("GitHub:me 1/1, GitHub:me 1/1")
	for _, acc := range r.Accounts("") {
		if !acc.Conflict {
			t.Errorf("no warning: %+v", acc)
		}
		if code := r.mustCode(api.CodeRequest{Account: acc.ID}); len(code.Warnings) != 1 {
			t.Errorf("no warning: %+v", code)
		}
	}
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	wantCode(t, err, api.CodeAmbiguous)
	for _, key := range []string{"main", "spare"} { // where the key tells them apart, nobody has to be asked
		if code := r.mustCode(api.CodeRequest{Account: "GitHub:me", Key: key}); code.KeyLabel != key {
			t.Errorf("%+v", code)
		}
	}
	_, err = r.code(api.CodeRequest{Account: "GitHub:me", Key: "nobody"})
	wantCode(t, err, api.CodeNotFound)

	_, err = r.Verify(t.Context(), tester, api.VerifyRequest{Current: "spare"}, r.step)
	wantCode(t, err, api.CodeBadRequest)
	_, err = r.Verify(t.Context(), tester, api.VerifyRequest{Account: "nothing", Current: "spare"}, r.step)
	wantCode(t, err, api.CodeNotFound)
	for _, current := range []string{"spare", "main"} { // minds can be changed
		report := r.verify(api.VerifyRequest{Account: "GitHub:me", Current: current})
		if len(report.Accounts) != 2 {
			t.Errorf("%+v", report)
		}
		code := r.mustCode(api.CodeRequest{Account: "GitHub:me"})
		if code.KeyLabel != current || len(code.Warnings) != 0 {
			t.Errorf("current on %s: %+v", current, code)
		}
	}
	for _, acc := range r.Accounts("") {
		if acc.Conflict || acc.Superseded != (states(acc)["spare"] != "") {
			t.Errorf("%+v", acc)
		}
		if acc.Superseded {
			if code := r.mustCode(api.CodeRequest{Account: acc.ID}); len(code.Warnings) != 1 {
				t.Errorf("no warning: %+v", code)
			}
		}
	}
	if c := r.Coverage(); c.AtRisk != 1 || c.Safe != 0 {
		t.Errorf("%+v", c)
	}
	if what := r.intact(); !slices.Contains(what, "declare GitHub:me on main the valid one") {
		t.Errorf("%q", what)
	}
}

// Digits, period, type and algorithm are part of what is compared: the same secret yields other codes.
func TestOneSecretUsedOtherwiseIsAnotherAccount(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		main.put(totp("A", "me"), seedA, 0)
		main.put(with(totp("B", "me"), func(a *api.NewAccount) { a.Digits = 8 }), seedA, 0)
		main.put(with(totp("C", "me"), func(a *api.NewAccount) { a.Period = 60 }), seedA, 0)
		main.put(with(totp("D", "me"), func(a *api.NewAccount) { a.Algorithm = "SHA256" }), seedA, 0)
	})
	r.wantAccounts("A:me 1/1, B:me 1/1, C:me 1/1, D:me 1/1")
}

func TestTwoCopiesOnOneKeyAreOneKey(t *testing.T) {
	r, _, _ := written(t, "", func(main, spare program) {
		main.put(totp("A", "me"), seedA, 0)
		main.put(totp("A", "again"), seedA, 0)
	})
	r.wantAccounts("A:me 1/2")
	row := r.Coverage().Rows[0]
	if row.Risk != api.RiskOneLoss || !strings.Contains(row.Advice, "main") {
		t.Errorf("%+v", row)
	}
}

func TestTouchCredentialsAreProvedOneTouchEach(t *testing.T) {
	r, main, spare := written(t, "", func(main, spare program) {
		main.put(totp("GitHub", "me"), seedA, needsTouch)
		spare.put(totp("Hub", "me"), seedA, needsTouch)
		spare.put(totp("Mail", "me"), seedB, needsTouch)
	})
	r.wantAccounts("GitHub:me 0/1, Hub:me 0/1, Mail:me 0/1") // unproven copies are never merged
	if row := r.Coverage().Rows[0]; row.Risk != api.RiskUnproven || !strings.Contains(row.Advice, "verify --touch") {
		t.Errorf("%+v", row)
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.Proved || len(code.Warnings) != 1 || !code.Touch {
		t.Errorf("%+v", code)
	}
	report := r.verify(api.VerifyRequest{})
	if report.Complete || r.told(api.StepWaitTouch) != 0 {
		t.Errorf("%+v", report)
	}
	for _, acc := range report.Accounts {
		wantWords(t, acc.Outcomes[0].Error)
	}
	forget(main, spare)
	r.verify(api.VerifyRequest{Key: "main", Touch: true})
	report = r.verify(api.VerifyRequest{Key: "spare", Touch: true})
	if !report.Complete || r.told(api.StepWaitTouch) != 3 || r.told(api.StepProved) != 3 {
		t.Errorf("%+v, %d touches", report, r.told(api.StepWaitTouch))
	}
	r.wantAccounts("GitHub:me 2/2, Mail:me 1/1")
	if n := strings.Count(traffic(spare), "CALCULATE"); n != 3 { // ALL, and one each
		t.Errorf("%d calculations", n)
	}
	// One account, one key.
	r.verify(api.VerifyRequest{Account: "Mail:me", Key: "spare", Touch: true})
	if r.told(api.StepWaitTouch) != 4 {
		t.Errorf("%d touches", r.told(api.StepWaitTouch))
	}
}

func TestCountersAreNeverProbed(t *testing.T) {
	r, main, _ := written(t, "", func(main, spare program) {
		main.put(hotp("Old", "me"), seedA, 0)
		spare.put(hotp("Old", "me"), seedA, 0)
	})
	r.mustAddTo(hotp("New", "me"), "main")
	report := r.verify(api.VerifyRequest{Touch: true})
	if !report.Complete {
		t.Errorf("%+v", report)
	}
	r.replug(main)
	r.wantAccounts("New:me 1/1, Old:me 0/1, Old:me 0/1") // never merged either
	for _, row := range r.Coverage().Rows {
		if row.Risk != api.RiskHOTP || row.Advice == "" {
			t.Errorf("%+v", row)
		}
	}
	seed := nameSeed("New", "me")
	for name, key := range map[string][]byte{"Old:me": []byte(seedA), "New:me": seed.Bytes()} {
		acc := publicHalf(hotp("", name))
		want := acc.Code(oath.Truncate(oath.HMAC(oath.SHA1, key, oath.Challenge(0))))
		if code := r.mustCode(api.CodeRequest{Account: r.on("main", name), Key: "main"}); code.Code != want {
			t.Errorf("the counter of %s has moved: %s, want %s", name, code.Code, want)
		}
	}
}

// on returns the id of the account of that name on a key.
func (r *rig) on(key, label string) string {
	r.t.Helper()
	for _, acc := range r.Accounts(label) {
		if states(acc)[key] != "" {
			return acc.ID
		}
	}
	r.t.Fatalf("there is no %s on %s", label, key)
	return ""
}

func TestOverwrittenByAnotherProgram(t *testing.T) {
	for name, how := range map[string]func(*rig, *softkey.Key){
		"while it was out":  func(r *rig, main *softkey.Key) { r.remove(main); r.bay.Insert(main) },
		"while it was in":   func(r *rig, main *softkey.Key) { r.verify(api.VerifyRequest{}) },
		"and looked at":     func(r *rig, main *softkey.Key) { r.verify(api.VerifyRequest{Key: "main"}) },
		"and one asked for": func(r *rig, main *softkey.Key) { r.verify(api.VerifyRequest{Account: "GitHub:me"}) },
	} {
		t.Run(name, func(t *testing.T) {
			r, main, _ := twoKeys(t)
			acc := r.mustAdd(totp("GitHub", "me"))
			program{t: t, k: main}.put(totp("GitHub", "me"), seedB, 0)
			program{t: t, k: main}.put(totp("Some", "news"), seedA, 0) // so that the listing is another one
			how(r, main)
			e := r.await(api.EventMismatch)
			if e.KeyLabel != "main" || e.Label != "GitHub:me" || e.Account != acc.ID {
				t.Errorf("%+v", e)
			}
			r.wantAccounts("GitHub:me 1/1, GitHub:me 1/1, Some:news 1/1")
			acc = r.account(acc.ID)
			if states(acc)["spare"] != api.CopyProved || !acc.Conflict {
				t.Errorf("%+v", acc)
			}
		})
	}
}

func TestVerifyTellsOfMismatches(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(totp("GitHub", "me"))
	r.mustAdd(totp("Mail", "me"))
	program{t: t, k: main}.put(totp("GitHub", "me"), seedB, 0)
	program{t: t, k: main}.delete("Mail:me")
	r.remove(spare)
	report := r.verify(api.VerifyRequest{})
	if report.Complete {
		t.Error("complete")
	}
	found := map[string]api.ErrorCode{}
	for _, a := range report.Accounts {
		for _, o := range a.Outcomes {
			if o.Error != nil {
				wantWords(t, o.Error)
				found[fmt.Sprintf("%s on %s: %s", a.Label, o.KeyLabel, o.State)] = o.Error.Code
			}
		}
	}
	want := map[string]api.ErrorCode{
		"GitHub:me on main: mismatch": api.CodeProofFailed, "Mail:me on main: missing": api.CodeNotFound,
		"GitHub:me on spare: proved": api.CodeKeyAbsent, "Mail:me on spare: proved": api.CodeKeyAbsent,
	}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("%v", found)
	}
	_, err := r.Verify(t.Context(), tester, api.VerifyRequest{Key: "spare"}, r.step)
	wantCode(t, err, api.CodeKeyAbsent)
	_ = acc
}

// What a person knew as an account does not vanish because another program overwrote its only copy.
func TestTheOnlyCopyIsOverwritten(t *testing.T) {
	r, main, _ := twoKeys(t)
	acc := r.mustAddTo(totp("GitHub", "me"), "main")
	program{t: t, k: main}.put(totp("GitHub", "me"), seedB, 0)
	r.verify(api.VerifyRequest{})
	r.wantAccounts("GitHub:me 0/0, GitHub:me 1/1")
	if got := r.account(acc.ID); len(got.Copies) != 0 || got.Available {
		t.Errorf("%+v", got)
	}
	for _, row := range r.Coverage().Rows {
		if (row.Account.ID == acc.ID) != (row.Risk == api.RiskNoCopy) {
			t.Errorf("%+v", row)
		}
	}
	// The name means the one that is there.
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.Account == acc.ID {
		t.Errorf("%+v", code)
	}
	_, err := r.code(api.CodeRequest{Account: acc.ID})
	wantCode(t, err, api.CodeKeyAbsent)
	if _, err := r.Remove(t.Context(), tester, acc.ID, "", false); err != nil {
		t.Error(err)
	}
	r.wantAccounts("GitHub:me 1/1")
}

// A credential of another kind under the same name is another one, even where nothing can be proved.
func TestOverwrittenByAnotherKind(t *testing.T) {
	r, main, _ := twoKeys(t)
	acc := r.mustAdd(totp("GitHub", "me"))
	r.mustAdd(totp("Mail", "me"))
	program{t: t, k: main}.put(hotp("GitHub", "me"), seedB, 0)
	program{t: t, k: main}.put(totp("Mail", "me"), seedB, needsTouch)
	r.verify(api.VerifyRequest{})
	if e := r.await(api.EventMismatch); e.Label != "GitHub:me" {
		t.Errorf("%+v", e)
	}
	if got := states(r.account(acc.ID)); got["main"] != "" || got["spare"] != api.CopyProved {
		t.Errorf("%v", got)
	}
	// A proved copy that needed no touch and does now was rewritten: with what, only a touch will tell.
	if got := states(r.account("Mail:me")); got["main"] != api.CopyUnproven || got["spare"] != api.CopyProved {
		t.Errorf("%v", got)
	}
	report := r.verify(api.VerifyRequest{Touch: true})
	if report.Complete {
		t.Errorf("%+v", report)
	}
	r.wantAccounts("GitHub:me 0/1, GitHub:me 1/1, Mail:me 1/1, Mail:me 1/1")
}

func TestMissingCopies(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	program{t: t, k: main}.delete("GitHub:me")
	r.replug(main)
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyMissing || got["spare"] != api.CopyProved {
		t.Errorf("%v", got)
	}
	if code := r.mustCode(api.CodeRequest{Account: "GitHub:me"}); code.KeyLabel != "spare" {
		t.Errorf("%+v", code)
	}
	if row := r.Coverage().Rows[0]; row.Risk != api.RiskOneLoss || !strings.Contains(row.Advice, "spare") {
		t.Errorf("%+v", row)
	}
	r.remove(spare)
	_, err := r.code(api.CodeRequest{Account: "GitHub:me"})
	wantCode(t, err, api.CodeKeyAbsent)
	program{t: t, k: spare}.k.Power(true)
	program{t: t, k: spare}.delete("GitHub:me")
	r.insert(spare)
	_, err = r.code(api.CodeRequest{Account: "GitHub:me"})
	if e := wantCode(t, err, api.CodeKeyAbsent); !strings.Contains(e.Message, "no key holds it") {
		t.Errorf("%q", e.Message)
	}
	// It comes back: with the seed it is proved again, with another one it is not.
	seed := nameSeed("GitHub", "me")
	program{t: t, k: main}.put(totp("GitHub", "me"), string(seed.Bytes()), 0)
	program{t: t, k: spare}.put(totp("GitHub", "me"), seedB, needsTouch)
	r.verify(api.VerifyRequest{})
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyProved || got["spare"] != api.CopyUnproven {
		t.Errorf("%v", got)
	}
	r.wantAccounts("GitHub:me 1/2")
	r.verify(api.VerifyRequest{Touch: true})
	r.wantAccounts("GitHub:me 1/1, GitHub:me 1/1")
}

// Adding the seed again fills the gap that a missing copy left, and proves what has come back.
func TestAddingTheSeedFillsTheGap(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(touched(totp("GitHub", "me")))
	program{t: t, k: main}.delete("GitHub:me")
	r.replug(main)
	seed := nameSeed("GitHub", "me")
	program{t: t, k: spare}.delete("GitHub:me")
	r.replug(spare)
	program{t: t, k: spare}.put(totp("GitHub", "me"), string(seed.Bytes()), needsTouch)
	r.replug(spare)
	if got := states(r.account("GitHub:me")); got["main"] != api.CopyMissing || got["spare"] != api.CopyUnproven {
		t.Errorf("%v", got)
	}
	if again := r.mustAdd(touched(totp("GitHub", "me"))); again.ID != acc.ID || again.Proved != 2 {
		t.Errorf("%+v", again)
	}
}

func TestResetByAnotherProgram(t *testing.T) {
	for _, plugged := range []bool{true, false} {
		t.Run(fmt.Sprintf("plugged in %t", plugged), func(t *testing.T) {
			r, main, _ := twoKeys(t)
			r.mustAdd(totp("GitHub", "me"))
			r.lock("main")
			before := r.key("main")
			program{t: t, k: main}.reset()
			if plugged {
				r.verify(api.VerifyRequest{})
			} else {
				r.replug(main)
			}
			after := r.key("main")
			if after.ID != before.ID || after.DeviceID == before.DeviceID || after.PasswordSet || after.Locked || after.Accounts != 0 {
				t.Errorf("%+v", after)
			}
			if n := r.Passwords(); n != 0 {
				t.Errorf("%d passwords are remembered", n)
			}
			if got := states(r.account("GitHub:me")); got["main"] != api.CopyMissing {
				t.Errorf("%v", got)
			}
			r.mustAdd(totp("GitHub", "me"))
		})
	}
}

func TestNitrokeyIsComparedByItsCodes(t *testing.T) {
	nitro := newKey(t, softkey.Options{Personality: "nitrokey-3", Serial: 7})
	yubi := newKey(t, softkey.Options{Serial: 8})
	program{t: t, k: nitro}.put(totp("GitHub", "me"), seedA, 0)
	program{t: t, k: nitro}.put(totp("Nitro", "only"), seedB, 0)
	program{t: t, k: yubi}.put(totp("Hub", "me"), seedA, 0)
	r := newRig(t)
	r.adoptNew(nitro, "nitro")
	r.adoptNew(yubi, "yubi")
	if k := r.key("nitro"); k.Serial != 7 || k.Vendor != "Nitrokey 3" {
		t.Errorf("%+v", k)
	}
	r.wantAccounts("GitHub:me 0/1, Hub:me 1/1, Nitro:only 0/1") // it may blink, so it is not asked unasked
	report := r.verify(api.VerifyRequest{Touch: true})
	if !report.Complete {
		t.Errorf("%+v", report)
	}
	r.wantAccounts("Hub:me 2/2, Nitro:only 1/1")
	// From now on it is known that it does not blink.
	forget(nitro)
	r.verify(api.VerifyRequest{Key: "nitro"})
	if got := traffic(nitro); strings.Count(got, "CALCULATE") != 9 {
		t.Errorf("on the wire: %s", got)
	}
	// The seed, when it comes, finds both.
	_, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{totp("Hub", "me")}}, oath.TakeSecret([]byte(seedA)))
	wantCode(t, err, api.CodeExistsSame)
	r.restart()
	r.wantAccounts("Hub:me 2/2, Nitro:only 1/1")
}

func TestNitrokeyFirst(t *testing.T) {
	nitro := newKey(t, softkey.Options{Personality: "nitrokey-3", Serial: 7})
	yubi := newKey(t, softkey.Options{Serial: 8})
	program{t: t, k: nitro}.put(totp("Hub", "me"), seedA, 0)
	r := newRig(t)
	r.adoptNew(nitro, "nitro")
	r.verify(api.VerifyRequest{Touch: true})
	program{t: t, k: yubi}.put(totp("Hub", "me"), seedA, 0)
	r.adoptNew(yubi, "yubi") // asked in both ways, since one seed is known by its codes only
	r.wantAccounts("Hub:me 2/2")
}

// A seed that comes along shows that two accounts, each known by another kind of fingerprint, are one.
func TestASeedUnitesWhatWasKnownByHalves(t *testing.T) {
	nitro := newKey(t, softkey.Options{Personality: "nitrokey-3", Serial: 7})
	yubi := newKey(t, softkey.Options{Serial: 8})
	third := newKey(t, softkey.Options{Serial: 9})
	program{t: t, k: nitro}.put(totp("Hub", "me"), seedA, 0)
	program{t: t, k: yubi}.put(totp("Hub", "me"), seedA, 0)
	r := newRig(t)
	r.adoptNew(yubi, "yubi")
	r.adoptNew(nitro, "nitro")
	r.adoptNew(third, "third")
	r.verify(api.VerifyRequest{Key: "nitro", Touch: true})
	r.wantAccounts("Hub:me 1/1, Hub:me 1/1")
	request := api.AddRequest{Accounts: []api.NewAccount{totp("Hub", "me")}, To: []string{"third"}}
	report, err := r.addSeeds(request, oath.TakeSecret([]byte(seedA)))
	if err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	r.wantAccounts("Hub:me 3/3")
	r.restart()
	r.wantAccounts("Hub:me 3/3")
}

// One credential that only takes ever higher challenges makes CALCULATE ALL fail on some keys.
func TestIncreasingCredential(t *testing.T) {
	for personality, want := range map[string]string{
		"yubikey-5.7": "Odd:one 0/1, Plain:one 1/1",
		"neo":         "Odd:one 0/1, Plain:one 1/1", // it knows no touch, so each can be asked
		"canokey":     "Odd:one 0/1, Plain:one 0/1", // it may blink
		"pico-fido":   "Odd:one 1/1, Plain:one 1/1", // it ignores the property
	} {
		t.Run(personality, func(t *testing.T) {
			main := newKey(t, softkey.Options{Personality: personality, Serial: mainSerial})
			p := program{t: t, k: main}
			p.put(totp("Odd", "one"), seedA, increasing)
			p.put(totp("Plain", "one"), seedB, 0)
			p.calculate("Odd:one", oath.Challenge(1<<40))
			r := newRig(t)
			r.adoptNew(main, "main")
			if personality == "yubikey-5.7" {
				want = r.labels() // whether a YubiKey fails is not known; it must not matter
			}
			r.wantAccounts(want)
			r.replug(main)
			r.wantAccounts(want)
			r.verify(api.VerifyRequest{Touch: true})
			if acc := r.account("Plain:one"); acc.Proved != 1 {
				t.Errorf("%+v", acc)
			}
			// What is new is asked by itself where it surely does not blink.
			r.mustAddTo(totp("GitHub", "me"), "main")
		})
	}
}

// What another program renamed is one copy, not one more and one that is missing: a removal of the old name would
// delete the new one.
func TestACopyThatIsRenamedElsewhere(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	rename := append(tlv.Append(nil, 0x71, []byte("GitHub:me")...), tlv.Append(nil, 0x71, []byte("GitHub:myself")...)...)
	program{t: t, k: main}.must(hw.Command{INS: 0x05, Data: rename})
	if report := r.verify(api.VerifyRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
	r.wantAccounts("GitHub:me 2/2")
	program{t: t, k: main}.delete("GitHub:myself")
	r.verify(api.VerifyRequest{})
	r.wantAccounts("GitHub:me 1/2")
	_, err := r.code(api.CodeRequest{Account: "GitHub:me", Key: "main"})
	if e := wantCode(t, err, api.CodeNotFound); !strings.Contains(e.Message, "not on that key") || !strings.Contains(e.Hint, "spare") {
		t.Errorf("%+v", e)
	}
}

// A proof of yesterday is none of today: what the key refuses to answer is told, and only that.
func TestVerifyTellsOfRefusals(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.mustAdd(totp("Mail", "me"))
	notAll := softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa4, Status: hw.StatusNoSpaceNEO, Times: softkey.Always}
	main.Fail(notAll)
	if report := r.verify(api.VerifyRequest{Key: "main"}); !report.Complete {
		t.Errorf("asked one by one the key answers, yet %+v", report)
	}
	for name, fault := range map[string]softkey.Fault{
		"refused":     {Kind: softkey.FaultStatus, INS: 0xa2, Status: hw.StatusNoSpaceNEO, Times: softkey.Always},
		"not touched": {Kind: softkey.FaultStatus, INS: 0xa2, Status: hw.StatusAuthRequired, Times: softkey.Always},
		"nonsense":    {Kind: softkey.FaultAnswer, INS: 0xa2, Answer: func([]byte) []byte { return []byte{0x90, 0} }, Times: softkey.Always},
	} {
		t.Run(name, func(t *testing.T) {
			main.Fail(notAll)
			main.Fail(fault)
			report := r.verify(api.VerifyRequest{Key: "main"})
			if report.Complete || len(report.Accounts) != 2 {
				t.Errorf("%+v", report)
			}
			for _, acc := range report.Accounts {
				if e := acc.Outcomes[0].Error; e == nil {
					t.Errorf("%s counts as proved", acc.Label)
				} else {
					wantWords(t, e)
				}
			}
			main.Heal()
		})
	}
	if report := r.verify(api.VerifyRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
}

// One credential that another program wrote with ten digits takes nothing from the others.
func TestACredentialThatMakesNoSense(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	strange := func(answer []byte) []byte {
		at := bytes.Index(answer, []byte("Strange:me"))
		if at >= 0 {
			answer[at+len("Strange:me")+2] = 10
		}
		return answer
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultAnswer, INS: 0xa4, Answer: strange, Times: softkey.Always})
	program{t: t, k: main}.put(totp("Strange", "me"), seedB, 0)
	report := r.verify(api.VerifyRequest{Key: "main"})
	if k := r.key("main"); k.Trouble != "" || k.Accounts != 2 {
		t.Errorf("%+v", k)
	}
	r.wantAccounts("GitHub:me 2/2, Strange:me 0/1")
	if report.Complete {
		t.Error("complete")
	}
}

func TestVerifyOfALockedKey(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.lock("main")
	r.restart()
	report := r.verify(api.VerifyRequest{})
	if report.Complete {
		t.Error("complete")
	}
	for _, o := range report.Accounts[0].Outcomes {
		if (o.KeyLabel == "main") != (o.Error != nil && o.Error.Code == api.CodeLocked) {
			t.Errorf("%+v", o)
		}
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0xa1, Status: hw.StatusMemory})
	if _, err := r.Unlock(t.Context(), tester, "main", secret("open sesame")); err == nil {
		t.Error("a look that failed was not told")
	}
	r.verify(api.VerifyRequest{})
	r.wantAccounts("GitHub:me 2/2")
}
