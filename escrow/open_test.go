package escrow

import (
	"bytes"
	"errors"
	"testing"
)

func TestClosed(t *testing.T) {
	s := newSafe(t)
	o := s.unlock(t, s.Vault)
	scalar := o.key.scalar
	o.Close()
	o.Close()
	if left := o.pair.private.Bytes(); scalar.Len() != 0 || !bytes.Equal(left, make([]byte, scalarLen)) {
		t.Error("the vault key is still there")
	}
	_, err := o.Get(s.rows[0])
	wants(t, "get", err, ErrClosed)
	_, err = o.AddRecipient(Recipient{Public: newSlot(t).recipient(t), Slot: 0x82}, nil)
	wants(t, "add", err, ErrClosed)
	_, _, err = o.RemoveRecipients(noon, []string{s.Recipients[0].Public}, s.pass, s.rows)
	wants(t, "remove", err, ErrClosed)
}

func TestAddRecipient(t *testing.T) {
	s := newSafe(t)
	o := s.unlock(t, s.Vault)
	green := newSlot(t)
	v, err := o.AddRecipient(Recipient{Public: green.recipient(t), Slot: 0x95, Name: "green key", Added: noon}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.PublicKey != s.PublicKey || !bytes.Equal(v.Passphrase, s.Passphrase) || len(v.Recipients) != 4 || len(s.Recipients) != 3 {
		t.Errorf("%+v", v)
	}
	for _, id := range []*Identity{green.identity(t), s.slot.identity(t), s.recovery(t), Passphrase(s.pass)} {
		holds(t, s.unlock(t, v, id), s.rows)
	}
	_, err = s.Unlock("test", green.identity(t))
	wants(t, "the vault from before", err, ErrNoRecipient)
}

func TestAddPassphrase(t *testing.T) {
	s := newSafe(t)
	v, err := Create(noon, s.Recipients[:2], nil)
	if err != nil {
		t.Fatal(err)
	}
	o := s.unlock(t, v)
	passphrase := Recipient{Public: PassphraseRecipient, Added: noon}
	_, err = o.AddRecipient(passphrase, nil)
	wants(t, "without one", err, ErrPassphraseNeeded)
	_, err = o.AddRecipient(s.Recipients[0], nil)
	wants(t, "what is there", err, ErrRecipients)
	_, err = o.AddRecipient(Recipient{Public: newSlot(t).recipient(t), Slot: 0x82}, s.pass)
	wants(t, "a passphrase for a slot", err, ErrRecipients)
	v, err = o.AddRecipient(passphrase, s.pass)
	if err != nil {
		t.Fatal(err)
	}
	s.unlock(t, v, Passphrase(s.pass))
}

func TestRemoveRecipients(t *testing.T) {
	s := newSafe(t)
	o := s.unlock(t, s.Vault)
	blue := s.Recipients[0].Public
	v, rows, err := o.RemoveRecipients(noon, []string{blue}, s.pass, s.rows)
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != s.ID || v.PublicKey == s.PublicKey || len(v.Recipients) != 2 || len(rows) != len(s.rows) {
		t.Errorf("%+v", v)
	}
	for _, id := range []*Identity{s.recovery(t), Passphrase(s.pass)} {
		holds(t, s.unlock(t, v, id), rows)
	}
	_, err = v.Unlock("test", s.slot.identity(t))
	wants(t, "the removed key", err, ErrNoRecipient)
	_, err = o.Get(rows[0])
	wants(t, "the old vault key", err, ErrForeign)
	_, err = s.unlock(t, v).Get(s.rows[0])
	wants(t, "an old row", err, ErrForeign)
	holds(t, o, s.rows)

	v, rows, err = s.unlock(t, v).RemoveRecipients(noon, []string{PassphraseRecipient}, nil, rows)
	if err != nil || v.Passphrase != nil {
		t.Fatalf("%v", err)
	}
	holds(t, s.unlock(t, v), rows)
}

func TestRemoveRefuses(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	o := s.unlock(t, s.Vault)
	blue, paper := s.Recipients[0].Public, s.Recipients[1].Public
	for name, test := range map[string]struct {
		public []string
		pass   string
		rows   []Row
		want   error
	}{
		"somebody else":            {[]string{other.Recipients[0].Public}, "correct horse", s.rows, ErrNoRecipient},
		"all but the passphrase":   {[]string{blue, paper}, "correct horse", s.rows, ErrRecipients},
		"everybody":                {[]string{blue, paper, PassphraseRecipient}, "", s.rows, ErrRecipients},
		"no passphrase":            {[]string{blue}, "", s.rows, ErrPassphraseNeeded},
		"another passphrase":       {[]string{blue}, "battery staple", s.rows, ErrWrongPassphrase},
		"a row of another vault":   {[]string{blue}, "correct horse", append(s.rows[:2:2], other.rows[2]), ErrForeign},
		"a row that is damaged":    {[]string{blue}, "correct horse", []Row{{github, s.rows[0].Ciphertext[1:]}}, ErrDamaged},
		"a passphrase for nothing": {[]string{PassphraseRecipient}, "correct horse", s.rows, ErrRecipients},
	} {
		v, rows, err := o.RemoveRecipients(noon, test.public, secret(test.pass), test.rows)
		if test.pass == "" {
			v, rows, err = o.RemoveRecipients(noon, test.public, nil, test.rows)
		}
		wants(t, name, err, test.want)
		if v != nil || rows != nil {
			t.Errorf("%s: something was returned", name)
		}
	}
	if _, _, err := o.RemoveRecipients(noon, []string{blue}, s.pass, []Row{{bank, s.rows[0].Ciphertext}}); !isMismatch(err, "account") {
		t.Errorf("a swapped row: %v", err)
	}
}

// TestPassphraseOfAnotherKey has a passphrase's file that was put there by who knew the passphrase.
func TestPassphraseOfAnotherKey(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	v := *s.Vault
	v.Passphrase = other.Passphrase
	o := s.unlock(t, &v)
	_, _, err := o.RemoveRecipients(noon, []string{s.Recipients[0].Public}, s.pass, nil)
	wants(t, "another vault's passphrase", err, ErrReplaced)
}

func TestDrill(t *testing.T) {
	s, other := newSafe(t), newSafe(t)
	tired := errors.New("a seed that no key has")
	checked := 0
	trials := s.Drill([]*Identity{s.slot.identity(t), Passphrase(secret("forgotten")), other.recovery(t)}, func(o *Open) error {
		checked++
		holds(t, o, s.rows)
		return nil
	})
	for i, want := range []error{nil, ErrNotTried, ErrWrongPassphrase, ErrNoRecipient} {
		if !errors.Is(trials[i].Err, want) {
			t.Errorf("%s: %v, want %v", trials[i].Recipient.Public, trials[i].Err, want)
		}
	}
	if len(trials) != 4 || checked != 1 || trials[3].Recipient.Public != other.Recipients[1].Public {
		t.Errorf("%d trials, %d checked: %+v", len(trials), checked, trials)
	}
	trials = s.Drill([]*Identity{s.recovery(t)}, func(*Open) error { return tired })
	wants(t, "what check found", trials[1].Err, tired)
	if trials = s.Drill([]*Identity{s.recovery(t)}, nil); trials[1].Err != nil {
		t.Error(trials[1].Err)
	}
}
