package ykoath_test

import (
	"errors"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/ykoath"
)

func TestInfo(t *testing.T) {
	// The device id of this salt was computed by yubikit/oath.py.
	const id = "0aX5mPpu2C2mlDEnUztBLw"
	for name, test := range map[string]struct {
		answer, vendor, version string
		features                ykoath.Features
	}{
		"5.7":       {yk57, "YubiKey 5", "5.7.0", ykoath.Features{Touch: true, SHA512: true, Rename: true, Capacity: 64}},
		"5.4":       {yk5, "YubiKey 5", "5.4.3", ykoath.Features{Touch: true, SHA512: true, Rename: true, Capacity: 32}},
		"5.3.0":     {"7903050300 7108 0011223344556677 9000", "YubiKey 5", "5.3.0", ykoath.Features{Touch: true, SHA512: true, Capacity: 32}},
		"4 FIPS":    {"7903040405 7108 0011223344556677 9000", "YubiKey 4", "4.4.5", ykoath.Features{Touch: true, Capacity: 32}},
		"4.3.5":     {"7903040305 7108 0011223344556677 9000", "YubiKey 4", "4.3.5", ykoath.Features{Touch: true, SHA512: true, Capacity: 32}},
		"4.3.4":     {yk434, "YubiKey 4", "4.3.4", ykoath.Features{Touch: true, SHA512: true, PrefixOverwrites: true, Capacity: 32}},
		"4.2.6":     {yk426, "YubiKey 4", "4.2.6", ykoath.Features{Touch: true, PrefixOverwrites: true, Capacity: 32}},
		"4.2.5":     {"7903040205 7108 0011223344556677 9000", "YubiKey 4", "4.2.5", ykoath.Features{PrefixOverwrites: true, Capacity: 32}},
		"NEO":       {neo, "YubiKey NEO", "3.4.3", ykoath.Features{}},
		"ykneo":     {"7903010002 7108 0011223344556677 9000", "YubiKey NEO", "1.0.2", ykoath.Features{}},
		"Nitrokey":  {nitrokey, "Nitrokey 3", "4.11.0", ykoath.Features{Touch: true, TruncatedOnly: true}},
		"old Nitro": {"7903040a00 7108 0011223344556677 9000", "Nitrokey 3", "4.10.0", ykoath.Features{Touch: true, TruncatedOnly: true}},
		"CanoKey":   {cano, "CanoKey", "6.0.0", ykoath.Features{Touch: true, SHA512: true, Rename: true, CountsFirst: true, Capacity: 100}},
		"pico-fido": {pico, "pico-fido", "8.0.0", ykoath.Features{SHA512: true, Rename: true}},
		"pico PIN":  {"7903080000 7108 0011223344556677 820103 9000", "pico-fido", "8.0.0", ykoath.Features{SHA512: true, Rename: true}},
		"silent":    {"7108 0011223344556677 9000", "OATH key", "0.0.0", ykoath.Features{Touch: true, SHA512: true, Rename: true}},
		"odd":       {"79020504 7108 0011223344556677 9000", "OATH key", "0.0.0", ykoath.Features{Touch: true, SHA512: true, Rename: true}},
		"unheard":   {"790309 0102 990100 7108 0011223344556677 9000", "OATH key", "9.1.2", ykoath.Features{Touch: true, SHA512: true, Rename: true}},
	} {
		t.Run(name, func(t *testing.T) {
			session, _ := begin(t, test.answer)
			info := session.Info()
			if info.Vendor() != test.vendor || info.Version.String() != test.version {
				t.Errorf("%s %s, want %s %s", info.Vendor(), info.Version, test.vendor, test.version)
			}
			if info.Features() != test.features {
				t.Errorf("features %+v, want %+v", info.Features(), test.features)
			}
			if info.DeviceID() != id || info.PasswordSet() || info.Soft {
				t.Errorf("device %s, password %t, soft %t", info.DeviceID(), info.PasswordSet(), info.Soft)
			}
		})
	}
}

func TestInfoOfNitrokeyWithPIN(t *testing.T) {
	session, _ := begin(t, "7903040b00 820108 8f04 00bc614e 9000")
	info := session.Info()
	if info.DeviceID() != "" || info.Salt != nil || info.Serial != 12345678 || info.Vendor() != "Nitrokey 3" {
		t.Errorf("device %q, serial %d, %s", info.DeviceID(), info.Serial, info.Vendor())
	}
}

func TestInfoMarks(t *testing.T) {
	session, _ := begin(t, "7903050403 7108 0011223344556677 8e0e 6f6174686420736f6674206b6579 9000")
	if !session.Info().Soft {
		t.Error("the mark of a soft key is not seen")
	}
	session, _ = begin(t, "7903050403 7108 0011223344556677 8e03 616263 9000")
	if session.Info().Soft {
		t.Error("another mark is taken for that of a soft key")
	}
	session, _ = begin(t, locked)
	if info := session.Info(); !info.PasswordSet() || len(info.Challenge) != 8 {
		t.Errorf("the challenge is not seen: %+v", info)
	}
	session, _ = begin(t, "7903050403 7108 0011223344556677 7400 9000")
	if session.Info().PasswordSet() {
		t.Error("an empty challenge is taken for a password")
	}
}

// An applet may go by its whole name only, the one that ykneo-oath is installed by.
func TestSelectByTheWholeName(t *testing.T) {
	session, err := ykoath.Select(play(t, step{command: selectCommand, answer: "6a82"}, step{command: selectWhole, answer: yk5}))
	if err != nil || session.Info().Version.String() != "5.4.3" {
		t.Error(err)
	}
}

func TestSelectErrors(t *testing.T) {
	for answer, want := range map[string]error{
		"6999":                                  ykoath.ErrNoApplet,
		"6d00":                                  ykoath.ErrNoApplet,
		"6b00":                                  ykoath.ErrNoApplet,
		"9000":                                  hw.ErrMalformed,
		"7903050403 9000":                       hw.ErrMalformed,
		"790305040 37100 9000":                  hw.ErrMalformed,
		"7903050403 7108 00112233 9000":         hw.ErrMalformed,
		"79ff050403 7108 0011223344556677 9000": hw.ErrMalformed,
		"90":                                    hw.ErrMalformed,
	} {
		_, err := ykoath.Select(play(t, step{command: selectCommand, answer: answer}))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", answer, err, want)
		}
	}
	_, err := ykoath.Select(play(t, step{command: selectCommand, answer: "6a82"}, step{command: selectWhole, answer: "6a82"}))
	if !errors.Is(err, ykoath.ErrNoApplet) {
		t.Error(err)
	}
	if status, ok := errors.AsType[hw.Status](err); !ok || status != hw.StatusFileNotFound {
		t.Errorf("the status word is lost: %v", err)
	}
	_, fips := ykoath.Select(play(t, step{command: selectCommand, answer: "6985"}))
	if !errors.Is(fips, ykoath.ErrNoApplet) || hw.Hint(fips) == "" {
		t.Errorf("a FIPS key over NFC: %v, hint %q", fips, hw.Hint(fips))
	}
	_, nameless := ykoath.Select(play(t, step{command: selectCommand, answer: "7903050403 9000"}))
	if hw.Hint(nameless) == "" {
		t.Errorf("no hint for an application without a device id: %v", nameless)
	}
	if want := "cannot select the OATH application: no OATH application on this card (status word 6A82)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// TestStatusWords says what each command's refusals mean, unlocked and locked.
func TestStatusWords(t *testing.T) {
	calls := map[string]func(*ykoath.Session) error{
		"put":       func(s *ykoath.Session) error { return s.Put(ykoath.Put{Account: account(), Seed: seed(rfcSeed)}) },
		"delete":    func(s *ykoath.Session) error { return s.Delete("a") },
		"list":      func(s *ykoath.Session) error { _, err := s.List(); return err },
		"calculate": func(s *ykoath.Session) error { _, err := s.Calculate("a", nil); return err },
		"truncated": func(s *ykoath.Session) error { _, err := s.CalculateTruncated("a", nil); return err },
		"all":       func(s *ykoath.Session) error { _, err := s.CalculateAll(nil); return err },
		"reset":     func(s *ykoath.Session) error { return s.Reset() },
		"set code":  func(s *ykoath.Session) error { return s.SetCode(seed("0123456789abcdef")) },
		"clear":     func(s *ykoath.Session) error { return s.ClearCode() },
		"validate":  func(s *ykoath.Session) error { return s.Validate(seed("0123456789abcdef")) },
	}
	for _, test := range []struct {
		selected, call, answer string
		want                   error
	}{
		{yk5, "put", "6a84", ykoath.ErrFull},
		{neo, "put", "6f00", ykoath.ErrFull},
		{nitrokey, "put", "6983", ykoath.ErrExists},
		{nitrokey, "put", "6a81", ykoath.ErrNotSupported},
		{yk5, "put", "6a80", ykoath.ErrRejected},
		{yk5, "put", "6581", ykoath.ErrCorrupt},
		{locked, "put", "6982", ykoath.ErrLocked},
		{pico, "put", "6700", ykoath.ErrFull},
		{yk5, "delete", "6700", ykoath.ErrRejected},
		{yk5, "delete", "6984", ykoath.ErrNoSuchCredential},
		{nitrokey, "delete", "6a82", ykoath.ErrNoSuchCredential},
		{locked, "delete", "6982", ykoath.ErrLocked},
		{yk5, "delete", "6f00", ykoath.ErrRejected},
		{locked, "list", "6982", ykoath.ErrLocked},
		{yk5, "list", "6999", ykoath.ErrNoApplet},
		{yk5, "calculate", "6982", ykoath.ErrTouchTimeout},
		{yk5, "truncated", "6982", ykoath.ErrTouchTimeout},
		{neo, "calculate", "6982", ykoath.ErrRejected},
		{locked, "calculate", "6982", ykoath.ErrLocked},
		{yk5, "calculate", "6984", ykoath.ErrNoSuchCredential},
		{nitrokey, "truncated", "6a82", ykoath.ErrNoSuchCredential},
		{yk5, "calculate", "6581", ykoath.ErrCorrupt},
		{yk57, "delete", "6985", ykoath.ErrNotSupported},
		{yk5, "all", "6982", ykoath.ErrNotSupported},
		{neo, "all", "6982", ykoath.ErrNotSupported},
		{locked, "all", "6982", ykoath.ErrLocked},
		{nitrokey, "all", "6d00", ykoath.ErrNotSupported},
		{nitrokey, "all", "6985", ykoath.ErrNotSupported},
		{cano, "reset", "6d00", ykoath.ErrNotSupported},
		{nitrokey, "reset", "6982", ykoath.ErrTouchTimeout},
		{locked, "reset", "6982", ykoath.ErrLocked},
		{nitrokey, "set code", "6985", ykoath.ErrNotSupported},
		{yk5, "set code", "6984", ykoath.ErrRejected},
		{locked, "set code", "6982", ykoath.ErrLocked},
		{locked, "clear", "6982", ykoath.ErrLocked},
		{locked, "validate", "6a80", ykoath.ErrWrongPassword},
		{locked, "validate", "6984", ykoath.ErrWrongPassword},
		{locked, "validate", "6300", ykoath.ErrWrongPassword},
		{locked, "validate", "63c3", ykoath.ErrWrongPassword},
		{locked, "validate", "6d00", ykoath.ErrNotSupported},
	} {
		session, _ := begin(t, test.selected, step{command: "00*", answer: test.answer})
		err := calls[test.call](session)
		if !errors.Is(err, test.want) {
			t.Errorf("%s answered %s: %v, want %v", test.call, test.answer, err, test.want)
		}
		if status, ok := errors.AsType[hw.Status](err); !ok || uint64(status) != parseHex(t, test.answer) {
			t.Errorf("%s answered %s: status %v", test.call, test.answer, status)
		}
	}
}

func parseHex(t *testing.T, s string) uint64 {
	b := unhex(t, s)
	return uint64(b[0])<<8 | uint64(b[1])
}

// TestTransportErrors holds that a card that is gone is told from one that refuses.
func TestTransportErrors(t *testing.T) {
	if _, err := ykoath.Select(gone{}); !errors.Is(err, hw.ErrRemoved) || errors.Is(err, ykoath.ErrNoApplet) {
		t.Errorf("select: %v", err)
	}
}

type gone struct{}

func (gone) Transmit([]byte) ([]byte, error) { return nil, hw.ErrRemoved }

// TestDummyAfterLongAnswer is the quirk of firmware 4.2.0 to 4.2.6.
func TestDummyAfterLongAnswer(t *testing.T) {
	long := "7237 21 " + repeat("61", 54) + "9000"
	short := "7203 216162 9000"
	session, _ := begin(t, yk426,
		step{command: "00a1000000", answer: long},
		step{command: "0000000000", answer: "6d00"},
		step{command: "00a1000000", answer: short},
		step{command: "00a1000000", answer: short},
	)
	for range 3 {
		if _, err := session.List(); err != nil {
			t.Fatal(err)
		}
	}
	session, _ = begin(t, yk434, step{command: "00a1000000", answer: long}, step{command: "00a1000000", answer: long})
	for range 2 {
		if _, err := session.List(); err != nil {
			t.Fatal(err)
		}
	}
}
