package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

func (r *rig) rename(account, issuer, name string) (api.Report, error) {
	r.t.Helper()
	return r.Rename(r.t.Context(), tester, account, api.RenameRequest{Issuer: issuer, Name: name})
}

func TestRename(t *testing.T) {
	for _, personality := range softkey.Personalities() {
		t.Run(personality, func(t *testing.T) {
			r, main, spare := twoKeysLike(t, personality)
			acc := r.mustAdd(second)
			report, err := r.rename("Mail:me", "Post", "you")
			if err != nil || !report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			keeps := slices.Contains([]string{"neo", "yubikey-4.3", "nitrokey-3"}, personality)
			want := "60/Post:you"
			if keeps {
				want = "60/Mail:me"
				if w := report.Accounts[0].Warnings; len(w) != 2 || !strings.Contains(w[0], "keeps the name 60/Mail:me") {
					t.Errorf("%q", w)
				}
			}
			for _, k := range []*softkey.Key{main, spare} {
				if got := (program{t: t, k: k}).ids(); len(got) != 1 || got[0] != want {
					t.Errorf("%q", got)
				}
			}
			again := r.account("Post:you")
			if again.ID != acc.ID || again.Proved != 2 {
				t.Errorf("%+v", again)
			}
			r.mustCode(api.CodeRequest{Account: "Post:you"})
			r.replug(main)
			r.verify(api.VerifyRequest{Touch: true})
			r.wantAccounts("Post:you 2/2")
			if what := r.intact(); !slices.Contains(what, "rename Mail:me to Post:you") {
				t.Errorf("%q", what)
			}
		})
	}
}

func TestRenameThatIsRefused(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(first)
	r.mustAdd(totp("Steam", "me"))
	r.mustAddTo(totp("GitHub", "work"), "spare")
	forget(main, spare)
	before := len(r.intact())
	for name, test := range map[string]struct {
		account, issuer, name string
		want                  api.ErrorCode
	}{
		"unknown":          {"nobody", "A", "b", api.CodeNotFound},
		"ambiguous":        {"GitHub", "A", "b", api.CodeAmbiguous},
		"empty":            {"GitHub:me", "GitHub", "", api.CodeBadRequest},
		"too long":         {"GitHub:me", "GitHub", strings.Repeat("n", 60), api.CodeBadRequest},
		"taken":            {"GitHub:me", "GitHub", "work", api.CodeExists},
		"becomes Steam":    {"GitHub:me", "Steam", "you", api.CodeBadRequest},
		"is Steam no more": {"Steam:me", "Vapour", "me", api.CodeBadRequest},
	} {
		_, err := r.rename(test.account, test.issuer, test.name)
		t.Run(name, func(t *testing.T) { wantCode(t, err, test.want) })
	}
	wantTraffic(t, spare, "SELECT, LIST") // for the name that nobody knows
	if n := len(r.intact()); n != before {
		t.Errorf("%d lines about what was refused", n-before)
	}
	stranger := newKey(t, softkey.Options{Serial: 3})
	program{t: t, k: stranger}.put(totp("Strange", "me"), seedA, 0)
	r.insert(stranger)
	_, err := r.rename("Strange:me", "A", "b")
	wantCode(t, err, api.CodeNotAdopted)
	_, err = r.Remove(t.Context(), tester, "Strange:me", "", true)
	wantCode(t, err, api.CodeNotAdopted)
	_, err = r.Verify(t.Context(), tester, api.VerifyRequest{Account: "Strange:me"}, r.step)
	wantCode(t, err, api.CodeNotAdopted)
}

// The key has the last word, whatever its version lets one hope.
func TestRenameThatTheKeyDoesNotKnow(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: 0x05, Status: hw.StatusInsUnknown})
	report, err := r.rename("GitHub:me", "Hub", "me")
	if err != nil || !report.Complete || len(report.Accounts[0].Warnings) != 1 || !strings.Contains(report.Accounts[0].Warnings[0], "main keeps the name GitHub:me") {
		t.Errorf("%+v, %v", report, err)
	}
	r.wantAccounts("Hub:me 2/2")
}

// A key that is away follows with resume, whatever name it was to have in between.
func TestRenameWhileAKeyIsAway(t *testing.T) {
	r, _, spare := twoKeys(t)
	r.mustAdd(first)
	r.remove(spare)
	for _, name := range []string{"you", "them"} {
		report, err := r.rename("GitHub", "GitHub", name)
		if err != nil || report.Complete {
			t.Fatalf("%v, %+v", err, report)
		}
		wantOutcome(t, report, "GitHub:"+name+" on main", api.CopyProved, "")
		wantOutcome(t, report, "GitHub:"+name+" on spare", api.CopyPending, api.CodeKeyAbsent)
	}
	r.insert(spare)
	if report := r.resume(api.ResumeRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
	if got := (program{t: t, k: spare}).ids(); !slices.Equal(got, []string{"GitHub:them"}) {
		t.Errorf("%q", got)
	}
	r.wantAccounts("GitHub:them 2/2")
}

// Another program wrote the new name meanwhile: it is left alone, and the copy keeps its old name.
func TestRenameOntoAForeignName(t *testing.T) {
	for _, personality := range []string{"yubikey-5.7", "canokey", "pico-fido"} {
		t.Run(personality, func(t *testing.T) {
			r, main, _ := twoKeysLike(t, personality)
			r.mustAdd(first)
			program{t: t, k: main}.put(totp("GitHub", "you"), seedB, 0)
			report, err := r.rename("GitHub:me", "GitHub", "you")
			if err != nil || report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			wantOutcome(t, report, "GitHub:you on main", api.CopyProved, api.CodeExists)
			wantOutcome(t, report, "GitHub:you on spare", api.CopyProved, "")
			if got := (program{t: t, k: main}).ids(); !slices.Equal(got, []string{"GitHub:me", "GitHub:you"}) {
				t.Errorf("%q", got)
			}
			if n := r.Status().OpenIntents; n != 0 {
				t.Errorf("%d intents are open", n)
			}
			r.verify(api.VerifyRequest{})
			r.wantAccounts("GitHub:you 1/1, GitHub:you 2/2")
		})
	}
}

func TestRenameOfWhatIsGone(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	program{t: t, k: main}.delete("GitHub:me")
	report, err := r.rename("GitHub:me", "GitHub", "you")
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, report, "GitHub:you on main", api.CopyMissing, "")
	if w := report.Accounts[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "no longer on main") {
		t.Errorf("%q", w)
	}
	r.verify(api.VerifyRequest{})
	r.wantAccounts("GitHub:you 1/2")
}

func (r *rig) drop(account, key string, force bool) (api.Report, error) {
	r.t.Helper()
	return r.Remove(r.t.Context(), tester, account, key, force)
}

func TestRemove(t *testing.T) {
	for _, personality := range softkey.Personalities() {
		t.Run(personality, func(t *testing.T) {
			r, main, spare := twoKeysLike(t, personality)
			r.mustAdd(first)
			r.mustAdd(second)
			report, err := r.drop("GitHub:me", "main", false)
			if err != nil || !report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, "")
			if a := report.Accounts[0]; a.Proved != 1 || a.LostWith[0] != "spare" {
				t.Errorf("%+v", a)
			}
			_, err = r.drop("GitHub:me", "main", false)
			wantCode(t, err, api.CodeNotFound)
			_, err = r.drop("GitHub:me", "spare", false)
			wantCode(t, err, api.CodeLastCopy)
			_, err = r.drop("GitHub:me", "", false)
			wantCode(t, err, api.CodeLastCopy)
			if report, err = r.drop("GitHub:me", "spare", true); err != nil || !report.Complete || report.Accounts[0].Label != "GitHub:me" {
				t.Fatalf("%v, %+v", err, report)
			}
			r.wantAccounts("Mail:me 2/2")
			for _, k := range []*softkey.Key{main, spare} {
				if got := (program{t: t, k: k}).ids(); !slices.Equal(got, []string{"60/Mail:me"}) {
					t.Errorf("%q", got)
				}
			}
			// The seed is forgotten with it: it can be added again, as can another one.
			r.mustAdd(first)
			if _, err := r.drop("GitHub:me", "", true); err != nil {
				t.Fatal(err)
			}
			if report, err := r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{first}}, seedOf(t, rfcSeed)); err != nil || !report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			r.intact()
		})
	}
}

func TestRemoveCountsWhatIsWorthSomething(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	program{t: t, k: main}.delete("GitHub:me")
	r.replug(main)
	_, err := r.drop("GitHub:me", "spare", false) // main's is missing
	wantCode(t, err, api.CodeLastCopy)
	report, err := r.drop("GitHub:me", "main", false) // it is only forgotten
	if err != nil || len(report.Accounts) != 0 {
		t.Errorf("%v, %+v", err, report)
	}
	r.wantAccounts("GitHub:me 1/1")
	r.mustAddTo(hotp("Bank", "me"), "main")
	_, err = r.drop("Bank:me", "", false)
	wantCode(t, err, api.CodeLastCopy)
	program{t: t, k: main}.put(totp("Unproven", "me"), seedA, needsTouch)
	_, err = r.drop("Unproven:me", "", false) // found when it is asked for
	wantCode(t, err, api.CodeLastCopy)
	if report, err := r.drop("Unproven:me", "", true); err != nil || !report.Complete {
		t.Errorf("%v, %+v", err, report)
	}
	if report, err := r.drop("Bank:me", "", true); err != nil || !report.Complete {
		t.Errorf("%v, %+v", err, report)
	}
	if got := (program{t: t, k: main}).ids(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	_, err = r.drop("nobody", "", true)
	wantCode(t, err, api.CodeNotFound)
	_, err = r.drop("GitHub:me", "nobody", true)
	wantCode(t, err, api.CodeNotFound)
}

// A touch only to delete would be too much to ask.
func TestRemoveAsksForNoTouch(t *testing.T) {
	r, main, spare := twoKeys(t)
	r.mustAdd(touched(first))
	forget(main, spare)
	if _, err := r.drop("GitHub:me", "", true); err != nil {
		t.Fatal(err)
	}
	wantTraffic(t, main, "SELECT, LIST, DELETE")
}

func TestRemoveFromAKeyThatIsAway(t *testing.T) {
	r, _, spare := twoKeys(t)
	r.mustAdd(first)
	r.remove(spare)
	report, err := r.drop("GitHub:me", "", true)
	if err != nil || report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	wantOutcome(t, report, "GitHub:me on main", api.CopyMissing, "")
	wantOutcome(t, report, "GitHub:me on spare", api.CopyPending, api.CodeKeyAbsent)
	r.insert(spare)
	if report := r.resume(api.ResumeRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
	r.wantAccounts("")
	if got := (program{t: t, k: spare}).ids(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// Nothing foreign is deleted: what another program put under the name stays.
func TestRemoveLeavesForeignCredentialsAlone(t *testing.T) {
	for name, foreign := range map[string]api.NewAccount{"another seed": first, "another kind": hotp("GitHub", "me")} {
		t.Run(name, func(t *testing.T) {
			r, main, _ := twoKeys(t)
			acc := r.mustAdd(first)
			program{t: t, k: main}.put(foreign, seedB, 0)
			report, err := r.drop(acc.ID, "", true)
			if err != nil || report.Complete {
				t.Fatalf("%v, %+v", err, report)
			}
			wantOutcome(t, report, "GitHub:me on main", api.CopyMismatch, api.CodeProofFailed)
			wantOutcome(t, report, "GitHub:me on spare", api.CopyMissing, "")
			if got := (program{t: t, k: main}).ids(); !slices.Equal(got, []string{"GitHub:me"}) {
				t.Errorf("%q", got)
			}
			if n := r.Status().OpenIntents; n != 0 {
				t.Errorf("%d intents are open", n)
			}
			if list := r.Accounts(""); len(list) != 1 || list[0].ID == acc.ID || states(list[0])["main"] == "" {
				t.Errorf("%+v", list)
			}
		})
	}
}

// What cannot answer can be removed all the same.
func TestRemoveADamagedCredential(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: calculate, Status: hw.StatusMemory, Times: softkey.Always})
	if report, err := r.drop("GitHub:me", "main", true); err != nil || !report.Complete {
		t.Errorf("%v, %+v", err, report)
	}
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: remove, Status: hw.StatusMemory})
	main.Heal()
}

func TestRemoveThatIsRefusedByTheKey(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(first)
	main.Fail(softkey.Fault{Kind: softkey.FaultStatus, INS: remove, Status: hw.StatusMemory})
	report, err := r.drop("GitHub:me", "main", true)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, report, "GitHub:me on main", api.CopyPending, api.CodeCardError)
	if report := r.resume(api.ResumeRequest{}); !report.Complete {
		t.Errorf("%+v", report)
	}
	r.wantAccounts("GitHub:me 1/1")
}

// An attempt that was broken off may have left something: removing the account removes that, too.
func TestRemoveAnAttempt(t *testing.T) {
	for _, dies := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			r, main, _ := twoKeys(t)
			main.Fail(softkey.Fault{Kind: dies, INS: put})
			if _, err := r.add(api.AddRequest{Accounts: []api.NewAccount{first}}); err != nil {
				t.Fatal(err)
			}
			main.Heal()
			r.insert(main)
			if report, err := r.drop("GitHub:me", "", true); err != nil || !report.Complete {
				t.Errorf("%v, %+v", err, report)
			}
			if got := (program{t: t, k: main}).ids(); len(got) != 0 {
				t.Errorf("%q", got)
			}
			r.wantAccounts("")
		})
	}
}

func TestManyAccounts(t *testing.T) {
	for personality, n := range map[string]int{"yubikey-5.4": 32, "neo": 75, "nitrokey-3": 50, "canokey": 100, "pico-fido": 130} {
		t.Run(personality, func(t *testing.T) {
			main := newKey(t, softkey.Options{Personality: personality, Serial: mainSerial})
			r := newRig(t)
			r.adoptNew(main, "main")
			var batch []api.NewAccount
			for i := range n + 3 {
				batch = append(batch, totp("Service", fmt.Sprintf("account %03d", i)))
			}
			report, err := r.add(api.AddRequest{Accounts: batch[:n], Copies: 1})
			if err != nil || personality != "neo" && !report.Complete {
				t.Fatalf("%v, %+v", err, report.Warnings)
			}
			// A NEO has room for so many bytes; it says so itself.
			full := r.key("main").Accounts
			report, err = r.add(api.AddRequest{Accounts: batch[n:], Copies: 1})
			if code := api.CodeOf(err); code != "" && code != api.CodeFull {
				t.Fatal(err)
			}
			for _, o := range outcomes(report) {
				if o.Error == nil || o.Error.Code != api.CodeFull {
					t.Errorf("one too many: %+v, %v", o, o.Error)
				}
			}
			if k := r.key("main"); k.Accounts != full || len(r.Accounts("")) != full || full < 40 && n > 40 {
				t.Errorf("%d accounts on the key, %d in the ledger, %d before", k.Accounts, len(r.Accounts("")), full)
			}
			r.replug(main)
			if list := r.Accounts(""); len(list) != full || list[full-1].Proved != 1 {
				t.Errorf("%d accounts after plugging in again", len(list))
			}
		})
	}
}

func TestSetAlias(t *testing.T) {
	r, main, _ := twoKeysLike(t, "yubikey-5.7")
	mail, github := r.mustAdd(second), r.mustAdd(totp("GitHub", "me"))
	alias := func(account, value string) error {
		_, err := r.SetAlias(t.Context(), tester, account, value)
		return err
	}
	before := (program{t: t, k: main}).ids()
	if err := alias("Mail:me", "post"); err != nil {
		t.Fatal(err)
	}
	if acc := r.account("post"); acc.ID != mail.ID || acc.Alias != "post" {
		t.Errorf("%+v", acc)
	}
	r.mustCode(api.CodeRequest{Account: "post"})
	if names := r.AccountNames("PO"); len(names) != 1 || names[0].Name != "post" || !strings.Contains(names[0].Note, "Mail:me") {
		t.Errorf("completion: %+v", names)
	}
	if after := (program{t: t, k: main}).ids(); !slices.Equal(before, after) {
		t.Errorf("the key has %q, had %q", after, before)
	}
	for _, taken := range []string{"post", "Mail:me", mail.ID} {
		wantCode(t, alias("GitHub:me", taken), api.CodeExists)
	}
	wantCode(t, alias("GitHub:me", "two\nlines"), api.CodeBadRequest)
	wantCode(t, alias("nothing", "x"), api.CodeNotFound)
	for _, fine := range []string{"post", "mail", ""} { // its own again, another, none
		if err := alias(mail.ID, fine); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
	if err := alias("GitHub:me", "post"); err != nil || r.account("post").ID != github.ID {
		t.Errorf("an alias that is free again: %v", err)
	}
	if what := r.intact(); !slices.Contains(what, `set the alias of Mail:me to "post"`) {
		t.Errorf("%q", what)
	}
}
