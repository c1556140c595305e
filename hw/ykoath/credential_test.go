package ykoath_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// TestPutBytes compares with what yubikit/oath.py (yubikey-manager 4.0.9) sends for the same credentials; it leaves
// Le out, we send it.
func TestPutBytes(t *testing.T) {
	all := make([]byte, 128)
	for i := range all {
		all[i] = byte(i)
	}
	bob := oath.Account{Name: "bob", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
	for name, test := range map[string]struct {
		put  ykoath.Put
		want string
	}{
		"usual": {ykoath.Put{Account: account(), Seed: seed(rfcSeed)},
			"0001000026 710c4769744875623a616c696365 7316 2106 3132333435363738393031323334353637383930"},
		"touch, SHA-256, period 60": {ykoath.Put{Account: oath.Account{Issuer: "GitHub", Name: "alice", Type: oath.TOTP, Algorithm: oath.SHA256, Digits: 8, Period: 60}, Seed: seed("12345678901234567890123456789012"), Touch: true},
			"0001000037 710f36302f4769744875623a616c696365 7322 2208 3132333435363738393031323334353637383930313233343536373839303132 7802"},
		"a short seed": {ykoath.Put{Account: oath.Account{Name: "bob", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 7, Period: 30}, Seed: seed("abc")},
			"0001000017 7103626f62 7310 2107 6162630000000000000000000000"},
		"a seed longer than the block": {ykoath.Put{Account: bob, Seed: seed(strings.Repeat("x", 65))},
			"000100001d 7103626f62 7316 2106 78c741ddc482e4cdf8c474a0876347a0905b6233"},
		"HOTP with counter and touch": {ykoath.Put{Account: oath.Account{Issuer: "Ex", Name: "bob", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}, Seed: seed(rfcSeed), Touch: true, Counter: 5},
			"0001000028 710645783a626f62 7316 1106 3132333435363738393031323334353637383930 7802 7a0400000005"},
		"the longest": {ykoath.Put{Account: oath.Account{Name: strings.Repeat("n", 64), Type: oath.TOTP, Algorithm: oath.SHA512, Digits: 8, Period: 30}, Seed: oath.CopySecret(all)},
			"00010000c7 7140" + repeat("6e", 64) + "738182 2308" + string(appendHex(all))},
		"the longest with everything": {ykoath.Put{Account: oath.Account{Name: strings.Repeat("n", 64), Type: oath.HOTP, Algorithm: oath.SHA512, Digits: 8}, Seed: oath.CopySecret(all), Touch: true, Counter: 1<<32 - 1},
			"00010000cf 7140" + repeat("6e", 64) + "738182 1308" + string(appendHex(all)) + "7802 7a04ffffffff"},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.put.Seed.Clone()
			session, card := begin(t, yk5, step{command: test.want + "00", answer: "9000"})
			if err := session.Put(test.put); err != nil {
				t.Fatal(err)
			}
			if !wiped(card.sent[1]) {
				t.Error("the seed was left in the command")
			}
			if !test.put.Seed.Equal(before) {
				t.Error("the caller's seed was changed")
			}
		})
	}
}

// TestPutOnAKeyThatCountsFirst: the first code is that of the counter, as on other keys, but for a counter of 0.
func TestPutOnAKeyThatCountsFirst(t *testing.T) {
	const put = "7103 626f62 7316 1106 3132333435363738393031323334353637383930"
	for counter, want := range map[uint32]string{0: "1d" + put, 1: "1d" + put, 2: "23" + put + "7a0400000001"} {
		session, _ := begin(t, cano, step{command: "00010000" + want + "00", answer: "9000"})
		a := oath.Account{Name: "bob", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
		if err := session.Put(ykoath.Put{Account: a, Seed: seed(rfcSeed), Counter: counter}); err != nil {
			t.Error(err)
		}
	}
}

func appendHex(b []byte) []byte {
	const digits = "0123456789abcdef"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return out
}

// TestPutSendsNothing holds what is refused before the key is asked.
func TestPutSendsNothing(t *testing.T) {
	with := func(change func(*ykoath.Put)) ykoath.Put {
		p := ykoath.Put{Account: account(), Seed: seed(rfcSeed)}
		change(&p)
		return p
	}
	for name, test := range map[string]struct {
		selected string
		put      ykoath.Put
		want     error
	}{
		"a long name":             {yk5, with(func(p *ykoath.Put) { p.Account.Name = strings.Repeat("n", 60) }), oath.ErrNameLong},
		"five digits":             {yk5, with(func(p *ykoath.Put) { p.Account.Digits = 5 }), oath.ErrDigits},
		"touch on a NEO":          {neo, with(func(p *ykoath.Put) { p.Touch = true }), ykoath.ErrNotSupported},
		"SHA-512 on a NEO":        {neo, with(func(p *ykoath.Put) { p.Account.Algorithm = oath.SHA512 }), ykoath.ErrNotSupported},
		"SHA-512 on 4.2.6":        {yk426, with(func(p *ykoath.Put) { p.Account.Algorithm = oath.SHA512 }), ykoath.ErrNotSupported},
		"SHA-512 on a Nitrokey":   {nitrokey, with(func(p *ykoath.Put) { p.Account.Algorithm = oath.SHA512 }), ykoath.ErrNotSupported},
		"an empty seed":           {yk5, with(func(p *ykoath.Put) { p.Seed = oath.NewSecret(0) }), nil},
		"no seed":                 {yk5, with(func(p *ykoath.Put) { p.Seed = nil }), nil},
		"a period of two days":    {yk5, with(func(p *ykoath.Put) { p.Account.Period = 172800 }), oath.ErrPeriod},
		"a name that is not text": {yk5, with(func(p *ykoath.Put) { p.Account.Name = "\xff" }), oath.ErrName},
	} {
		session, _ := begin(t, test.selected)
		err := session.Put(test.put)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

const listOne = "720d 21 4769744875623a616c696365 9000" // GitHub:alice

func TestPutRespectsTheList(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a1000000", answer: listOne},
		step{command: "0001*", answer: "9000"},
		step{command: "0002*", answer: "9000"},
		step{command: "0001*", answer: "9000"},
	)
	if _, err := session.List(); err != nil {
		t.Fatal(err)
	}
	put := func(name string) error {
		a := account()
		a.Name = name
		return session.Put(ykoath.Put{Account: a, Seed: seed(rfcSeed)})
	}
	if err := put("alice"); !errors.Is(err, ykoath.ErrExists) {
		t.Errorf("an account that was listed is overwritten: %v", err)
	}
	if err := put("ali"); err != nil {
		t.Errorf("a prefix of a name: %v", err)
	}
	if err := put("ali"); !errors.Is(err, ykoath.ErrExists) {
		t.Errorf("an account of this session is overwritten: %v", err)
	}
	if err := session.Delete("GitHub:alice"); err != nil {
		t.Fatal(err)
	}
	if err := put("alice"); err != nil {
		t.Errorf("a name that was freed: %v", err)
	}
}

func TestPutRefusesPrefixes(t *testing.T) {
	session, _ := begin(t, yk434, step{command: "00a1000000", answer: listOne}, step{command: "0001*", answer: "9000"})
	if _, err := session.List(); err != nil {
		t.Fatal(err)
	}
	a := account()
	a.Name = "ali"
	if err := session.Put(ykoath.Put{Account: a, Seed: seed(rfcSeed)}); !errors.Is(err, ykoath.ErrExists) || !strings.Contains(err.Error(), "GitHub:alice") {
		t.Errorf("a prefix of an existing name: %v", err)
	}
	a.Name = "alice2"
	if err := session.Put(ykoath.Put{Account: a, Seed: seed(rfcSeed)}); err != nil {
		t.Errorf("a longer name: %v", err)
	}
}

// TestPutConditions tells apart what keys mean by 6985 and 6982 at PUT.
func TestPutConditions(t *testing.T) {
	for name, test := range map[string]struct {
		selected string
		touch    bool
		steps    []step
		want     error
		hint     bool
	}{
		"CanoKey, a duplicate":      {cano, false, []step{{command: "0001*", answer: "6985"}, {command: "00a1000000", answer: listOne}}, ykoath.ErrExists, false},
		"FIPS, no password, 6985":   {yk57, false, []step{{command: "0001*", answer: "6985"}, {command: "00a1000000", answer: "9000"}}, ykoath.ErrNotSupported, true},
		"FIPS, no password, 6982":   {yk57, false, []step{{command: "0001*", answer: "6982"}}, ykoath.ErrLocked, true},
		"the list fails too":        {yk57, false, []step{{command: "0001*", answer: "6985"}, {command: "00a1000000", answer: "6985"}}, ykoath.ErrNotSupported, true},
		"Nitrokey, not touched":     {nitrokey, true, []step{{command: "0001*", answer: "6982"}}, ykoath.ErrTouchTimeout, false},
		"locked":                    {locked, false, []step{{command: "0001*", answer: "6982"}}, ykoath.ErrLocked, false},
		"6985 with a password":      {locked, false, []step{{command: "0001*", answer: "6985"}, {command: "00a1000000", answer: "6982"}}, ykoath.ErrNotSupported, true},
		"wrong data":                {yk5, false, []step{{command: "0001*", answer: "6a80"}}, ykoath.ErrRejected, true},
		"another refusal is itself": {yk5, false, []step{{command: "0001*", answer: "6a84"}}, ykoath.ErrFull, false},
	} {
		t.Run(name, func(t *testing.T) {
			session, _ := begin(t, test.selected, test.steps...)
			err := session.Put(ykoath.Put{Account: account(), Seed: seed(rfcSeed), Touch: test.touch})
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if hint := hw.Hint(err); (hint != "") != test.hint {
				t.Errorf("hint %q", hint)
			}
			if _, ok := errors.AsType[hw.Status](err); !ok {
				t.Errorf("the status word is lost: %v", err)
			}
		})
	}
}

func TestList(t *testing.T) {
	session, _ := begin(t, yk5, step{command: "00a1000000", answer: "" +
		"720d 21 4769744875623a616c696365" + // GitHub:alice
		"7205 12 3a626f62" + // :bob, HOTP, SHA-256
		"9902 0000" + // a tag of the future
		"7201 23" + // an empty name, as pico-fido takes
		"7203 31 6162" + // Nitrokey: reverse HOTP
		"7203 f1 6162" + // Nitrokey: a password only
		"7203 24 6162" + // an algorithm of the future
		"7246 21" + repeat("78", 69) + // longer than it should be
		"9000"})
	got, err := session.List()
	if err != nil {
		t.Fatal(err)
	}
	want := []ykoath.Entry{
		{ID: "GitHub:alice", Type: oath.TOTP, Algorithm: oath.SHA1},
		{ID: ":bob", Type: oath.HOTP, Algorithm: oath.SHA256},
		{ID: "", Type: oath.TOTP, Algorithm: oath.SHA512},
		{ID: strings.Repeat("x", 69), Type: oath.TOTP, Algorithm: oath.SHA1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestListWhoseRestIsLost: Nitrokey, and pico-fido where an answer would end a packet evenly, give the rest of an answer
// by GET RESPONSE only, and forget it at SEND REMAINING.
func TestListWhoseRestIsLost(t *testing.T) {
	for _, lost := range []string{"6985", "9000"} {
		session, _ := begin(t, yk5,
			step{command: "00a1000000", answer: "720d 21 47697448 6109"},
			step{command: "00a5000000", answer: lost},
			step{command: "00a1000000", answer: "720d 21 47697448 6109"},
			step{command: "00c0000000", answer: "75623a616c696365 9000"},
			step{command: "00a1000000", answer: "720d 21 47697448 6109"}, // and from then on at once
			step{command: "00c0000000", answer: "75623a616c696365 9000"})
		for range 2 {
			if got, err := session.List(); err != nil || len(got) != 1 || got[0].ID != "GitHub:alice" {
				t.Errorf("%s: %v, %v", lost, got, err)
			}
		}
	}
}

// TestWhatChangesTheKeyIsNotRepeated: each CALCULATE of an HOTP account is another code.
func TestWhatChangesTheKeyIsNotRepeated(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a2*", answer: "7505 6103"},
		step{command: "00a5000000", answer: "9000"})
	if _, err := session.Calculate("GitHub:alice", nil); !errors.Is(err, hw.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

func TestListInParts(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a1000000", answer: "720d 21 47697448 61ff"},
		step{command: "00a5000000", answer: "75623a616c696365 9000"})
	if got, err := session.List(); err != nil || len(got) != 1 || got[0].ID != "GitHub:alice" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestListErrors(t *testing.T) {
	for _, answer := range []string{"7200 9000", "720d 21 9000", "72 9000", "90"} {
		session, _ := begin(t, yk5, step{command: "00a1000000", answer: answer})
		if got, err := session.List(); !errors.Is(err, hw.ErrMalformed) || got != nil {
			t.Errorf("%s: %v, %v", answer, got, err)
		}
	}
	session, _ := begin(t, cano, step{command: "00a1000000", answer: "61ff"}, step{command: "00a5000000", answer: "61ff"})
	if _, err := session.List(); !errors.Is(err, hw.ErrMalformed) {
		t.Errorf("a chain without progress: %v", err)
	}
}

func TestDelete(t *testing.T) {
	session, _ := begin(t, yk5, step{command: "000200000e 710c4769744875623a616c696365 00", answer: "9000"})
	if err := session.Delete("GitHub:alice"); err != nil {
		t.Error(err)
	}
}

func TestRename(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a1000000", answer: listOne},
		step{command: "000500001a 710c4769744875623a616c696365 710a4769744875623a626f62 00", answer: "9000"},
		step{command: "0005*", answer: "9000"},
	)
	if err := session.Rename("GitHub:alice", "GitHub:bob"); err != nil {
		t.Fatal(err)
	}
	if err := session.Rename("GitHub:other", "GitHub:bob"); !errors.Is(err, ykoath.ErrExists) {
		t.Errorf("onto the new name: %v", err)
	}
	if err := session.Rename("GitHub:bob", "GitHub:alice"); err != nil {
		t.Errorf("back to the old name: %v", err)
	}
}

func TestRenameErrors(t *testing.T) {
	list := step{command: "00a1000000", answer: listOne}
	for name, test := range map[string]struct {
		selected, from, to string
		steps              []step
		want               error
	}{
		"onto an existing name":        {pico, "x", "GitHub:alice", []step{list}, ykoath.ErrExists},
		"onto itself":                  {yk5, "GitHub:alice", "GitHub:alice", []step{list}, ykoath.ErrExists},
		"nothing there":                {yk5, "x", "y", []step{list, {command: "0005*", answer: "6984"}}, ykoath.ErrNoSuchCredential},
		"the list was wrong":           {cano, "GitHub:alice", "y", []step{list, {command: "0005*", answer: "6985"}}, ykoath.ErrNotSupported},
		"the firmware says no":         {yk5, "GitHub:alice", "y", []step{list, {command: "0005*", answer: "6d00"}}, ykoath.ErrNotSupported},
		"the firmware is too old":      {yk434, "GitHub:alice", "y", nil, ykoath.ErrNotSupported},
		"Nitrokey has another way":     {nitrokey, "GitHub:alice", "y", nil, ykoath.ErrNotSupported},
		"an empty name":                {yk5, "GitHub:alice", "", nil, oath.ErrName},
		"a name of 65 bytes":           {yk5, "GitHub:alice", strings.Repeat("n", 65), nil, oath.ErrNameLong},
		"locked":                       {locked, "GitHub:alice", "y", []step{{command: "00a1000000", answer: "6982"}}, ykoath.ErrLocked},
		"Nitrokey's word for existing": {yk5, "GitHub:alice", "y", []step{list, {command: "0005*", answer: "6983"}}, ykoath.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			session, _ := begin(t, test.selected, test.steps...)
			if err := session.Rename(test.from, test.to); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}
