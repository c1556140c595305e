package softkey

import (
	"bytes"
	"testing"

	"github.com/oathd/oathd/hw"
)

func TestParseCommand(t *testing.T) {
	tests := []struct {
		name, apdu string
		data       string
		le         int
		extended   bool
		malformed  bool
	}{
		{name: "header alone", apdu: "00a10000"},
		{name: "Le", apdu: "00a1000010", le: 16},
		{name: "Le 00", apdu: "00a1000000", le: 256},
		{name: "data", apdu: "00a1000002abcd", data: "abcd"},
		{name: "data and Le", apdu: "00a1000002abcd00", data: "abcd", le: 256},
		{name: "extended Le", apdu: "00a10000000000", le: 65536, extended: true},
		{name: "extended data", apdu: "00a10000000002abcd", data: "abcd", extended: true},
		{name: "extended data and Le", apdu: "00a10000000002abcd0100", data: "abcd", le: 256, extended: true},
		{name: "too short", apdu: "00a100", malformed: true},
		{name: "empty", apdu: "", malformed: true},
		{name: "data missing", apdu: "00a1000002ab", malformed: true},
		{name: "too much data", apdu: "00a1000001abcdef", malformed: true},
		{name: "extended data missing", apdu: "00a10000000003abcd", malformed: true},
		{name: "half an extended Le", apdu: "00a100000001", malformed: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, ok := parseCommand(unhex(tt.apdu))
			if ok == tt.malformed {
				t.Fatalf("accepted: %v", ok)
			}
			if ok && (!bytes.Equal(c.data, unhex(tt.data)) || c.le != tt.le || c.extended != tt.extended) {
				t.Errorf("data %x, Le %d, extended %v", c.data, c.le, c.extended)
			}
		})
	}
}

func TestUnknownCommands(t *testing.T) {
	tests := []struct {
		name, apdu string
		want       hw.Status
	}{
		{"malformed", "00a1", hw.StatusWrongLength},
		{"class", "80a10000", statusClaUnknown},
		{"instruction", "00ff0000", hw.StatusInsUnknown},
		{"parameters", "00a10001", hw.StatusWrongParams},
		{"GET RESPONSE is not for this applet", "00c00000", hw.StatusInsUnknown},
		{"RESET without DEAD", "00040000", hw.StatusWrongParams},
		{"de-selection as ykman does it for a NEO", "a4040008", statusClaUnknown},
		{"OTP", "00a4040007a0000005272001", hw.StatusFileNotFound},
		{"OpenPGP", "00a4040006d27600012401", hw.StatusFileNotFound},
		{"FIDO", "00a4040008a0000006472f0001", hw.StatusFileNotFound},
		{"SELECT of next occurrence", "00a4040207a0000005272101", hw.StatusFileNotFound},
		{"no AID at all", "00a40400", hw.StatusFileNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := open(t, Options{Personality: "yubikey-5.4"})
			c.want(c.transmit(unhex(tt.apdu)), tt.want)
			c.ok(c.send(insList, 0, 0)) // a SELECT that fails leaves the selection alone
		})
	}
}

func TestNothingSelected(t *testing.T) {
	k, c := open(t, Options{})
	k.Power(true)
	c.want(c.send(insList, 0, 0), hw.StatusInsUnknown)
}

// TestCommandChaining sends a PUT in pieces, as a client does where an APDU is too small for it.
func TestCommandChaining(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.4"})
	data := totp("chained").encode()
	for _, b := range data[:len(data)-1] {
		c.ok(c.transmit([]byte{classChain, insPut, 0, 0, 1, b}))
	}
	c.ok(c.transmit([]byte{0, insPut, 0, 0, 1, data[len(data)-1]}))
	if got := c.names(); len(got) != 1 || got[0] != "chained" {
		t.Errorf("credentials %q", got)
	}
}

func TestCommandChainWithoutEnd(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	piece := append([]byte{classChain, insPut, 0, 0, 255}, make([]byte, 255)...)
	for range maxChained / 255 {
		c.ok(c.transmit(piece))
	}
	c.want(c.transmit(piece), hw.StatusWrongLength)
	if k.chained != nil {
		t.Errorf("%d bytes are still there", len(k.chained))
	}
}

func TestExtendedLength(t *testing.T) {
	// A LIST of 40 names of 30 bytes is longer than any short answer.
	fill := func(c client) {
		for i := range byte(40) {
			c.ok(c.put(totp("abcdefghijklmnopqrstuvwxyz123" + string('A'+rune(i)))))
		}
	}
	list := unhex("00a10000000000")
	t.Run("one answer", func(t *testing.T) {
		_, c := open(t, Options{Personality: "yubikey-5.7"})
		fill(c)
		if got := len(c.ok(c.transmit(list))); got != 40*33 {
			t.Errorf("%d bytes", got)
		}
	})
	for _, o := range []Options{{Personality: "neo"}, {Personality: "yubikey-5.7", Contactless: true}} {
		t.Run("refused", func(t *testing.T) {
			_, c := open(t, o)
			c.want(c.transmit(list), hw.StatusWrongLength)
		})
	}
}

// FuzzTransmit: whatever comes, the key answers with a status word at least.
func FuzzTransmit(f *testing.F) {
	f.Add(byte(0), unhex("00a4040007a000000527210100"))
	f.Add(byte(1), append(unhex("0001000029"), totp("fuzz").encode()...))
	f.Add(byte(2), unhex("00a400010a7408000000000000000100"))
	f.Add(byte(3), unhex("00a2000018710f726663363233382d746573742d3031740568616c6c6f"))
	f.Add(byte(4), unhex("00030000027300"))
	f.Add(byte(5), unhex("10010000017100010000017300a10000"))
	f.Add(byte(6), unhex("001d000000"))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		names := Personalities()
		k, c := open(t, Options{Personality: names[int(kind)%len(names)], Serial: 1})
		if kind >= 0x80 {
			k.SelectElsewhere(aidManagement)
		}
		c.transmit(append(unhex("000100001d"), newCredential{name: "a", kind: 0x11, key: rfcSeed, property: 1}.encode()...))
		// The input is a series of APDUs, each behind its length.
		for range 50 {
			if len(b) == 0 {
				break
			}
			n := min(int(b[0]), len(b)-1)
			c.transmit(b[1 : 1+n])
			b = b[1+n:]
		}
	})
}
