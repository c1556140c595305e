package agent_test

import (
	"slices"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// export asks for an account with the paper, and returns its seed as text.
func (s *safe) export(account string) (api.Exported, string, error) {
	s.t.Helper()
	e, seed, err := s.Export(s.t.Context(), tester, api.ExportRequest{Account: account, Opener: onPaper}, secrets(s.paper))
	defer seed.Wipe()
	return e, string(seed.Bytes()), err
}

// TestExport gives out what was put in, under its name of today, and writes that down.
func TestExport(t *testing.T) {
	s := newSafe(t)
	s.mustAdd(first)
	if _, err := s.Rename(t.Context(), tester, "GitHub:me", api.RenameRequest{Issuer: "GitHub", Name: "you"}); err != nil {
		t.Fatal(err)
	}
	given := nameSeed(first.Issuer, first.Name)
	defer given.Wipe()
	lines := len(s.intact())
	e, seed, err := s.export("you")
	want := api.NewAccount{Issuer: "GitHub", Name: "you", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, SeedBytes: given.Len()}
	if err != nil || e.Account != want || e.ID != s.account("GitHub:you").ID || seed != string(given.Bytes()) {
		t.Errorf("%+v, %d bytes, %v", e, len(seed), err)
	}
	if said := s.intact()[lines:]; !slices.Equal(said, []string{"open the escrow with paper: export GitHub:you"}) {
		t.Errorf("the log says %q", said)
	}
	_, byKey, err := s.Export(t.Context(), tester, api.ExportRequest{Account: "you", Opener: withMain}, secrets(hwtest.FactoryPIN))
	defer byKey.Wipe()
	if err != nil || !byKey.Equal(given) {
		t.Errorf("with the key: %v", err)
	}
}

func TestExportRefused(t *testing.T) {
	bare, _, _ := twoKeys(t)
	bare.mustAdd(first)
	_, _, err := bare.Export(t.Context(), tester, api.ExportRequest{Account: "GitHub:me", Opener: onPaper}, secrets("x"))
	wantCode(t, err, api.CodeNoEscrow)
	wantWords(t, err.(*api.Error))

	s := newSafe(t)
	program{t: t, k: s.spare}.put(totp("Other", "me"), seedB, 0)
	s.replug(s.spare)
	counted := api.NewAccount{Issuer: "Counter", Name: "me", Type: "hotp", Algorithm: "SHA1", Digits: 6, Counter: 5, SeedBytes: len(seedA)}
	s.mustAddTo(counted, "main")
	s.mustAdd(second)
	stranger := newKey(t, softkey.Options{Serial: 9})
	program{t: t, k: stranger}.put(totp("Strange", "me"), seedB, 0)
	s.insert(stranger)
	lines := len(s.intact())
	for name, code := range map[string]api.ErrorCode{
		"Other:me":   api.CodeNoEscrow,
		"Counter:me": api.CodeBadRequest,
		"Strange:me": api.CodeNotAdopted,
		"nobody":     api.CodeNotFound,
	} {
		_, seed, err := s.export(name)
		if wantCode(t, err, code); seed != "" {
			t.Errorf("%s: it gave a seed", name)
		}
		wantWords(t, err.(*api.Error))
	}
	_, _, err = s.Export(t.Context(), tester, api.ExportRequest{Account: "Mail:me", Opener: onPaper}, secrets(otherPaper(t)))
	wantCode(t, err, api.CodeNotFound)
	if said := s.intact()[lines:]; len(said) > 0 {
		t.Errorf("the log says %q", said)
	}
}
