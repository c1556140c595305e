package escrow

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/oathd/oathd/oath"
)

// The alphabets of BIP 173 and of RFC 4648, section 6: what a group of five bits is written as.
const (
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

const (
	checksumLen = 6
	// maxBech32 is well above every text that age and its plugins for P-256 write.
	maxBech32 = 200
)

var errChecksum = errors.New("its check digits are wrong")

// encodeBech32 writes data in the form of BIP 173, whose limit of 90 characters age ignores. prefix is in lower
// case, as is the result.
func encodeBech32(prefix string, data []byte) []byte {
	values, _ := regroup(data, 8, 5, true)
	defer oath.Wipe(values)
	text := make([]byte, 0, len(prefix)+1+len(values)+checksumLen)
	text = append(text, prefix...)
	text = append(text, '1')
	for _, v := range values {
		text = append(text, bech32Alphabet[v])
	}
	sum := polymod(polymod(checkPrefix(prefix), values), make([]byte, checksumLen)) ^ 1
	for i := range checksumLen {
		text = append(text, bech32Alphabet[sum>>(5*(checksumLen-1-i))&31])
	}
	return text
}

// decodeBech32 reads what encodeBech32 writes, in lower or in upper case. data is the caller's to wipe.
func decodeBech32(text []byte) (prefix string, data []byte, err error) {
	sep := bytes.LastIndexByte(text, '1')
	if sep < 1 || len(text)-sep <= checksumLen || len(text) > maxBech32 {
		return "", nil, errors.New("it has not the form of Bech32")
	}
	lower, upper := cases(text)
	if lower && upper {
		return "", nil, errors.New("it mixes upper and lower case")
	}
	values := make([]byte, len(text)-sep-1)
	defer oath.Wipe(values)
	for i, c := range text[sep+1:] {
		v := strings.IndexByte(bech32Alphabet, toLower(c))
		if v < 0 {
			return "", nil, fmt.Errorf("character %d does not belong in it", sep+2+i)
		}
		values[i] = byte(v)
	}
	prefix = strings.ToLower(string(text[:sep]))
	if polymod(checkPrefix(prefix), values) != 1 {
		return "", nil, errChecksum
	}
	data, ok := regroup(values[:len(values)-checksumLen], 5, 8, false)
	if !ok {
		return "", nil, errors.New("it ends in the middle of a byte")
	}
	return prefix, data, nil
}

// polymod goes on with the checksum of BIP 173 over values.
func polymod(sum uint32, values []byte) uint32 {
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}

// checkPrefix begins the checksum with the prefix: the high bits of each character, a zero, the low bits.
func checkPrefix(prefix string) uint32 {
	sum := uint32(1)
	for i := range len(prefix) {
		sum = polymod(sum, []byte{prefix[i] >> 5})
	}
	sum = polymod(sum, []byte{0})
	for i := range len(prefix) {
		sum = polymod(sum, []byte{prefix[i] & 31})
	}
	return sum
}

// encodeBase32 writes data as authenticator apps take it, without padding, to dst, which has the length for it.
func encodeBase32(dst, data []byte) {
	values, _ := regroup(data, 8, 5, true)
	defer oath.Wipe(values)
	for i, v := range values {
		dst[i] = base32Alphabet[v]
	}
}

func base32Len(n int) int { return (n*8 + 4) / 5 }

// decodeBase32 reads exactly what encodeBase32 writes. The standard library's decoder copies its input to
// a place that nobody wipes.
func decodeBase32(text []byte) (*oath.Secret, error) {
	values := make([]byte, len(text))
	defer oath.Wipe(values)
	for i, c := range text {
		v := strings.IndexByte(base32Alphabet, c)
		if v < 0 {
			return nil, damaged("the secret is not base32")
		}
		values[i] = byte(v)
	}
	data, ok := regroup(values, 5, 8, false)
	if !ok || len(data) == 0 {
		oath.Wipe(data)
		return nil, damaged("the secret is not base32")
	}
	return oath.TakeSecret(data), nil
}

// regroup packs groups of so many bits into groups of another size, the last one filled up with zeros if pad
// is set. Else it reports whether what is left over is less than a group, and all zeros.
func regroup(src []byte, from, to int, pad bool) ([]byte, bool) {
	dst := make([]byte, 0, (len(src)*from+to-1)/to)
	var bits uint32
	held := 0
	for _, b := range src {
		bits, held = bits<<from|uint32(b), held+from
		for held >= to {
			held -= to
			dst = append(dst, byte(bits>>held&(1<<to-1)))
		}
	}
	rest := bits & (1<<held - 1)
	if pad && held > 0 {
		return append(dst, byte(rest<<(to-held))), true
	}
	return dst, held < from && rest == 0
}

func cases(text []byte) (lower, upper bool) {
	for _, c := range text {
		lower = lower || c >= 'a' && c <= 'z'
		upper = upper || c >= 'A' && c <= 'Z'
	}
	return lower, upper
}

func toLower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// upperCase changes text where it lies, which bytes.ToUpper would not.
func upperCase(text []byte) []byte {
	for i, c := range text {
		if c >= 'a' && c <= 'z' {
			text[i] = c - ('a' - 'A')
		}
	}
	return text
}
