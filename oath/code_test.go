package oath_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

var hashes = map[oath.Algorithm]func() hash.Hash{
	oath.SHA1:   sha1.New,
	oath.SHA256: sha256.New,
	oath.SHA512: sha512.New,
}

// code computes what an authenticator shows for a step or counter.
func code(a oath.Account, seed []byte, step uint64) string {
	return a.Code(oath.Truncate(oath.HMAC(a.Algorithm, seed, oath.Challenge(step))))
}

// TestHOTP is RFC 4226, appendix D.
func TestHOTP(t *testing.T) {
	a := oath.Account{Name: "x", Type: oath.HOTP, Algorithm: oath.SHA1, Digits: 6}
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		if got := code(a, []byte("12345678901234567890"), uint64(counter)); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

// TestTOTP is RFC 6238, appendix B, with the seeds of its erratum 2866.
func TestTOTP(t *testing.T) {
	seeds := map[oath.Algorithm]string{
		oath.SHA1:   "12345678901234567890",
		oath.SHA256: "12345678901234567890123456789012",
		oath.SHA512: "1234567890123456789012345678901234567890123456789012345678901234",
	}
	for _, test := range []struct {
		unix                 int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		step := oath.Step(time.Unix(test.unix, 0), oath.DefaultPeriod)
		for algorithm, want := range map[oath.Algorithm]string{oath.SHA1: test.sha1, oath.SHA256: test.sha256, oath.SHA512: test.sha512} {
			a := oath.Account{Name: "x", Type: oath.TOTP, Algorithm: algorithm, Digits: 8, Period: 30}
			if got := code(a, []byte(seeds[algorithm]), step); got != want {
				t.Errorf("%d, %s: %s, want %s", test.unix, algorithm, got, want)
			}
		}
	}
}

// TestHMAC compares with crypto/hmac where a length makes a difference: empty, around the block, beyond it.
func TestHMAC(t *testing.T) {
	for algorithm, new := range hashes {
		for _, length := range []int{0, 1, 13, 14, 20, 63, 64, 65, 100, 127, 128, 129, 191, 192, 300} {
			for _, message := range [][]byte{nil, oath.Challenge(65536), bytes.Repeat([]byte("m"), 200)} {
				seed := bytes.Repeat([]byte{0xa5, 0x00, 0x3c}, 100)[:length]
				reference := hmac.New(new, seed)
				reference.Write(message)
				if got, want := oath.HMAC(algorithm, seed, message), reference.Sum(nil); !bytes.Equal(got, want) {
					t.Errorf("%s, seed of %d, message of %d: %x, want %x", algorithm, length, len(message), got, want)
				}
			}
		}
	}
}

func TestPrepareKey(t *testing.T) {
	for algorithm, new := range hashes {
		for _, length := range []int{1, 13, 14, 20, algorithm.BlockSize(), algorithm.BlockSize() + 1, 500} {
			seed := bytes.Repeat([]byte{0x5a}, length)
			key := oath.PrepareKey(algorithm, seed)
			want := seed
			if length > algorithm.BlockSize() {
				h := new()
				h.Write(seed)
				want = h.Sum(nil)
			}
			for len(want) < 14 {
				want = append(want[:len(want):len(want)], 0)
			}
			if !bytes.Equal(key.Bytes(), want) {
				t.Errorf("%s, %d bytes: %x, want %x", algorithm, length, key.Bytes(), want)
			}
			if !bytes.Equal(oath.HMAC(algorithm, key.Bytes(), []byte("m")), oath.HMAC(algorithm, seed, []byte("m"))) {
				t.Errorf("%s, %d bytes: the prepared key has another HMAC", algorithm, length)
			}
			if !bytes.Equal(seed, bytes.Repeat([]byte{0x5a}, length)) {
				t.Errorf("%s, %d bytes: the seed was changed", algorithm, length)
			}
			key.Wipe()
		}
	}
}

func TestTruncate(t *testing.T) {
	mac, err := hex.DecodeString("1f8698690e02ca16618550ef7f19da8e945b555a") // RFC 4226, section 5.4
	if err != nil {
		t.Fatal(err)
	}
	if got := oath.Truncate(mac); got != 0x50ef7f19 {
		t.Errorf("%08x", got)
	}
	last := append(make([]byte, 15), 0xff, 2, 3, 4, 0x0f)
	if got := oath.Truncate(last); got != 0x7f020304 {
		t.Errorf("offset 15: %08x", got)
	}
}

func TestCode(t *testing.T) {
	for _, test := range []struct {
		account   oath.Account
		truncated uint32
		want      string
	}{
		{oath.Account{Digits: 6}, 0x50ef7f19, "872921"},
		{oath.Account{Digits: 7}, 0x50ef7f19, "7872921"},
		{oath.Account{Digits: 8}, 0x50ef7f19, "57872921"},
		{oath.Account{Digits: 6}, 7, "000007"},
		{oath.Account{Digits: 6}, 0xffffffff, "483647"},
		{oath.Account{Digits: 40}, 0x7fffffff, "0000000000000000000000000000002147483647"},
		// ykman/oath.py, calculate_steam, for the same bits.
		{oath.Account{Issuer: "Steam", Type: oath.TOTP, Digits: 6}, 0x50ef7f19, "KQ7F9"},
		{oath.Account{Issuer: "steam", Type: oath.TOTP, Digits: 6}, 0x50ef7f19, "872921"},
		{oath.Account{Issuer: "Steam", Type: oath.HOTP, Digits: 6}, 0x50ef7f19, "872921"},
	} {
		if got := test.account.Code(test.truncated); got != test.want {
			t.Errorf("%+v of %d: %s, want %s", test.account, test.truncated, got, test.want)
		}
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		unix   int64
		period int
		want   uint64
	}{{59, 30, 1}, {60, 30, 2}, {60, 60, 1}, {0, 30, 0}, {-90, 30, 0}, {90, 0, 0}} {
		if got := oath.Step(time.Unix(test.unix, 0), test.period); got != test.want {
			t.Errorf("step of %d with period %d: %d", test.unix, test.period, got)
		}
	}
	if got := oath.StepStart(3, 15).Unix(); got != 45 {
		t.Errorf("step 3 of 15 s starts at %d", got)
	}
	if got := oath.Challenge(0x0102); !bytes.Equal(got, []byte{0, 0, 0, 0, 0, 0, 1, 2}) {
		t.Errorf("challenge %x", got)
	}
}
