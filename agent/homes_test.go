package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// homes adds an account without naming keys and returns the labels of those that it was written to.
func (r *rig) homes(a api.NewAccount, copies int) string {
	r.t.Helper()
	report, err := r.add(api.AddRequest{Accounts: []api.NewAccount{a}, Copies: copies})
	if err != nil {
		r.t.Fatal(err)
	}
	var labels []string
	for _, o := range report.Accounts[0].Outcomes {
		labels = append(labels, o.KeyLabel)
	}
	return strings.Join(labels, " ")
}

func (r *rig) wantHomes(a api.NewAccount, copies int, want string) {
	r.t.Helper()
	if got := r.homes(a, copies); got != want {
		r.t.Errorf("%s:%s goes to %q, want %q", a.Issuer, a.Name, got, want)
	}
}

// TestAddGoesToDifferentPlaces: two keys are at home, so that one copy goes to the bank, even if that key has to be fetched.
func TestAddGoesToDifferentPlaces(t *testing.T) {
	r, main, spare := twoKeys(t)
	third := newKey(t, softkey.Options{Serial: 3})
	r.adoptNew(third, "third")
	r.wantHomes(totp("A", "me"), 0, "main spare")
	r.kept("main", "home", "ann")
	r.kept("spare", "home", "ann")
	r.wantHomes(totp("B", "me"), 0, "main spare") // nothing is known of another place
	r.kept("third", "bank", "ann")
	r.wantHomes(totp("C", "me"), 0, "main third")
	r.wantHomes(totp("D", "me"), 3, "spare third main") // rather at home twice than not at all
	r.remove(third)
	r.wantHomes(totp("E", "me"), 0, "main third")
	r.remove(main)
	r.wantHomes(totp("F", "me"), 0, "spare third")
	r.remove(spare)
	r.insert(third)
	r.wantHomes(totp("G", "me"), 0, "third main")
	r.wantHomes(hotp("Counted", "me"), 0, "third")
}

// TestAddGoesWhereThereIsRoom: full keys, old ones and those with another account of the name are passed over where others will do.
func TestAddGoesWhereThereIsRoom(t *testing.T) {
	main := newKey(t, softkey.Options{Personality: "neo", Serial: 1})
	r := newRig(t)
	r.adoptNew(main, "main")
	for i, label := range []string{"spare", "third"} {
		r.adoptNew(newKey(t, softkey.Options{Personality: "yubikey-5.4", Serial: uint32(2 + i)}), label)
	}
	r.wantHomes(totp("A", "me"), 0, "main spare")
	r.wantHomes(touched(totp("B", "me")), 0, "spare third")
	r.wantHomes(with(totp("C", "me"), func(a *api.NewAccount) { a.Algorithm = "SHA512" }), 1, "spare")
	program{t: t, k: r.bay.Keys()[1]}.put(totp("D", "me"), seedB, 0)
	r.replug(r.bay.Keys()[1])
	r.wantHomes(totp("E", "me"), 0, "main spare")

	// More than spare has room for: what does not fit there goes to third.
	var many []api.NewAccount
	spare := r.key("spare")
	for i := range spare.Capacity - spare.Accounts + 3 {
		many = append(many, with(totp(fmt.Sprint("Many ", i), "me"), func(a *api.NewAccount) { a.Touch = i%2 == 0 }))
	}
	report, err := r.add(api.AddRequest{Accounts: many})
	if err != nil || !report.Complete || r.key("spare").Accounts > spare.Capacity || r.key("third").Accounts > spare.Capacity {
		t.Fatalf("%v, %+v", err, report)
	}
}

// TestAddAgainGoesWhereItWasBegun: what was broken off is not begun elsewhere.
func TestAddAgainGoesWhereItWasBegun(t *testing.T) {
	r, main, spare := twoKeys(t)
	third := newKey(t, softkey.Options{Serial: 3})
	r.adoptNew(third, "third")
	r.remove(main)
	r.remove(third)
	r.wantHomes(totp("A", "me"), 0, "spare main") // of which main is waited for in vain
	r.insert(third)
	r.wantHomes(totp("A", "me"), 0, "spare main")
	r.remove(spare)
	r.insert(main)
	r.wantHomes(totp("A", "me"), 0, "spare main")
	if n := r.Status().OpenIntents; n != 0 {
		t.Errorf("%d intents are open", n)
	}
}

// TestRestoreSpreadsWhatLacks: two keys are lost, and what was on them is spread over two new ones; what has its copies stays as it is.
func TestRestoreSpreadsWhatLacks(t *testing.T) {
	s := newSafe(t)
	s.fresh(3, "third")
	var both, one []string
	for i := range 3 {
		both = append(both, s.mustAddTo(totp(fmt.Sprint("Both ", i), "me"), "main", "spare").Label())
		one = append(one, s.mustAddTo(totp(fmt.Sprint("One ", i), "me"), "spare", "third").Label())
	}
	s.mustAddTo(totp("Other", "me"), "third")
	for label, k := range map[string]*softkey.Key{"main": s.main, "spare": s.spare} {
		s.remove(k)
		if _, err := s.KeyLost(t.Context(), tester, label, api.LostRequest{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.fresh(4, "new")
	s.fresh(5, "newer")
	report, err := s.restore(api.RestoreRequest{To: []string{"new", "newer"}})
	if err != nil || !report.Complete || len(report.Accounts) != 6 {
		t.Fatalf("%v, %+v", err, report)
	}
	for _, label := range slices.Concat(both, one) {
		if acc := s.account(label); acc.Proved != 2 {
			t.Errorf("%s has %d copies: %v", label, acc.Proved, states(acc))
		}
	}
	if got := states(s.account("Other:me")); got["new"] != "" || got["newer"] != "" {
		t.Errorf("Other:me is %v", got)
	}
}

// TestRestoreMoreThanThereIsRoom: what one new key cannot hold is refused, and two can.
func TestRestoreMoreThanThereIsRoom(t *testing.T) {
	s := newSafe(t)
	var many []api.NewAccount
	for i := range 40 {
		many = append(many, totp(fmt.Sprint("Many ", i), "me"))
	}
	if report, err := s.add(api.AddRequest{Accounts: many}); err != nil || !report.Complete {
		t.Fatalf("%v, %+v", err, report)
	}
	s.remove(s.main)
	if _, err := s.KeyLost(t.Context(), tester, "main", api.LostRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	one, two := newKey(t, softkey.Options{Personality: "yubikey-5.4", Serial: 3}), newKey(t, softkey.Options{Personality: "yubikey-5.4", Serial: 4})
	s.adoptNew(one, "one")
	s.adoptNew(two, "two")
	_, err := s.restore(api.RestoreRequest{To: []string{"one"}})
	wantCode(t, err, api.CodeFull)
	report, err := s.restore(api.RestoreRequest{To: []string{"one", "two"}})
	if err != nil || !report.Complete || len(report.Accounts) != 40 {
		t.Fatalf("%v, %+v", err, report)
	}
	if a, b := len(program{t: t, k: one}.ids()), len(program{t: t, k: two}.ids()); a+b != 40 {
		t.Errorf("%d and %d", a, b)
	}
}
