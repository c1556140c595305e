package hwtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/mgmt"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// testCalculateAll checks that one command answers for all, leaves counters alone and names what needs a touch.
func (s *suite) testCalculateAll() {
	plain, second := totp("plain"), totp("second")
	second.Algorithm, second.Digits, second.Period = oath.SHA256, 8, 60
	counter := oath.Account{Name: "counter", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
	blinking := totp("blinking")
	var touch bool
	s.open(func(o *ykoath.Session) {
		touch = o.Info().Features().Touch
		for _, a := range []oath.Account{plain, second, counter} {
			s.put(o, a, a.Name)
		}
		if touch {
			s.must(tryPut(o, ykoath.Put{Account: blinking, Touch: true}, blinking.Name))
		}
	})
	challenge := oath.Challenge(0x54321)
	s.open(func(o *ykoath.Session) {
		all, err := o.CalculateAll(challenge)
		if errors.Is(err, ykoath.ErrNotSupported) {
			return
		}
		s.must(err)
		s.checkAll(all, challenge, map[string]oath.Account{plain.ID(): plain, second.ID(): second}, o.Info().Features().TruncatedOnly)
		if a := find(all, counter.ID()); !a.HOTP || a.MAC != nil {
			s.Errorf("the counter: %+v", a)
		}
		if a := find(all, blinking.ID()); a.Touch != touch || a.MAC != nil {
			s.Errorf("the touch account: %+v", a)
		}
		all, err = o.CalculateAllTruncated(challenge)
		s.must(err)
		s.checkAll(all, challenge, map[string]oath.Account{plain.ID(): plain, second.ID(): second}, true)
	})
}

func (s *suite) checkAll(all []ykoath.Answer, challenge []byte, accounts map[string]oath.Account, truncated bool) {
	s.Helper()
	for id, a := range accounts {
		answer := find(all, id)
		if answer.HOTP || answer.Touch {
			s.Errorf("%s: %+v", id, answer)
		}
		s.answers(id, answer.Response, a, oath.HMAC(a.Algorithm, []byte(a.Name), challenge), truncated)
	}
}

func find(all []ykoath.Answer, id string) ykoath.Answer {
	if i := slices.IndexFunc(all, func(a ykoath.Answer) bool { return a.ID == id }); i >= 0 {
		return all[i]
	}
	return ykoath.Answer{}
}

func (s *suite) testTouch() {
	a := totp("blinking")
	s.open(func(o *ykoath.Session) {
		err := tryPut(o, ykoath.Put{Account: a, Touch: true}, a.Name)
		if !o.Info().Features().Touch {
			s.want("PUT", err, ykoath.ErrNotSupported)
			s.Skip("a key without touch")
		}
		s.must(err)
		s.proves(o, a.ID(), a, a.Name)
	})
	s.target.Finger(false)
	s.open(func(o *ykoath.Session) {
		_, err := o.Calculate(a.ID(), oath.Challenge(1))
		s.want("CALCULATE without a touch", err, ykoath.ErrTouchTimeout)
	})
	s.target.Finger(true)
	s.open(func(o *ykoath.Session) { s.proves(o, a.ID(), a, a.Name) })
}

func (s *suite) testDelete() {
	one, two := totp("one"), totp("two")
	s.open(func(o *ykoath.Session) {
		s.put(o, one, "1")
		s.put(o, two, "2")
		s.must(o.Delete(one.ID()))
		s.want("the second DELETE", o.Delete(one.ID()), ykoath.ErrNoSuchCredential)
	})
	s.open(func(o *ykoath.Session) {
		if ids := s.ids(o); !slices.Equal(ids, []string{two.ID()}) {
			s.Errorf("left: %q", ids)
		}
		s.proves(o, two.ID(), two, "2")
	})
}

func (s *suite) testRename() {
	one, two, three := totp("one"), totp("two"), totp("three")
	s.open(func(o *ykoath.Session) {
		s.put(o, one, "1")
		s.put(o, two, "2")
		err := o.Rename(one.ID(), three.ID())
		if !o.Info().Features().Rename {
			s.want("RENAME", err, ykoath.ErrNotSupported)
			s.Skip("a key without RENAME")
		}
		s.must(err)
		s.proves(o, three.ID(), one, "1")
		_, err = o.Calculate(one.ID(), oath.Challenge(1))
		s.want("CALCULATE by the old name", err, ykoath.ErrNoSuchCredential)
	})
	s.open(func(o *ykoath.Session) {
		s.want("RENAME onto another", o.Rename(three.ID(), two.ID()), ykoath.ErrExists)
		s.want("RENAME of an absent one", o.Rename(one.ID(), "elsewhere"), ykoath.ErrNoSuchCredential)
		s.proves(o, three.ID(), one, "1")
		s.proves(o, two.ID(), two, "2")
	})
}

// testExisting checks that nothing is overwritten once the list is known, whatever the key would do.
func (s *suite) testExisting() {
	a := totp("mine")
	s.open(func(o *ykoath.Session) { s.put(o, a, "first") })
	s.open(func(o *ykoath.Session) {
		s.ids(o)
		s.want("PUT onto an existing name", tryPut(o, ykoath.Put{Account: a}, "second"), ykoath.ErrExists)
		prefix := a
		prefix.Name = prefix.Name[:2]
		if err := tryPut(o, ykoath.Put{Account: prefix}, "third"); o.Info().Features().PrefixOverwrites {
			s.want("PUT of a name's beginning", err, ykoath.ErrExists)
		} else {
			s.must(err)
		}
	})
	s.open(func(o *ykoath.Session) { s.proves(o, a.ID(), a, "first") })
}

// withPassword sets a password, or skips the test where there is none. It leaves the key locked: CanoKey forgets only
// at a reset what was verified.
func (s *suite) withPassword(password string) (key *oath.Secret) {
	s.Helper()
	s.open(func(o *ykoath.Session) {
		key = ykoath.DeriveKey([]byte(password), o.Info().Salt)
		err := o.SetCode(key)
		if errors.Is(err, ykoath.ErrNotSupported) {
			s.Skip("a key without passwords")
		}
		s.must(err)
	})
	s.Cleanup(key.Wipe)
	s.target.Reset()
	return key
}

func (s *suite) testPassword() {
	a := totp("locked up")
	s.open(func(o *ykoath.Session) { s.put(o, a, "seed") })
	key := s.withPassword("pässword")
	s.open(func(o *ykoath.Session) {
		if !o.Info().PasswordSet() {
			s.Error("no challenge")
		}
		_, err := o.Calculate(a.ID(), oath.Challenge(1))
		s.want("CALCULATE", err, ykoath.ErrLocked)
		_, err = o.List()
		s.want("LIST", err, ykoath.ErrLocked)
		s.want("PUT", tryPut(o, ykoath.Put{Account: totp("other")}, "seed"), ykoath.ErrLocked)
		s.want("clearing the password", o.ClearCode(), ykoath.ErrLocked)
	})
	s.open(func(o *ykoath.Session) {
		wrong := ykoath.DeriveKey([]byte("password"), o.Info().Salt)
		defer wrong.Wipe()
		s.want("VALIDATE", o.Validate(wrong), ykoath.ErrWrongPassword)
		_, err := o.List()
		s.want("LIST after that", err, ykoath.ErrLocked)
	})
	s.open(func(o *ykoath.Session) {
		s.must(o.Validate(key))
		s.proves(o, a.ID(), a, "seed")
		s.must(o.ClearCode())
	})
	s.open(func(o *ykoath.Session) { s.proves(o, a.ID(), a, "seed") })
}

// testNeighbours has another applet selected in between, as other programs do: a session may not trust in what an
// earlier one has unlocked.
func (s *suite) testNeighbours() {
	key := s.withPassword("password")
	s.must(s.target.Transact(func(card hw.Card) error {
		o, err := ykoath.Select(card)
		s.must(err)
		s.must(o.Validate(key))
		_, err = mgmt.Read(card)
		if errors.Is(err, mgmt.ErrAbsent) {
			s.Skip("a key with one application")
		}
		return err
	}))
	s.open(func(o *ykoath.Session) {
		_, err := o.List()
		s.want("LIST", err, ykoath.ErrLocked)
		s.must(o.Validate(key))
		s.ids(o)
	})
}

func (s *suite) testReset() {
	s.open(func(o *ykoath.Session) { s.put(o, totp("doomed"), "seed") })
	s.open(func(o *ykoath.Session) {
		err := o.Reset()
		if errors.Is(err, ykoath.ErrNotSupported) {
			s.Skip("a key without RESET")
		}
		s.must(err)
		if ids := s.ids(o); len(ids) != 0 || o.Info().PasswordSet() {
			s.Errorf("after RESET: %q, %+v", ids, o.Info())
		}
	})
}

// testForgotten checks that RESET is the way out of a forgotten password.
func (s *suite) testForgotten() {
	s.open(func(o *ykoath.Session) { s.put(o, totp("doomed"), "seed") })
	s.withPassword("password")
	s.open(func(o *ykoath.Session) {
		err := o.Reset()
		if errors.Is(err, ykoath.ErrNotSupported) {
			key := ykoath.DeriveKey([]byte("password"), o.Info().Salt)
			defer key.Wipe()
			s.must(o.Validate(key))
			s.must(o.ClearCode())
			s.Skip("a key without RESET")
		}
		s.must(err)
	})
	s.open(func(o *ykoath.Session) {
		if ids := s.ids(o); len(ids) != 0 || o.Info().PasswordSet() {
			s.Errorf("after RESET: %q, %+v", ids, o.Info())
		}
	})
}

// testFull fills the key up, which also makes answers that come in many parts, and then asks for one more.
func (s *suite) testFull() {
	const most = 200 // more than any key holds
	var want []string
	var capacity int
	s.open(func(o *ykoath.Session) {
		capacity = o.Info().Features().Capacity
		for i := range most {
			a := totp(fmt.Sprintf("%03d of those that fill the key", i))
			err := tryPut(o, ykoath.Put{Account: a}, a.Name)
			if err != nil {
				s.want("PUT into a full key", err, ykoath.ErrFull)
				break
			}
			want = append(want, a.ID())
		}
	})
	if n := len(want); n == most || n < 10 || capacity != 0 && n != capacity {
		s.Errorf("%d accounts fit, the capacity is %d", n, capacity)
	}
	s.open(func(o *ykoath.Session) {
		got := s.ids(o)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			s.Errorf("listed %d: %q, want %d", len(got), got, len(want))
		}
		if all, err := o.CalculateAll(oath.Challenge(7)); err != nil {
			s.want("CALCULATE ALL", err, ykoath.ErrNotSupported)
		} else if len(all) != len(want) {
			s.Errorf("CALCULATE ALL answers for %d, want %d", len(all), len(want))
		}
		s.must(o.Delete(want[0]))
		s.put(o, totp("one after all"), "seed")
	})
}
