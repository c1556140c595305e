package softkey

import (
	"bytes"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
)

var secretCode = bytes.Repeat([]byte{0x5a}, 16)

// withPassword are the personalities that have a code.
func withPassword() (names []string) {
	for _, p := range personalities {
		if p.password {
			names = append(names, p.name)
		}
	}
	return names
}

func TestCode(t *testing.T) {
	for _, name := range withPassword() {
		t.Run(name, func(t *testing.T) {
			_, c := open(t, Options{Personality: name})
			c.ok(c.put(totp("x")))
			c.ok(c.setCode(0x21, secretCode))
			first := c.ok(c.selectOATH())
			second := c.ok(c.selectOATH())
			if bytes.Equal(c.tag(first, tagChallenge), c.tag(second, tagChallenge)) {
				t.Error("two SELECTs gave the same challenge")
			}
			want := byte(1)
			if name == "neo" {
				want = 0x21
			}
			if got := c.tag(second, tagAlgorithm); !bytes.Equal(got, []byte{want}) {
				t.Errorf("algorithm %x, want %02x", got, want)
			}
			c.lockedOut()
			wrong := hw.StatusWrongData
			if name == "pico-fido" {
				wrong = hw.StatusDataInvalid
			}
			c.want(c.unlock(second, make([]byte, 16)), wrong)
			c.lockedOut()
			answer := c.ok(c.unlock(c.ok(c.selectOATH()), secretCode))
			if !bytes.Equal(c.tag(answer, tagResponse), mac(algSHA1, secretCode, challengeOf(7))) {
				t.Errorf("the key did not answer our challenge: %x", answer)
			}
			if got := c.names(); len(got) != 1 {
				t.Errorf("names %q", got)
			}
			c.ok(c.send(insSetCode, 0, 0, tagKey, 0))
			if hasTag(c.ok(c.selectOATH()), tagChallenge) {
				t.Error("the code is still there")
			}
		})
	}
}

// lockedOut checks that every command that needs the code is refused.
func (c client) lockedOut() {
	c.Helper()
	c.want(c.put(totp("y")), hw.StatusAuthRequired)
	c.want(c.delete("x"), hw.StatusAuthRequired)
	c.want(c.send(insList, 0, 0), hw.StatusAuthRequired)
	c.want(c.calculate(1, "x", challengeOf(1)), hw.StatusAuthRequired)
	c.want(c.calculateAll(1, 1), hw.StatusAuthRequired)
	c.want(c.setCode(0x21, make([]byte, 16)), hw.StatusAuthRequired)
	c.want(c.send(insSetCode, 0, 0, tagKey, 0), hw.StatusAuthRequired)
}

// TestAfterSetCode: a YubiKey goes on, the others want the code at once.
func TestAfterSetCode(t *testing.T) {
	for _, name := range withPassword() {
		_, c := open(t, Options{Personality: name})
		c.ok(c.setCode(0x21, secretCode))
		want := hw.StatusAuthRequired
		if strings.HasPrefix(name, "yubikey") {
			want = hw.StatusOK
		}
		if a := c.send(insList, 0, 0); a.status != want {
			t.Errorf("%s: %04X, want %04X", name, uint16(a.status), uint16(want))
		}
	}
}

// TestLockedAgain: a SELECT locks, but for CanoKey, which locks with its power.
func TestLockedAgain(t *testing.T) {
	for _, name := range withPassword() {
		k, c := open(t, Options{Personality: name})
		c.ok(c.setCode(0x21, secretCode))
		c.ok(c.unlock(c.ok(c.selectOATH()), secretCode))
		c.ok(c.selectOATH())
		want := hw.StatusAuthRequired
		if name == "canokey" {
			want = hw.StatusOK
		}
		if a := c.send(insList, 0, 0); a.status != want {
			t.Errorf("%s after SELECT: %04X, want %04X", name, uint16(a.status), uint16(want))
		}
		k.Power(true)
		c.ok(c.selectOATH())
		if a := c.send(insList, 0, 0); a.status != hw.StatusAuthRequired {
			t.Errorf("%s after a reset: %04X", name, uint16(a.status))
		}
	}
}

func TestSetCodeRefuses(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.4"})
	b := tlv.Append(nil, tagKey, append([]byte{0x21}, secretCode...)...)
	b = tlv.Append(b, tagChallenge, challengeOf(1)...)
	c.want(c.send(insSetCode, 0, 0, tlv.Append(b, tagResponse, make([]byte, 20)...)...), hw.StatusDataInvalid)
	if hasTag(c.ok(c.selectOATH()), tagChallenge) {
		t.Error("a code is set that nobody proved to know")
	}
}

// TestCodeType: a real YubiKey takes the type 02; ykneo-oath wants 1x or 2x.
func TestCodeType(t *testing.T) {
	tests := []struct {
		personality string
		kind        byte
		want        hw.Status
	}{
		{"yubikey-5.4", 0x02, hw.StatusOK},
		{"yubikey-5.4", 0x01, hw.StatusOK},
		{"neo", 0x01, hw.StatusDataInvalid},
		{"neo", 0x11, hw.StatusOK},
	}
	for _, tt := range tests {
		_, c := open(t, Options{Personality: tt.personality})
		if a := c.setCode(tt.kind, secretCode); a.status != tt.want {
			t.Errorf("%s, %02x: %04X, want %04X", tt.personality, tt.kind, uint16(a.status), uint16(tt.want))
		}
	}
}

func TestValidateWithoutCode(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.4"})
	c.want(c.send(insValidate, 0, 0, tagResponse, 1, 1, tagChallenge, 1, 1), hw.StatusDataInvalid)
	c.ok(c.setCode(0x21, secretCode))
	c.want(c.send(insValidate, 0, 0, tagResponse, 1, 1, tagChallenge, 1, 1), hw.StatusWrongData)
	c.want(c.send(insValidate, 0, 0, tagChallenge, 1, 1), hw.StatusWrongData)
}
