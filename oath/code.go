package oath

import (
	"encoding/binary"
	"fmt"
	"hash"
	"time"
)

// minKeyLen is what an OATH applet's key is padded to with zeros on the right (ykneo-oath, OathObj.java);
// an HMAC pads its key with zeros anyway, so the codes stay the same.
const minKeyLen = 14

// PrepareKey returns the key that a PUT carries for a seed: hashed if it is longer than the hash's
// block, then padded with zeros to at least 14 bytes. The HMAC stays that of the seed.
func PrepareKey(alg Algorithm, seed []byte) *Secret {
	if len(seed) > alg.BlockSize() {
		h := alg.new()
		h.Write(seed)
		sum := h.Sum(make([]byte, 0, alg.Size()))
		forget(h)
		return TakeSecret(sum)
	}
	key := NewSecret(max(len(seed), minKeyLen))
	copy(key.Bytes(), seed)
	return key
}

// HMAC computes HMAC(seed, message) (RFC 2104). Unlike crypto/hmac it leaves no padded key behind:
// both pads are made in one locked buffer that is wiped before it returns.
func HMAC(alg Algorithm, seed, message []byte) []byte {
	key := PrepareKey(alg, seed)
	defer key.Wipe()
	pad := NewSecret(alg.BlockSize())
	defer pad.Wipe()

	inner := keyedHash(alg, pad.Bytes(), key.Bytes(), 0x36, message)
	defer Wipe(inner)
	return keyedHash(alg, pad.Bytes(), key.Bytes(), 0x5c, inner)
}

// keyedHash returns H((key ⊕ mask…) ‖ message), using pad as its scratch buffer. A whole block is
// hashed from where it lies, so the hash's own buffer never sees the pad.
func keyedHash(alg Algorithm, pad, key []byte, mask byte, message []byte) []byte {
	for i := range pad {
		pad[i] = mask
	}
	for i, k := range key {
		pad[i] ^= k
	}
	h := alg.new()
	h.Write(pad)
	h.Write(message)
	sum := h.Sum(make([]byte, 0, alg.Size()))
	forget(h)
	return sum
}

// forget overwrites what a hash still holds of its input. Reset alone would leave the last part of a block;
// the single byte in front makes the rest go through the hash's buffer.
func forget(h hash.Hash) {
	h.Reset()
	h.Write(make([]byte, 1))
	h.Write(make([]byte, h.BlockSize()-1))
}

// Challenge returns the 8-byte big-endian form of a counter or time step (RFC 4226, section 5.2).
func Challenge(counter uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, counter)
}

// Step returns the time step that t falls into: seconds since the epoch over the period in seconds.
// Times before the epoch are step 0.
func Step(t time.Time, period int) uint64 {
	if s := t.Unix(); s > 0 && period > 0 {
		return uint64(s) / uint64(period)
	}
	return 0
}

// StepStart returns the moment at which a step begins.
func StepStart(step uint64, period int) time.Time {
	return time.Unix(int64(step)*int64(period), 0)
}

// Truncate returns the 31 bits that a code is made of (RFC 4226, section 5.3). mac is an HMAC of 20
// bytes or more.
func Truncate(mac []byte) uint32 {
	offset := mac[len(mac)-1] & 0x0f
	return binary.BigEndian.Uint32(mac[offset:]) & 0x7fffffff
}

// steamAlphabet is the alphabet of Steam's codes (yubikey-manager, ykman/oath.py, STEAM_CHAR_TABLE).
const steamAlphabet = "23456789BCDFGHJKMNPQRTVWXY"

// Code writes the 31 truncated bits as the account's users know them: that many decimal digits,
// or five characters for Steam.
func (a Account) Code(truncated uint32) string {
	truncated &= 0x7fffffff
	if a.Steam() {
		return steamCode(truncated)
	}
	modulus := uint64(1)
	for range min(a.Digits, 10) { // 31 bits have no more digits
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", a.Digits, uint64(truncated)%modulus)
}

func steamCode(truncated uint32) string {
	var code [5]byte
	for i := range code {
		code[i] = steamAlphabet[truncated%uint32(len(steamAlphabet))]
		truncated /= uint32(len(steamAlphabet))
	}
	return string(code[:])
}
