package importer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

func unhex(t *testing.T, text string) *oath.Secret {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return oath.TakeSecret(b)
}

// TestSecretStream opens a chunk that libsodium 1.0.18 has made, and what is left of it after changes.
func TestSecretStream(t *testing.T) {
	key := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	header := unhex(t, streamVector.header).Bytes()
	for text, box := range streamVector.final {
		plain, err := openSecretStream(key, header, unhex(t, box).Bytes())
		if err != nil || string(plain.Bytes()) != text {
			t.Errorf("%q, %v, want %q", plain.Bytes(), err, text)
		}
	}
	if _, err := openSecretStream(key, header, unhex(t, streamVector.message).Bytes()); err == nil || !strings.Contains(err.Error(), "no final part") {
		t.Errorf("a chunk that is not the last: %v", err)
	}
	box := unhex(t, streamVector.message).Bytes()
	for i := range box {
		damaged := bytes.Clone(box)
		damaged[i] ^= 1
		if _, err := openSecretStream(key, header, damaged); !errors.Is(err, ErrPassword) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if _, err := openSecretStream(key, header, box[:16]); err == nil {
		t.Error("a stream of 16 bytes is read")
	}
	if _, err := openSecretStream(unhex(t, "00"), header, box); err == nil {
		t.Error("a key of one byte is taken")
	}
}

func TestCBC(t *testing.T) {
	key, iv := oath.NewSecret(32), make([]byte, 16)
	for _, test := range []struct {
		key     *oath.Secret
		iv, box []byte
		want    string
	}{
		{oath.NewSecret(5), iv, make([]byte, 16), "not one for AES"},
		{key, iv[:8], make([]byte, 16), "vector has 8 bytes"},
		{key, iv, nil, "cut off"},
		{key, iv, make([]byte, 17), "cut off"},
		{key, iv, make([]byte, 16), "password is wrong"},
	} {
		if _, err := openCBC(test.key, test.iv, test.box); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	for padded, want := range map[string]error{
		"0123456789abcde\x01": nil, "0123456789abcd\x02\x02": nil, strings.Repeat("\x10", 16): nil,
		"0123456789abcde\x00": ErrPassword, "0123456789abcde\x11": ErrPassword, "0123456789abcd\x01\x02": ErrPassword,
	} {
		plain, err := unpad([]byte(padded), 16)
		if !errors.Is(err, want) || err == nil && string(plain.Bytes()) != padded[:16-int(padded[15])] {
			t.Errorf("%q: %q, %v", padded, plain.Bytes(), err)
		}
	}
}

func TestGCM(t *testing.T) {
	for _, test := range []struct {
		key        int
		nonce, box int
		want       string
	}{
		{5, 12, 16, "not one for AES"}, {32, 0, 16, "nonce has 0 bytes"}, {32, 65, 16, "nonce has 65 bytes"}, {32, 12, 15, "cut off"}, {32, 12, 16, "password is wrong"},
	} {
		if _, err := openGCM(oath.NewSecret(test.key), make([]byte, test.nonce), make([]byte, test.box), nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// streamVector was made by libsodium's crypto_secretstream_xchacha20poly1305_push: texts of lengths that need other
// paddings, and one chunk that is not the last.
var streamVector = struct {
	header, message string
	final           map[string]string
}{
	header:  "110ad6e7208ab6c79414b2b1a1f8c67cc5c7de7f1370b138",
	message: "e32eb15bdab80c52c29e022dbf3a6fac9105bc53d7dbcfb58580a9fbfe",
	final: map[string]string{
		"":                  "e0db562ea1f1e32a60036eee462e21d8f3",
		"one":               "e02cb04c8d5f13cf90bd568852556cb0e078a597",
		"sixteen bytes ok":  "e030b751cbfd0f538e90142ea9d27652a06bdf8d7baad47952d0e6de4c0674883e",
		"seventeen bytes!!": "e030bb5fdaf61e58cb9c4d38b5d5334eea6be889e545343132c4a87dc12e975e9738",
		"a text that is longer than one block of the stream cipher, which has 64 bytes": "e022fe5ddae01e1dda9a0c2eecc8251da725b40b84df90f15abd4dc77bda65d7a8e32443768e62c60762c2760b5503586f07cbb9bb02e003dbc41c5f26c3e067c1bc07906c42002d1fef3a3028baef61325b02b367f1feab72c6156edbc0",
	},
}
