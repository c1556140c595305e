package hwtest

import (
	"errors"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// Target is one key under test, over one way of reaching it.
type Target struct {
	// Transact runs work in one transaction with the key.
	Transact func(work func(hw.Card) error) error
	// Soft: the key has to carry the mark of soft keys, or must not.
	Soft bool
	// Serial is what the key has to show as its serial number; 0 for none.
	Serial uint32
	// Reset resets the card, as another program may: what was verified is lost.
	Reset func()
	// Finger arranges that from now on the key is touched whenever it blinks, or never.
	Finger func(touch bool)
}

// Conformance checks everything that an OATH application has to do for oathd, as seen through hw/ykoath and
// hw/mgmt. It knows no make of key: what a key need not do it learns from ykoath.Features, or from
// ykoath.ErrNotSupported where no version tells.
//
// It ERASES the key's OATH application, before, between and after its tests.
func Conformance(t *testing.T, target Target) {
	tests := []struct {
		name string
		run  func(*suite)
	}{
		{"select", (*suite).testSelect},
		{"management", (*suite).testManagement},
		{"empty", (*suite).testEmpty},
		{"vectors", (*suite).testVectors},
		{"seeds", (*suite).testSeeds},
		{"names", (*suite).testNames},
		{"hotp", (*suite).testHOTP},
		{"calculate all", (*suite).testCalculateAll},
		{"touch", (*suite).testTouch},
		{"delete", (*suite).testDelete},
		{"rename", (*suite).testRename},
		{"existing names", (*suite).testExisting},
		{"password", (*suite).testPassword},
		{"neighbours", (*suite).testNeighbours},
		{"reset", (*suite).testReset},
		{"forgotten password", (*suite).testForgotten},
		{"full", (*suite).testFull},
	}
	erase(t, target)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { erase(t, target) })
			target.Finger(true)
			test.run(&suite{T: t, target: target})
		})
	}
}

// suite is one test of one target.
type suite struct {
	*testing.T
	target Target
}

// open runs work with the OATH application selected, in a transaction of its own.
func (s *suite) open(work func(o *ykoath.Session)) {
	s.Helper()
	s.must(s.target.Transact(func(card hw.Card) error {
		session, err := ykoath.Select(card)
		if err != nil {
			return err
		}
		work(session)
		return nil
	}))
}

// must ends the test if err is not nil.
func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// want checks that err wraps the error that is expected.
func (s *suite) want(what string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// put writes an account with a seed.
func (s *suite) put(o *ykoath.Session, a oath.Account, seed string) {
	s.Helper()
	s.must(tryPut(o, ykoath.Put{Account: a}, seed))
}

// tryPut writes p with a seed, which it wipes.
func tryPut(o *ykoath.Session, p ykoath.Put, seed string) error {
	p.Seed = oath.CopySecret([]byte(seed))
	defer p.Seed.Wipe()
	return o.Put(p)
}

// ids returns the ids on the key.
func (s *suite) ids(o *ykoath.Session) []string {
	s.Helper()
	entries, err := o.List()
	s.must(err)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// proves checks that the credential answers as the seed does.
func (s *suite) proves(o *ykoath.Session, id string, a oath.Account, seed string) {
	s.Helper()
	challenge := oath.Challenge(0x12345)
	response, err := o.Calculate(id, challenge)
	s.must(err)
	s.answers(id, response, a, oath.HMAC(a.Algorithm, []byte(seed), challenge), o.Info().Features().TruncatedOnly)
}

// answers compares a response with the HMAC that it has to be.
func (s *suite) answers(id string, got ykoath.Response, a oath.Account, mac []byte, truncatedOnly bool) {
	s.Helper()
	if truncatedOnly != (got.MAC == nil) || (got.MAC != nil && string(got.MAC) != string(mac)) {
		s.Errorf("%s: MAC %x, want %x, truncated only: %v", id, got.MAC, mac, truncatedOnly)
	}
	if got.Digits != a.Digits || a.Code(got.Truncated) != a.Code(oath.Truncate(mac)) {
		s.Errorf("%s: %d digits %s, want %d digits %s", id, got.Digits, a.Code(got.Truncated), a.Digits, a.Code(oath.Truncate(mac)))
	}
}

// totp is a plain account.
func totp(name string) oath.Account {
	return oath.Account{Issuer: "conformance", Name: name, Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
}

// erase empties the OATH application: by RESET, or where there is none, account by account.
func erase(t *testing.T, target Target) {
	t.Helper()
	target.Finger(true)
	err := target.Transact(func(card hw.Card) error {
		session, err := ykoath.Select(card)
		if err != nil {
			return err
		}
		if err := session.Reset(); !errors.Is(err, ykoath.ErrNotSupported) {
			return err
		}
		entries, err := session.List()
		for _, e := range entries {
			err = errors.Join(err, session.Delete(e.ID))
		}
		return err
	})
	if err != nil {
		t.Fatalf("cannot erase the key: %v", err)
	}
}
