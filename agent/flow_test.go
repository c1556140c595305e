package agent_test

import (
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestTwoKeysOneSeedProved(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(totp("GitHub", "me"))
	if acc.Proved != 2 || len(acc.Copies) != 2 || !acc.Available {
		t.Fatalf("account %+v", acc)
	}
	want := codeNow(nameSeed("GitHub", "me"))
	got, err := r.code(api.CodeRequest{Account: "github"})
	if err != nil || !want[got.Code] || !got.Proved || got.KeyLabel != "main" {
		t.Fatalf("code %+v, %v; want one of %v from main", got, err, want)
	}
	r.remove(main)
	got, err = r.code(api.CodeRequest{Account: "GitHub:me"})
	if err != nil || !want[got.Code] && !codeNow(nameSeed("GitHub", "me"))[got.Code] || got.KeyLabel != "spare" {
		t.Fatalf("code %+v, %v; want it from spare", got, err)
	}
	r.remove(spare)
	_, err = r.code(api.CodeRequest{Account: "GitHub:me"})
	wantCode(t, err, api.CodeKeyAbsent)
}

// codeNow computes the codes of this step and the next, for a test that runs across a boundary.
func codeNow(seed *oath.Secret) map[string]bool {
	defer seed.Wipe()
	acc := oath.Account{Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
	codes := map[string]bool{}
	step := oath.Step(time.Now(), 30)
	for _, s := range []uint64{step, step + 1} {
		codes[acc.Code(oath.Truncate(oath.HMAC(oath.SHA1, seed.Bytes(), oath.Challenge(s))))] = true
	}
	return codes
}

func TestAddedTwiceIsToldApart(t *testing.T) {
	r, _, _ := twoKeys(t)
	r.mustAdd(totp("GitHub", "me"))
	_, err := r.add(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}})
	wantCode(t, err, api.CodeExistsSame)
	_, err = r.addSeeds(api.AddRequest{Accounts: []api.NewAccount{totp("GitHub", "me")}}, seedOf(t, rfcSeed))
	wantCode(t, err, api.CodeExists)
}

func TestRemoveRefusesTheLastCopy(t *testing.T) {
	r, main, spare := twoKeys(t)
	acc := r.mustAdd(totp("GitHub", "me"))
	if _, err := r.Remove(t.Context(), tester, acc.ID, "main", false); err != nil {
		t.Fatal(err)
	}
	_, err := r.Remove(t.Context(), tester, acc.ID, "spare", false)
	wantCode(t, err, api.CodeLastCopy)
	if _, err := r.Remove(t.Context(), tester, acc.ID, "spare", true); err != nil {
		t.Fatal(err)
	}
	if list := r.Accounts(""); len(list) != 0 {
		t.Fatalf("still there: %+v", list)
	}
	_, _ = main, spare
}
