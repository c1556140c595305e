package softkey

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
)

// fill puts n credentials whose entries in LIST have 33 bytes each.
func (c client) fill(n int) {
	c.Helper()
	for i := range n {
		c.ok(c.put(totp(fmt.Sprintf("%030d", i))))
	}
}

// TestChunks walks through a LIST of 660 bytes; the sizes and status words of the 5.x without Le are
// those of Yubico/Yubico.NET.SDK issue 35.
func TestChunks(t *testing.T) {
	type chunk struct {
		length int
		status hw.Status
	}
	tests := map[string][]chunk{
		"yubikey-5.7": {{256, 0x6100}, {256, 0x6194}, {148, 0x9000}},
		"yubikey-4.3": {{256, 0x6100}, {256, 0x6194}, {148, 0x9000}},
		"neo":         {{254, 0x61fe}, {254, 0x6198}, {152, 0x9000}},
		"canokey":     {{231, 0x61ff}, {231, 0x61ff}, {198, 0x9000}},
		"nitrokey-3":  {{256, 0x6100}, {256, 0x6194}, {148, 0x9000}},
		"pico-fido":   {{660, 0x9000}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := open(t, Options{Personality: name})
			c.fill(20)
			a := c.send(insList, 0, 0)
			for i, w := range want {
				if len(a.data) != w.length || a.status != w.status {
					t.Fatalf("part %d: %d bytes, %04X, want %d, %04X", i, len(a.data), uint16(a.status), w.length, uint16(w.status))
				}
				a = c.send(c.more(), 0, 0)
			}
			if len(a.data) != 0 {
				t.Errorf("%d bytes more", len(a.data))
			}
		})
	}
}

// TestWrongMore: where something around the applet cuts the answers, the rest is lost at any other command.
func TestWrongMore(t *testing.T) {
	_, c := open(t, Options{Personality: "nitrokey-3"})
	c.fill(20)
	if a := c.send(insList, 0, 0); a.status != 0x6100 {
		t.Fatalf("%04X", uint16(a.status))
	}
	for _, ins := range []byte{insSendRemaining, insGetResponse} {
		if a := c.send(ins, 0, 0); len(a.data) != 0 || a.status == hw.StatusOK {
			t.Errorf("%02X: %d bytes, %04X", ins, len(a.data), uint16(a.status))
		}
	}
}

// TestUnevenPackets: pico-fido keeps two bytes of a LIST of 52 back, and loses them at SEND REMAINING.
func TestUnevenPackets(t *testing.T) {
	for ins, want := range map[byte]int{insGetResponse: 2, insSendRemaining: 0} {
		_, c := open(t, Options{Personality: "pico-fido"})
		c.ok(c.put(totp(strings.Repeat("x", 49))))
		if a := c.send(insList, 0, 0); len(a.data) != 50 || a.status != 0x6102 {
			t.Errorf("%d bytes, %04X", len(a.data), uint16(a.status))
		}
		if a := c.send(ins, 0, 0); len(a.data) != want || a.status != hw.StatusOK {
			t.Errorf("%02X: %d bytes, %04X", ins, len(a.data), uint16(a.status))
		}
	}
}

func TestNothingRemains(t *testing.T) {
	for _, name := range Personalities() {
		_, c := open(t, Options{Personality: name})
		want := hw.StatusOK
		if name == "canokey" || name == "nitrokey-3" {
			want = hw.StatusConditions
		}
		if a := c.send(insSendRemaining, 0, 0); a.status != want || len(a.data) != 0 {
			t.Errorf("%s: %04X with %d bytes", name, uint16(a.status), len(a.data))
		}
	}
}

// TestWithoutLe: a YubiKey answers all the same; CanoKey says 61FF with no data for ever.
func TestWithoutLe(t *testing.T) {
	for _, name := range []string{"yubikey-5.4", "canokey"} {
		t.Run(name, func(t *testing.T) {
			_, c := open(t, Options{Personality: name})
			c.fill(3)
			c.le = false
			a := c.send(insList, 0, 0)
			if name == "yubikey-5.4" {
				if len(c.ok(a)) != 99 {
					t.Errorf("%d bytes", len(a.data))
				}
				return
			}
			for range 5 {
				if len(a.data) != 0 || a.status != 0x61ff {
					t.Fatalf("%d bytes, %04X", len(a.data), uint16(a.status))
				}
				a = c.send(insSendRemaining, 0, 0)
			}
			c.le = true
			if got := len(c.names()); got != 3 {
				t.Errorf("%d names with Le", got)
			}
		})
	}
}

// TestShortLe: no more comes than was asked for.
func TestShortLe(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.4"})
	c.fill(2)
	a := c.transmit([]byte{0, insList, 0, 0, 10})
	if len(a.data) != 10 || a.status != 0x6138 {
		t.Errorf("%d bytes, %04X", len(a.data), uint16(a.status))
	}
}

// TestUndrained: a command in the middle of an answer drops its rest, but for a NEO, which mixes them.
func TestUndrained(t *testing.T) {
	for _, name := range []string{"yubikey-5.4", "neo"} {
		t.Run(name, func(t *testing.T) {
			_, c := open(t, Options{Personality: name})
			c.fill(20)
			c.send(insList, 0, 0)
			id := fmt.Sprintf("%030d", 1)
			a := c.calculate(1, id, challengeOf(0))
			if garbage := a.data[0] != tagTruncated; garbage != (name == "neo") {
				t.Errorf("answer %x", a.data)
			}
			if got := c.code(c.calculate(1, id, challengeOf(0))); got != 755224 {
				t.Errorf("the next code is %06d", got)
			}
			c.send(insList, 0, 0)
			c.ok(c.selectOATH())
			if got := c.code(c.calculate(1, id, challengeOf(0))); got != 755224 {
				t.Errorf("after another SELECT the code is %06d", got)
			}
		})
	}
}

// TestWholeEntries: CanoKey keeps a name and its response together.
func TestWholeEntries(t *testing.T) {
	_, c := open(t, Options{Personality: "canokey"})
	c.fill(9)
	a := c.calculateAll(1, 0) // 39 bytes each
	if len(a.data) != 6*39 || a.status != 0x61ff {
		t.Errorf("%d bytes, %04X", len(a.data), uint16(a.status))
	}
	if got := len(c.all(a)); got != 9*39 {
		t.Errorf("%d bytes in all", got)
	}
	if names := c.names(); !slices.IsSorted(names) || len(names) != 9 {
		t.Errorf("%q", names)
	}
}
