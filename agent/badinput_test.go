package agent_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/escrow"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/ledger"
)

// opened are the requests that need the escrow open. A fault that a drill finds is its error.
var opened = map[string]func(*safe, api.Opener, string) error{
	"drill": func(s *safe, o api.Opener, secret string) error {
		d, err := s.drill(o, secret)
		if err == nil && len(d.Faults) > 0 {
			return d.Faults[0].Error
		}
		return err
	},
	"restore": func(s *safe, o api.Opener, secret string) error {
		_, err := s.Restore(s.t.Context(), tester, api.RestoreRequest{Opener: o, To: []string{"new"}}, secrets(secret), s.step)
		return err
	},
	"runbook": func(s *safe, o api.Opener, secret string) error {
		text, err := s.Runbook(s.t.Context(), tester, "GitHub:me", api.RunbookRequest{Opener: o}, secrets(secret))
		text.Wipe()
		return err
	},
	"export": func(s *safe, o api.Opener, secret string) error {
		_, seed, err := s.Export(s.t.Context(), tester, api.ExportRequest{Account: "GitHub:me", Opener: o}, secrets(secret))
		seed.Wipe()
		return err
	},
	"recipients remove": func(s *safe, o api.Opener, secret string) error {
		_, err := s.EscrowRemove(s.t.Context(), tester, api.EscrowRemoveRequest{Opener: o, Recipients: []string{"main"}}, secrets(secret, ""))
		return err
	},
	"recipients add": func(s *safe, o api.Opener, secret string) error {
		_, page, err := s.EscrowAdd(s.t.Context(), tester, api.EscrowAddRequest{Opener: o, Recovery: "another"}, secrets(secret, ""))
		page.Wipe()
		return err
	},
}

// filled is a safe with two accounts and a runbook, and a new key.
func filled(t *testing.T) (s *safe, fresh *softkey.Key) {
	t.Helper()
	s = newSafe(t)
	s.mustAdd(first)
	s.mustAdd(second)
	if _, err := s.SetRunbook(t.Context(), tester, "GitHub:me", api.RunbookSetRequest{}, secrets("codes: drawer")); err != nil {
		t.Fatal(err)
	}
	fresh = s.fresh(3, "new")
	forget(fresh)
	return s, fresh
}

// moment is a time as fmt prints it.
var moment = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// everything is all that the ledger has, but for the audit log, and for when keys were seen and proved.
func (s *safe) everything() string {
	s.t.Helper()
	book, err := s.book.Load(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	rows, err := s.book.Escrow(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return moment.ReplaceAllString(fmt.Sprintf("%+v\n%+v\n%+v", *book, rows, s.Accounts("")), "then")
}

// wantUnchanged wants a request to fail with a code and words, and nothing to have changed.
func (s *safe) wantUnchanged(what string, fresh *softkey.Key, request func() error, words string, codes ...api.ErrorCode) {
	s.t.Helper()
	before := s.everything()
	err := request()
	if !slices.Contains(codes, api.CodeOf(err)) || !strings.Contains(err.Error(), words) {
		s.t.Fatalf("%s: %v (%s), want %s, and the words %q", what, err, api.CodeOf(err), codes, words)
	}
	wantWords(s.t, err.(*api.Error))
	if after := s.everything(); after != before {
		s.t.Errorf("%s: before:\n%s\nafter:\n%s", what, before, after)
	}
	if wrote(fresh) {
		s.t.Errorf("%s: something was written to a key", what)
	}
	s.intact()
}

// TestUnusableOpeners: whatever is wrong with the key that is to open the escrow, every request says so and changes nothing.
func TestUnusableOpeners(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*safe)
		pin   string
		code  api.ErrorCode
		words string
	}{
		"a wrong PIN":             {leaving(3), "654321", api.CodeWrongPassword, "2 tries are left"},
		"a second wrong PIN":      {leaving(2), "654321", api.CodeWrongPassword, "1 try is left"},
		"one try left":            {leaving(1), hwtest.FactoryPIN, api.CodePINBlocked, "only one try is left"},
		"a blocked PIN":           {leaving(0), hwtest.FactoryPIN, api.CodePINBlocked, "the PIN is blocked"},
		"no PIN":                  {leaving(3), "1", api.CodeBadRequest, "6 to 8"},
		"no certificate":          {remaking(clearCertificate), hwtest.FactoryPIN, api.CodeNotFound, "no escrow slot"},
		"another key in the slot": {remaking(anotherKey), hwtest.FactoryPIN, api.CodeConflict, "slot 82 has another key"},
		"another's slot":          {remaking(anothersKey), hwtest.FactoryPIN, api.CodeConflict, "this slot is not the escrow's"},
	} {
		t.Run(name, func(t *testing.T) {
			s, fresh := filled(t)
			lines := len(s.intact())
			for verb, request := range opened {
				test.spoil(s)
				s.wantUnchanged(verb, fresh, func() error { return request(s, withMain, test.pin) }, test.words, test.code)
			}
			if said := s.intact()[lines:]; len(said) > 0 {
				t.Errorf("the log says %q", said)
			}
			if _, err := s.drill(onPaper, s.paper); err != nil {
				t.Errorf("the paper opens it no more: %v", err)
			}
		})
	}
}

// leaving uses up tries of the PIN, but for some.
func leaving(tries int) func(*safe) {
	return func(s *safe) {
		s.t.Helper()
		pins := append([]string{hwtest.FactoryPIN + "\xff\xff"}, slices.Repeat([]string{"00000000"}, 3-tries)...)
		card := hw.Link{Card: s.main}
		if _, err := card.Exchange(hw.SelectCommand(piv.AID)); err != nil {
			s.t.Fatal(err)
		}
		for i, pin := range pins {
			if _, err := card.Exchange(hw.Command{INS: 0x20, P2: 0x80, Data: []byte(pin)}); err == nil && i > 0 {
				s.t.Fatal("a wrong PIN was taken")
			}
		}
		if _, err := card.Exchange(hw.SelectCommand(ykoath.AID)); err != nil { // which has the key forget the right one
			s.t.Fatal(err)
		}
	}
}

// remaking pulls main out, has something done to its escrow slot, and plugs it in again.
func remaking(change func(*testing.T, *softkey.Key)) func(*safe) {
	return func(s *safe) {
		s.t.Helper()
		s.remove(s.main)
		s.main.Power(true)
		change(s.t.(*testing.T), s.main)
		s.insert(s.main)
	}
}

func anotherKey(t *testing.T, k *softkey.Key)  { hwtest.EscrowSlot(t, k, 0x82) }
func anothersKey(t *testing.T, k *softkey.Key) { hwtest.EscrowSlot(t, k, 0x82, "somebody else") }

func clearCertificate(t *testing.T, k *softkey.Key) {
	t.Helper()
	hwtest.EscrowSlot(t, k, 0x90, "somebody else") // which shows the management key
	empty := hw.Command{INS: 0xdb, P1: 0x3f, P2: 0xff, Data: []byte{0x5c, 3, 0x5f, 0xc1, 0x0d, 0x53, 0}}
	if _, err := (hw.Link{Card: k}).Exchange(empty); err != nil {
		t.Fatal(err)
	}
}

// TestUnusableVault: whatever is wrong with the escrow itself, every request that needs it says so and changes nothing.
func TestUnusableVault(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*safe, string) string
		words  string
	}{
		"of a newer version": {func(_ *safe, text string) string { return strings.Replace(text, "oathd vault 1", "oathd vault 2", 1) }, "newer"},
		"cut off":            {func(_ *safe, text string) string { return text[:len(text)/2] }, "damaged"},
		"another public key": {func(s *safe, text string) string {
			_, public, err := escrow.NewRecoveryKey()
			if err != nil {
				s.t.Fatal(err)
			}
			return strings.Replace(text, "public key: "+s.Escrow().PublicKey, "public key: "+public, 1)
		}, "public key"},
		"a recipient renamed": {func(_ *safe, text string) string { return strings.Replace(text, "paper", "Paper", 1) }, "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			s, fresh := filled(t)
			s.putVault(test.change(s, s.vault()))
			for verb, request := range opened {
				s.wantUnchanged(verb, fresh, func() error { return request(s, onPaper, s.paper) }, test.words, api.CodeEscrow)
			}
		})
	}
}

// TestFlippedBits flips bits here and there in the vault, and in the payloads. Each is flipped in escrow's own tests.
func TestFlippedBits(t *testing.T) {
	s, fresh := filled(t)
	text := s.vault()
	restore := func() error { return opened["restore"](s, onPaper, s.paper) }
	for i := 0; i < len(text); i += 97 {
		s.putVault(text[:i] + string(text[i]^1) + text[i+1:])
		s.wantUnchanged(fmt.Sprint("byte ", i, " of the vault"), fresh, restore, "", api.CodeEscrow, api.CodeNotFound) // the latter where it is the paper's line
	}
	s.putVault(text)
	rows, err := s.book.Escrow(t.Context())
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	for _, row := range rows {
		for i := 0; i < len(row.Ciphertext); i += 97 {
			flipped := row
			flipped.Ciphertext = bytes.Clone(row.Ciphertext)
			flipped.Ciphertext[i] ^= 1
			s.putRows(flipped)
			request := restore
			if row.Kind == string(escrow.Runbook) {
				request = func() error { return opened["runbook"](s, onPaper, s.paper) }
			}
			what := fmt.Sprintf("byte %d of a %s", i, row.Kind)
			s.wantUnchanged(what, fresh, request, "", api.CodeEscrow)
			s.wantUnchanged(what, fresh, func() error { return opened["recipients remove"](s, onPaper, s.paper) }, "", api.CodeEscrow)
		}
		if d, err := s.drill(onPaper, s.paper); err != nil || len(d.Faults) != 1 || d.Proved+d.Runbooks != 2 {
			t.Errorf("a drill counts a damaged %s: %v, %+v", row.Kind, err, d)
		}
		s.putRows(row)
	}
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}}); err != nil || !report.Complete {
		t.Errorf("put right: %v, %+v", err, report)
	}
}

// TestSwappedRows: rows that somebody has exchanged do not get onto a key.
func TestSwappedRows(t *testing.T) {
	s, fresh := filled(t)
	rows, err := s.book.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seeds := slices.DeleteFunc(rows, func(r ledger.EscrowRow) bool { return r.Kind != string(escrow.Seed) })
	for name, whole := range map[string]bool{"the ciphertexts": false, "with what they say that they are": true} {
		t.Run(name, func(t *testing.T) {
			a, b := seeds[0], seeds[1]
			a.Ciphertext, b.Ciphertext = b.Ciphertext, a.Ciphertext
			if whole {
				a.Entry, b.Entry = b.Entry, a.Entry
			}
			s.putRows(a, b)
			for _, verb := range []string{"drill", "restore"} {
				s.wantUnchanged(verb, fresh, func() error { return opened[verb](s, onPaper, s.paper) }, "", api.CodeEscrow, api.CodeProofFailed)
			}
			if d, err := s.drill(onPaper, s.paper); err != nil || d.Seeds != 2 || d.Proved != 0 || d.Here != 0 {
				t.Errorf("a drill counts what is wrong as proved: %v, %+v", err, d)
			}
			s.putRows(seeds...)
		})
	}
}

// TestRestoreWhatIsGone: an account whose row somebody took out of the ledger's file is not left out without a word.
func TestRestoreWhatIsGone(t *testing.T) {
	s, fresh := filled(t)
	gone := s.account("Mail:me").ID
	if err := s.book.Observe(t.Context(), func(tx *ledger.Tx) error { return tx.DeleteEscrow(gone, string(escrow.Seed)) }); err != nil {
		t.Fatal(err)
	}
	for _, accounts := range [][]string{nil, {"Mail:me"}, {"GitHub:me", "Mail:me"}} {
		s.wantUnchanged(fmt.Sprint(accounts), fresh, func() error {
			_, err := s.restore(api.RestoreRequest{To: []string{"new"}, Accounts: accounts})
			return err
		}, "Mail:me", api.CodeEscrow)
	}
	if report, err := s.restore(api.RestoreRequest{To: []string{"new"}, Accounts: []string{"GitHub:me"}}); err != nil || !report.Complete {
		t.Errorf("%v, %+v", err, report)
	}
}

// vault is the vault's text in the ledger.
func (s *safe) vault() string {
	s.t.Helper()
	book, err := s.book.Load(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(book.Vault)
}

// putVault puts another text in its place, and starts anew with it.
func (s *safe) putVault(text string) {
	s.t.Helper()
	s.stop()
	if err := s.book.Observe(s.t.Context(), func(tx *ledger.Tx) error { return tx.PutVault([]byte(text), nil) }); err != nil {
		s.t.Fatal(err)
	}
	s.restart()
}

func (s *safe) putRows(rows ...ledger.EscrowRow) {
	s.t.Helper()
	err := s.book.Observe(s.t.Context(), func(tx *ledger.Tx) error {
		for _, row := range rows {
			if err := tx.PutEscrow(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
