package softkey

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/oathd/oathd/hw"
)

// TestHOTPVectors: RFC 4226, appendix D.
func TestHOTPVectors(t *testing.T) {
	codes := []uint32{755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489}
	for _, name := range Personalities() {
		t.Run(name, func(t *testing.T) {
			_, c := open(t, Options{Personality: name})
			c.ok(c.put(newCredential{name: "hotp", kind: 0x11}))
			want := codes
			if name == "canokey" { // canokey-core, oath.c: the counter moves before the code is computed
				want = codes[1:]
			}
			for i, code := range want {
				if got := c.code(c.calculate(1, "hotp", nil)); got != code {
					t.Fatalf("code %d is %06d, want %06d", i, got, code)
				}
			}
		})
	}
}

func TestHOTPCounter(t *testing.T) {
	_, c := open(t, Options{Personality: "yubikey-5.4"})
	c.ok(c.put(newCredential{name: "hotp", kind: 0x11, counter: 5}))
	if got := c.code(c.calculate(1, "hotp", make([]byte, 8))); got != 254676 {
		t.Errorf("the code of counter 5 is %06d", got)
	}
}

// rfc6238Seed is the seed of RFC 6238, appendix B, as erratum 2866 has it: as long as the hash.
func rfc6238Seed(n int) []byte { return bytes.Repeat(rfcSeed, 4)[:n] }

// TestTOTPVectors: RFC 6238, appendix B.
func TestTOTPVectors(t *testing.T) {
	algorithms := []struct {
		kind byte
		seed []byte
	}{{0x21, rfc6238Seed(20)}, {0x22, rfc6238Seed(32)}, {0x23, rfc6238Seed(64)}}
	vectors := []struct {
		unix  uint64
		codes [3]uint32
	}{
		{59, [3]uint32{94287082, 46119246, 90693936}},
		{1111111109, [3]uint32{7081804, 68084774, 25091201}},
		{1111111111, [3]uint32{14050471, 67062674, 99943326}},
		{1234567890, [3]uint32{89005924, 91819424, 93441116}},
		{2000000000, [3]uint32{69279037, 90698825, 38618901}},
		{20000000000, [3]uint32{65353130, 77737706, 47863826}},
	}
	for _, name := range Personalities() {
		t.Run(name, func(t *testing.T) {
			p, _ := lookupPersonality(name)
			_, c := open(t, Options{Personality: name})
			for i, a := range algorithms {
				n := newCredential{name: "totp", kind: a.kind, digits: 8, key: a.seed}
				if a.kind == 0x23 && !p.sha512 {
					c.want(c.put(n), p.badAlgorithm)
					continue
				}
				c.ok(c.put(n))
				for _, v := range vectors {
					if got := c.code(c.calculate(1, "totp", challengeOf(v.unix/30))); got != v.codes[i] {
						t.Errorf("algorithm %d at %d: %08d, want %08d", i+1, v.unix, got, v.codes[i])
					}
				}
				c.ok(c.delete("totp"))
			}
		})
	}
}

// TestHMACVectors: RFC 4231, section 4.2, and RFC 2202, section 3, case 1, which a full answer carries whole.
func TestHMACVectors(t *testing.T) {
	key, challenge := bytes.Repeat([]byte{0x0b}, 20), []byte("Hi There")
	vectors := map[byte]string{
		0x21: "b617318655057264e28bc0b6fb378c8ef146be00",
		0x22: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		0x23: "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
	}
	for kind, want := range vectors {
		_, c := open(t, Options{Personality: "yubikey-5.7"})
		c.ok(c.put(newCredential{name: "hmac", kind: kind, digits: 7, key: key}))
		got := c.ok(c.calculate(0, "hmac", challenge))
		if len(got) < 3 || got[0] != tagResponse || int(got[1]) != len(got)-2 || got[2] != 7 {
			t.Fatalf("%x is no full answer", got)
		}
		if hex.EncodeToString(got[3:]) != want {
			t.Errorf("algorithm %x:\n got %x\nwant %s", kind, got[3:], want)
		}
	}
}

// TestTruncation: YubiKeys reduce a truncated answer modulo 10^digits, the others give 31 bits.
// RFC 4226, appendix D: counter 0 truncates to 1284755224.
func TestTruncation(t *testing.T) {
	for _, name := range Personalities() {
		_, c := open(t, Options{Personality: name})
		c.ok(c.put(totp("totp")))
		want := "7605064c93cf18"
		if p, _ := lookupPersonality(name); p.reduces {
			want = "760506000b8618"
		}
		if got := c.ok(c.calculate(1, "totp", challengeOf(0))); hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, want %s", name, got, want)
		}
	}
}

func TestChallengeLength(t *testing.T) {
	tests := []struct {
		personality string
		length      int
		want        hw.Status
	}{
		{"yubikey-5.4", 0, hw.StatusWrongData},
		{"yubikey-5.4", 5, hw.StatusOK},
		{"yubikey-5.4", 50, hw.StatusOK},
		{"canokey", 8, hw.StatusOK},
		{"canokey", 9, hw.StatusWrongData},
		{"neo", 64, hw.StatusOK},
		{"neo", 65, hw.StatusWrongData},
	}
	for _, tt := range tests {
		_, c := open(t, Options{Personality: tt.personality})
		c.ok(c.put(totp("totp")))
		if a := c.calculate(1, "totp", make([]byte, tt.length)); a.status != tt.want {
			t.Errorf("%s, %d bytes: %04X, want %04X", tt.personality, tt.length, uint16(a.status), uint16(tt.want))
		}
	}
}
