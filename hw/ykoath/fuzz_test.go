package ykoath_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// answering is a card whose SELECT is fine and that answers everything else with the same bytes.
type answering []byte

func (a answering) Transmit(command []byte) ([]byte, error) {
	if bytes.HasPrefix(command, []byte{0, 0xa4, 4}) {
		return []byte("\x79\x03\x05\x04\x03\x71\x08saltsalt\x74\x08challeng\x90\x00"), nil
	}
	return append(bytes.Clone(a), 0x90, 0), nil
}

func fuzzSession(t *testing.T, answer []byte) *ykoath.Session {
	session, err := ykoath.Select(answering(answer))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// oneOf fails the test unless err is nil or one of the expected ones.
func oneOf(t *testing.T, err error, expected ...error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, e := range expected {
		if errors.Is(err, e) {
			return
		}
	}
	t.Errorf("unexpected error %v", err)
}

func FuzzSelect(f *testing.F) {
	f.Add([]byte("\x79\x03\x05\x04\x03\x71\x08saltsalt"))
	f.Add([]byte("\x79\x03\x04\x0b\x00\x82\x01\x08\x8f\x04abcd"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		session, err := ykoath.Select(wholeCard(answer))
		oneOf(t, err, hw.ErrMalformed)
		if err != nil {
			return
		}
		info := session.Info()
		if info.Vendor() == "" || info.Version.String() == "" || info.Features().Capacity < 0 {
			t.Errorf("%+v", info)
		}
		if (info.DeviceID() == "") != (len(info.Salt) == 0) {
			t.Errorf("device id %q of salt %x", info.DeviceID(), info.Salt)
		}
		if info.PasswordSet() != (len(info.Challenge) > 0) {
			t.Errorf("password %t, challenge %x", info.PasswordSet(), info.Challenge)
		}
	})
}

// wholeCard answers everything with the same bytes, SELECT too.
type wholeCard []byte

func (c wholeCard) Transmit([]byte) ([]byte, error) { return append(bytes.Clone(c), 0x90, 0), nil }

func FuzzList(f *testing.F) {
	f.Add([]byte("\x72\x04\x21abc\x72\x02\x12x"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		entries, err := fuzzSession(t, answer).List()
		oneOf(t, err, hw.ErrMalformed)
		total := 0
		for _, e := range entries {
			total += 3 + len(e.ID)
			if !e.Algorithm.Valid() || e.Type != oath.TOTP && e.Type != oath.HOTP {
				t.Errorf("%+v", e)
			}
			oath.ParseID(e.Type, e.ID)
		}
		if total > len(answer) {
			t.Errorf("%d bytes of entries in an answer of %d", total, len(answer))
		}
	})
}

func FuzzCalculate(f *testing.F) {
	f.Add([]byte("\x76\x05\x06abcd"))
	f.Add([]byte("\x75\x15\x0601234567890123456789"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r, err := fuzzSession(t, answer).Calculate("x", oath.Challenge(1))
		oneOf(t, err, hw.ErrMalformed)
		if err == nil {
			checkResponse(t, r)
		}
	})
}

// checkResponse holds what whoever makes a code out of a response relies on.
func checkResponse(t *testing.T, r ykoath.Response) {
	t.Helper()
	if r.Digits < 4 || r.Digits > 8 || r.Truncated > 1<<31-1 {
		t.Errorf("%+v", r)
	}
	if r.MAC != nil && oath.Truncate(r.MAC) != r.Truncated {
		t.Errorf("%x is not truncated to %x", r.MAC, r.Truncated)
	}
	if code := (oath.Account{Digits: r.Digits}).Code(r.Truncated); len(code) != r.Digits {
		t.Errorf("code %q of %+v", code, r)
	}
}

func FuzzCalculateAll(f *testing.F) {
	f.Add([]byte("\x71\x01a\x76\x05\x06abcd\x71\x01b\x77\x01\x06\x71\x01c\x7c\x01\x08"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		answers, err := fuzzSession(t, answer).CalculateAll(oath.Challenge(1))
		oneOf(t, err, hw.ErrMalformed)
		for _, a := range answers {
			if !a.HOTP && !a.Touch {
				checkResponse(t, a.Response)
			} else if a.MAC != nil || a.Truncated != 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte("\x75\x1401234567890123456789"))
	key := seed("0123456789abcdef")
	f.Fuzz(func(t *testing.T, answer []byte) {
		err := fuzzSession(t, answer).Validate(key)
		if err == nil {
			t.Error("a response that nobody could know was taken")
		}
		oneOf(t, err, hw.ErrMalformed, ykoath.ErrImpostor)
	})
}
