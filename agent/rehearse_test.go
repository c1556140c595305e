package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// rehearse asks what would become of accounts, and wants nothing to have become of them.
func (r *rig) rehearse(req api.AddRequest, seeds ...*oath.Secret) api.Report {
	r.t.Helper()
	before, keys := len(r.intact()), r.bay.Keys()
	forget(keys...)
	req.DryRun = true
	if seeds == nil {
		for _, a := range req.Accounts {
			seeds = append(seeds, nameSeed(a.Issuer, a.Name))
		}
	}
	report, err := r.addSeeds(req, seeds...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range seeds {
		if s.Len() != 0 {
			r.t.Error("a seed is not wiped")
		}
	}
	for _, k := range keys {
		wantTraffic(r.t, k, "")
	}
	if got := len(r.intact()); got != before || r.Status().OpenIntents != 0 {
		r.t.Errorf("%d lines of the audit log instead of %d, %d intents", got, before, r.Status().OpenIntents)
	}
	return report
}

// fate writes down what a dry run says of an account.
func fate(a api.AccountReport) string {
	words := []string{a.Label}
	if a.Error != nil {
		return a.Label + " " + string(a.Error.Code)
	}
	for _, o := range a.Outcomes {
		state := "new"
		switch {
		case o.Error != nil:
			state = string(o.Error.Code)
		case o.Existed:
			state = string(o.State)
		}
		words = append(words, o.KeyLabel+" "+state)
	}
	return strings.Join(words, ", ")
}

func wantFates(t *testing.T, r api.Report, want ...string) {
	t.Helper()
	var got []string
	for _, a := range r.Accounts {
		got = append(got, fate(a))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDryRun(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.mustAddTo(totp("Box", "me"), "main")
	r.mustAdd(totp("Taken", "me"))
	request := api.AddRequest{Accounts: []api.NewAccount{
		totp("New", "me"), totp("GitHub", "me"), totp("Box", "me"), totp("Taken", "me"), totp("Hub", "you"), totp("New", "me"), totp("Again", "me"),
		hotp("Counted", "me"), totp("Long", strings.Repeat("n", 60)), with(totp("Odd", "me"), func(a *api.NewAccount) { a.Digits = 5 }),
	}}
	seeds := []*oath.Secret{
		nameSeed("New", "me"), nameSeed("GitHub", "me"), nameSeed("Box", "me"), seedOf(t, rfcSeed), nameSeed("GitHub", "me"), nameSeed("x", "y"), nameSeed("New", "me"),
		nameSeed("Counted", "me"), nameSeed("l", ""), nameSeed("o", ""),
	}
	got := r.rehearse(request, seeds...)
	wantFates(t, got,
		"New:me, main new, spare new", "GitHub:me, main proved, spare proved", "Box:me, main proved, spare new", "Taken:me exists",
		"Hub:you exists_same", "New:me exists", "Again:me exists_same", "Counted:me, main new", "Long:"+strings.Repeat("n", 60)+" bad_request", "Odd:me bad_request")
	if got.Complete || got.Accounts[1].Account == "" || got.Accounts[2].Account == "" || got.Accounts[0].Account != "" || got.Accounts[1].Wanted != 2 || got.Accounts[1].Proved != 2 {
		t.Errorf("%+v", got)
	}
	prints := map[string]int{}
	for _, a := range got.Accounts {
		prints[a.Fingerprint]++
	}
	if prints[got.Accounts[0].Fingerprint] != 2 || prints[got.Accounts[1].Fingerprint] != 2 || prints[""] != 2 || len(prints) != 7 {
		t.Errorf("fingerprints: %v", prints)
	}

	// Another ledger's fingerprints are others.
	other, _, _ := twoKeys(t)
	if print := other.rehearse(api.AddRequest{Accounts: []api.NewAccount{totp("New", "me")}}).Accounts[0].Fingerprint; prints[print] != 0 {
		t.Error("two ledgers give one seed the same fingerprint")
	}
}

func TestDryRunSaysTheSameAsAdd(t *testing.T) {
	r, main, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	r.remove(main)
	all := api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me"), totp("New", "me")}, To: []string{"spare"}}
	wantFates(t, r.rehearse(all), "GitHub:me, spare proved", "New:me, spare new")
	all.To = []string{"nobody"}
	all.DryRun = true
	_, err := r.add(all)
	wantCode(t, err, api.CodeNotFound)
	_, err = r.add(api.AddRequest{Accounts: all.Accounts, Copies: -1, DryRun: true})
	wantCode(t, err, api.CodeBadRequest)
	_, err = r.addSeeds(api.AddRequest{Accounts: all.Accounts, DryRun: true}, nameSeed("x", ""))
	wantCode(t, err, api.CodeBadRequest)
	// What is not plugged in is waited for later.
	wantFates(t, r.rehearse(api.AddRequest{Accounts: all.Accounts[1:]}), "New:me, spare new, main new")
	wantFates(t, r.rehearse(api.AddRequest{Accounts: []api.NewAccount{hotp("C", "me")}, To: []string{"main", "spare"}}), "C:me bad_request")
}

func TestDryRunWithoutKeys(t *testing.T) {
	r := newRig(t)
	wantFates(t, r.rehearse(api.AddRequest{Accounts: []api.NewAccount{first, with(first, func(a *api.NewAccount) { a.Digits = 5 })}}),
		"GitHub:me not_adopted", "GitHub:me bad_request")
}

func TestDryRunOfALockedKey(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.lock("main")
	r.restart()
	wantFates(t, r.rehearse(api.AddRequest{Accounts: []api.NewAccount{first}}), "GitHub:me, main locked, spare new")
}

// services are so many accounts.
func services(n int) (list []api.NewAccount) {
	for i := range n {
		list = append(list, totp("Service", fmt.Sprint(i)))
	}
	return list
}

// TestRoom fills keys of 32 places: what finds no room says on which key, and what would help.
func TestRoom(t *testing.T) {
	main, spare := pair(t, "yubikey-5.4")
	r := newRig(t)
	r.adoptNew(main, "main")
	r.adoptNew(spare, "spare")
	got := r.rehearse(api.AddRequest{Accounts: services(34)})
	for i, a := range got.Accounts {
		want := fmt.Sprintf("Service:%d, main new, spare new", i)
		if i >= 32 {
			want = fmt.Sprintf("Service:%d, main full, spare full", i)
		}
		if fate(a) != want {
			t.Errorf("%s, want %s", fate(a), want)
		}
	}
	if len(got.Helps) == 0 || got.Helps[0].Kind != "more_keys" || got.Helps[0].N != 1 {
		t.Errorf("%+v", got.Helps)
	}
	if labels := got.Helps[len(got.Helps)-1].Accounts; !strings.HasPrefix(strings.Join(labels, " "), "Service:") {
		t.Errorf("%+v", got.Helps)
	}

	// A third key takes what the others cannot, without being named.
	r.adoptNew(newKey(t, softkey.Options{Personality: "yubikey-5.4", Serial: 3}), "third")
	all := api.AddRequest{Accounts: services(34)}
	got = r.rehearse(all)
	report, err := r.add(all)
	if err != nil || !report.Complete || got.Helps != nil {
		t.Fatalf("%v, %+v, %+v", err, report, got.Helps)
	}
	for i, a := range report.Accounts {
		for j, o := range a.Outcomes {
			if o.Key != got.Accounts[i].Outcomes[j].Key {
				t.Errorf("%s is on %s: the dry run had said %s", a.Label, o.KeyLabel, got.Accounts[i].Outcomes[j].KeyLabel)
			}
		}
	}
}

func TestDryRunKnowsWhatTheEscrowLacks(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	if a := r.rehearse(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}}).Accounts[0]; a.Escrow {
		t.Error("there is no escrow")
	}
	s := newSafe(t)
	s.mustAdd(totp("GitHub", "me"))
	if a := s.rehearse(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}}).Accounts[0]; a.Escrow {
		t.Errorf("the escrow has it: %+v", a)
	}
}
