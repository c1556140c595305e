package mgmt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/mgmt"
)

const (
	selectCommand = "00a4040008a00000052747111700"
	read0         = "001d000000"
	read1         = "001d010000"
)

// script is a card that expects commands and gives answers, both in hexadecimal; spaces are for the reader.
type script struct {
	t     *testing.T
	steps [][2]string
}

func (s *script) Transmit(command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.steps) == 0 {
		s.t.Fatalf("one command too many: %x", command)
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	if got := hex.EncodeToString(command); got != step[0] {
		s.t.Fatalf("command %s, want %s", got, step[0])
	}
	answer, err := hex.DecodeString(strings.ReplaceAll(step[1], " ", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, nil
}

// hello is the SELECT answer of a firmware.
func hello(version string) [2]string {
	return [2]string{selectCommand, hex.EncodeToString([]byte("Virtual mgr - FW version "+version)) + "9000"}
}

// page puts the length in front of TLVs.
func page(tlvs string) string {
	tlvs = strings.ReplaceAll(tlvs, " ", "")
	return hex.EncodeToString([]byte{byte(len(tlvs) / 2)}) + tlvs + "9000"
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		steps [][2]string
		want  mgmt.Info
	}{
		"YubiKey 5 NFC": {
			[][2]string{hello("5.4.3"), {read0, page("0102023f 0302023f 020400bc614e 040101 0503050403 06020000 07010f 080100 0d02023f 0e02023f 0a0100 0f0100")}},
			mgmt.Info{Serial: 12345678, Version: "5.4.3", FormFactor: "Keychain (USB-A)", OATHEnabledUSB: true, OATHEnabledNFC: true},
		},
		"YubiKey 5.7 FIPS, two pages, OATH off over NFC": {
			[][2]string{hello("5.7.1"), {read0, page("0102033f 0302033f 020401020304 040183 0503050701 0d02033f 0e02031f 100101")}, {read1, page("130135 1402001f 1502001e 100100")}},
			mgmt.Info{Serial: 0x01020304, Version: "5.7.1", FormFactor: "Keychain (USB-C)", FIPS: true, OATHEnabledUSB: true},
		},
		"a hidden serial": {
			[][2]string{hello("5.4.3"), {read0, page("0102023f 03020202 040104 0503050403")}},
			mgmt.Info{Version: "5.4.3", FormFactor: "Nano (USB-C)"},
		},
		"YubiKey 4, whose enabled capabilities are broken": {
			[][2]string{hello("4.3.4"), {read0, page("01013f 03010f 0204007b0001")}},
			mgmt.Info{Serial: 0x7b0001, Version: "4.3.4", OATHEnabledUSB: true},
		},
		"the version of the configuration counts": {
			[][2]string{hello("5.0.0"), {read0, page("0503050602 0401ff")}},
			mgmt.Info{Version: "5.6.2", FIPS: true},
		},
		"a YubiKey Edge adds a status word": {
			[][2]string{{selectCommand, hex.EncodeToString([]byte("FW version 4.2.7")) + "90009000"}, {read0, page("0204 00000007")}},
			mgmt.Info{Serial: 7, Version: "4.2.7"},
		},
		"no READ CONFIG": {
			[][2]string{hello("4.0.5"), {read0, "6d00"}},
			mgmt.Info{Version: "4.0.5"},
		},
		"a NEO is left at once": {
			[][2]string{hello("3.4.3"), {"a4040008", "6d00"}},
			mgmt.Info{Version: "3.4.3"},
		},
		"a stranger says nothing": {
			[][2]string{{selectCommand, "9000"}, {read0, page("990100")}},
			mgmt.Info{},
		},
		"in parts": {
			[][2]string{hello("5.4.3"), {read0, "06 0204 6104"}, {"00c0000000", "01020304 9000"}},
			mgmt.Info{Serial: 0x01020304, Version: "5.4.3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			card := &script{t: t, steps: test.steps}
			got, err := mgmt.Read(card)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if len(card.steps) > 0 {
				t.Errorf("%d commands were not sent", len(card.steps))
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	endless := [][2]string{hello("5.7.1")}
	for i := range 8 {
		endless = append(endless, [2]string{"001d0" + string(rune('0'+i)) + "0000", page("100101")})
	}
	for name, test := range map[string]struct {
		steps [][2]string
		want  error
	}{
		"no application":         {[][2]string{{selectCommand, "6a82"}}, mgmt.ErrAbsent},
		"nothing in the answer":  {[][2]string{hello("5.4.3"), {read0, "9000"}}, hw.ErrMalformed},
		"a page too short":       {[][2]string{hello("5.4.3"), {read0, "07 0204 01020304 9000"}}, hw.ErrMalformed},
		"a page too long":        {[][2]string{hello("5.4.3"), {read0, "05 0204 01020304 9000"}}, hw.ErrMalformed},
		"no TLVs":                {[][2]string{hello("5.4.3"), {read0, page("0204 0102")}}, hw.ErrMalformed},
		"a serial of two bytes":  {[][2]string{hello("5.4.3"), {read0, page("0202 0102")}}, hw.ErrMalformed},
		"pages without end":      {endless, hw.ErrMalformed},
		"less than a statusword": {[][2]string{{selectCommand, "90"}}, hw.ErrMalformed},
	} {
		if info, err := mgmt.Read(&script{t: t, steps: test.steps}); !errors.Is(err, test.want) || info != (mgmt.Info{}) {
			t.Errorf("%s: %+v, %v, want %v", name, info, err, test.want)
		}
	}
	_, err := mgmt.Read(&script{t: t, steps: [][2]string{{selectCommand, "6a82"}}})
	if status, ok := errors.AsType[hw.Status](err); !ok || status != hw.StatusFileNotFound {
		t.Errorf("the status word is lost: %v", err)
	}
}

// dying is a card that is pulled out at the n-th command.
type dying struct {
	script
	left int
}

func (d *dying) Transmit(command []byte) ([]byte, error) {
	if d.left--; d.left < 0 {
		return nil, hw.ErrRemoved
	}
	return d.script.Transmit(command)
}

func TestReadFromAKeyThatIsPulled(t *testing.T) {
	for n, steps := range [][][2]string{{}, {hello("5.4.3")}, {hello("5.7.1"), {read0, page("100101")}}, {hello("3.4.3")}} {
		card := &dying{script: script{t: t, steps: steps}, left: len(steps)}
		if _, err := mgmt.Read(card); !errors.Is(err, hw.ErrRemoved) || errors.Is(err, mgmt.ErrAbsent) {
			t.Errorf("case %d: %v", n, err)
		}
	}
}

// fuzzCard answers SELECT with a greeting and all else with the same bytes.
type fuzzCard struct{ hello, config []byte }

func (c fuzzCard) Transmit(command []byte) ([]byte, error) {
	answer := c.config
	if bytes.HasPrefix(command, []byte{0, 0xa4}) {
		answer = c.hello
	}
	return append(bytes.Clone(answer), 0x90, 0), nil
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("Virtual mgr - FW version 5.4.3"), []byte("\x06\x02\x04\x01\x02\x03\x04"))
	f.Add([]byte("3.4.3"), []byte("\x03\x10\x01\x01"))
	f.Fuzz(func(t *testing.T, hello, config []byte) {
		info, err := mgmt.Read(fuzzCard{hello, config})
		if err != nil && !errors.Is(err, hw.ErrMalformed) {
			t.Errorf("unexpected error %v", err)
		}
		if err != nil && info != (mgmt.Info{}) {
			t.Errorf("%+v beside %v", info, err)
		}
		if strings.ContainsFunc(info.Version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) {
			t.Errorf("version %q", info.Version)
		}
	})
}
