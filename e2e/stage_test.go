package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

// onPaper opens the escrow with the recovery key, withDaily with a key.
func onPaper() *api.Opener   { return &api.Opener{By: api.OpenRecovery} }
func withDaily() *api.Opener { return &api.Opener{By: api.OpenPIV, Key: "daily"} }

// github and mail are what the escrow has from the beginning, third what is added to it.
var (
	github = api.NewAccount{Issuer: "GitHub", Name: "me", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
	mail   = api.NewAccount{Issuer: "Mail", Name: "me", Type: "totp", Algorithm: "SHA256", Digits: 8, Period: 60}
	third  = api.NewAccount{Issuer: "Third", Name: "me", Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30}
)

// stages are made once each, by a daemon, and entered many times.
var stages struct {
	sync.Mutex
	made map[string]*stage
}

// stageOf makes a stage of what do leaves on the stage before.
func stageOf(t testing.TB, name string, before func(testing.TB) *stage, do func(*scene)) *stage {
	t.Helper()
	from := before(t)
	stages.Lock()
	defer stages.Unlock()
	if s := stages.made[name]; s != nil {
		return s
	}
	s := from.enter(t)
	do(s)
	s.leave(syscall.SIGTERM)
	made := &stage{ledger: read(t, s.ledger()), keys: map[string]*softkey.Key{}, foreign: from.foreign, paper: s.stage.paper}
	for label, k := range s.keys {
		made.keys[label] = k
	}
	if stages.made == nil {
		stages.made = map[string]*stage{}
	}
	stages.made[name] = made
	return made
}

// bare has three keys, on each of which another program has put an account, and the first of which has an escrow slot.
func bare(t testing.TB) *stage {
	t.Helper()
	stages.Lock()
	defer stages.Unlock()
	if s := stages.made["bare"]; s != nil {
		return s
	}
	s := &stage{keys: map[string]*softkey.Key{}, foreign: map[string]string{}}
	for i, label := range []string{"daily", "spare", "fresh"} {
		k, err := softkey.New(softkey.Options{Serial: uint32(i + 1), Personality: "yubikey-5.7"})
		if err != nil {
			t.Fatal(err)
		}
		s.keys[label] = k
		session, err := ykoath.Select(k)
		if err == nil {
			err = session.Put(ykoath.Put{
				Account: oath.Account{Issuer: "Foreign", Name: label, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30},
				Seed:    oath.TakeSecret(fmt.Appendf(nil, "not ours, but of %s", label)),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		s.foreign[label] = answers(t, k)["Foreign:"+label]
	}
	hwtest.EscrowSlot(t, s.keys["daily"], 0x82)
	if stages.made == nil {
		stages.made = map[string]*stage{}
	}
	stages.made["bare"] = s
	return s
}

// adopted has the keys in the ledger.
func adopted(t testing.TB) *stage {
	return stageOf(t, "adopted", bare, func(s *scene) {
		for label, k := range s.keys {
			if _, err := s.client.Adopt(s.t.Context(), fmt.Sprint(k.Serial()), api.AdoptRequest{Label: label}); err != nil {
				s.t.Fatal(err)
			}
		}
	})
}

// furnished has an escrow that a paper and the key daily open, and two accounts in it and on the keys daily and spare.
func furnished(t testing.TB) *stage {
	return stageOf(t, "furnished", adopted, func(s *scene) {
		_, page, err := s.client.EscrowInit(s.t.Context(), api.EscrowInitRequest{Keys: []string{"daily"}, Recovery: "paper"}, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		defer page.Wipe()
		_, key, _ := bytes.Cut(page.Bytes(), []byte("AGE-SECRET-KEY-1"))
		key, _, _ = bytes.Cut(key, []byte("<"))
		s.stage = &stage{paper: "AGE-SECRET-KEY-1" + string(key)}
		if err := errors.Join(s.add(github, "daily", "spare"), s.add(mail, "daily", "spare")); err != nil {
			s.t.Fatal(err)
		}
	})
}

// rotating is furnished, with a new seed beside the old one on both keys.
func rotating(t testing.TB) *stage {
	return stageOf(t, "rotating", furnished, func(s *scene) {
		if err := s.rotate(); err != nil {
			s.t.Fatal(err)
		}
	})
}

// halfway is furnished, and an account was added to a key that was not there.
func halfway(t testing.TB) *stage {
	return stageOf(t, "halfway", furnished, func(s *scene) {
		s.bay.Remove(s.keys["fresh"])
		s.settle()
		if err := s.add(third, "daily", "fresh"); err == nil {
			s.t.Fatal("it was added to a key that is not there")
		}
	})
}

// complete wants an operation to have done all; what the first time did is done.
func complete(report api.Report, err error) error {
	if code := api.CodeOf(err); code == api.CodeExistsSame || code == api.CodeNotFound {
		return nil
	}
	if err == nil && !report.Complete {
		return fmt.Errorf("not complete: %+v", report)
	}
	return err
}

// add adds an account whose seed is made of its name.
func (s *scene) add(a api.NewAccount, to ...string) error {
	seed := oath.TakeSecret([]byte(strings.Repeat(a.Issuer+":"+a.Name, 4)))
	defer seed.Wipe()
	return complete(s.client.Add(s.t.Context(), api.AddRequest{Accounts: []api.NewAccount{a}, To: to}, []*oath.Secret{seed}, nil))
}

func (s *scene) rotate() error {
	seed := oath.TakeSecret([]byte("a new seed of 20 byt"))
	defer seed.Wipe()
	return complete(s.client.Rotate(s.t.Context(), "GitHub:me", api.RotateRequest{}, seed, nil))
}

// paper is the recovery key, to be wiped.
func (s *scene) paper() *oath.Secret { return oath.TakeSecret([]byte(s.stage.paper)) }

// onKeys wants an account to be proved on these keys, and on no others.
func (s *scene) onKeys(label string, want ...string) error {
	acc, err := s.client.Account(s.t.Context(), label)
	if err != nil {
		return err
	}
	var got []string
	for _, c := range acc.Copies {
		if c.State != api.CopyProved {
			return fmt.Errorf("%s is %s on %s", label, c.State, c.KeyLabel)
		}
		got = append(got, c.KeyLabel)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s is on %q", label, got)
	}
	return nil
}

// answers has every credential of a key answer one challenge.
func answers(t testing.TB, k *softkey.Key) map[string]string {
	t.Helper()
	s, err := ykoath.Select(k)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.CalculateAll(oath.Challenge(1))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, a := range list {
		m[a.ID] = fmt.Sprintf("%x", a.Response.MAC)
	}
	return m
}

// sound checks what must hold at any moment: the audit log is whole, no account is there in halves, nothing that was in the escrow is
// gone from it but what may be, nothing foreign was touched, what is said to be proved is there, and copies of one account answer alike.
func (s *scene) sound(gone ...string) error {
	ctx := s.t.Context()
	log, err := s.client.Audit(ctx)
	if err != nil || !log.Intact {
		return fmt.Errorf("the audit log is intact: %t, %v", log.Intact, err)
	}
	accounts, err := s.client.Accounts(ctx, "")
	if err != nil {
		return err
	}
	escrowed := map[string]api.EscrowState{}
	for _, acc := range accounts {
		if _, twice := escrowed[acc.Label()]; twice {
			return fmt.Errorf("%s is there in halves", acc.Label())
		}
		escrowed[acc.Label()] = acc.Escrow
	}
	for _, label := range []string{"GitHub:me", "Mail:me"} {
		if s.stage.paper != "" && escrowed[label] != api.EscrowLive && !slices.Contains(gone, label) {
			return fmt.Errorf("%s is %q in the escrow", label, escrowed[label])
		}
	}
	return s.soundKeys(accounts)
}

// soundKeys holds the keys that are plugged in against what the ledger says of them, against what another program left there, and
// against each other.
func (s *scene) soundKeys(accounts []api.Account) error {
	keys, err := s.client.Keys(s.t.Context())
	if err != nil {
		return err
	}
	said := map[string]string{} // by account
	for label, k := range s.keys {
		if !slices.Contains(s.bay.Keys(), k) {
			continue
		}
		there := answers(s.t, k)
		if there["Foreign:"+label] != s.stage.foreign[label] {
			return fmt.Errorf("what another program put on %s is not there: %q", label, there)
		}
		i := slices.IndexFunc(keys, func(known api.Key) bool { return known.Serial == k.Serial() })
		for account, cred := range copiesOn(accounts, keys[i].ID) {
			answer := there[cred]
			delete(there, cred)
			if other := said[account]; answer == "" || other != "" && other != answer {
				return fmt.Errorf("%s answers %q for %s on %s, another key %q", account, answer, cred, label, other)
			}
			said[account] = answer
		}
		if len(there) > 0 {
			return fmt.Errorf("%s has what nobody knows of: %q", label, there)
		}
	}
	return nil
}

// copiesOn lists the credentials that are said to be on a key, by account.
func copiesOn(accounts []api.Account, key string) map[string]string {
	copies := map[string]string{}
	for _, acc := range accounts {
		for _, c := range acc.Copies {
			if c.Key == key && c.State != api.CopyPending && c.State != api.CopyMissing {
				copies[acc.Label()] = c.CredentialID
			}
		}
	}
	return copies
}

// settled wants nothing to be left to do, every copy to be proved, and the paper to open all that is in the escrow.
func (s *scene) settled() error {
	if s.stage.paper != "" {
		paper := s.paper()
		defer paper.Wipe()
		d, err := s.client.EscrowDrill(s.t.Context(), api.EscrowDrillRequest{Opener: *onPaper()}, paper)
		if err != nil || len(d.Faults) > 0 {
			return fmt.Errorf("the drill: %w, %+v", err, d)
		}
	}
	report, err := s.client.Verify(s.t.Context(), api.VerifyRequest{}, nil)
	if err != nil || !report.Complete {
		return fmt.Errorf("verify: %v, %+v", err, report)
	}
	status, err := s.client.Status(s.t.Context())
	if err == nil && status.OpenIntents > 0 {
		err = fmt.Errorf("%d intents are open", status.OpenIntents)
	}
	return err
}
