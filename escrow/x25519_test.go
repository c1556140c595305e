package escrow

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/oathd/oathd/oath"
)

// TestKeysAreAge compares keys with age's, both ways.
func TestKeysAreAge(t *testing.T) {
	text, recipient, err := NewRecoveryKey()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := age.ParseX25519Identity(string(text.Bytes()))
	if err != nil || theirs.Recipient().String() != recipient {
		t.Fatalf("age reads our key as %v, %v; want %s", theirs, err, recipient)
	}
	theirs, err = age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Recovery(secret(theirs.String()))
	if err != nil || ours.Recipient() != theirs.Recipient().String() {
		t.Fatalf("we read age's key as %v, %v", ours, err)
	}
	file := ageFile(t, "from age", theirs.Recipient())
	got, err := decrypt(file, ours.key)
	if err != nil || string(got.Bytes()) != "from age" {
		t.Errorf("%q, %v", got.Bytes(), err)
	}
	ours.Wipe()
	if _, err := decrypt(file, ours.key); err == nil {
		t.Error("a wiped identity opens")
	}
}

// ageFile encrypts with age alone.
func ageFile(t *testing.T, plaintext string, recipients ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, recipients...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plaintext); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTypedRecoveryKey(t *testing.T) {
	text, recipient, err := NewRecoveryKey()
	if err != nil {
		t.Fatal(err)
	}
	key := string(text.Bytes())
	for _, typed := range []string{
		key, key + "\n", strings.ToLower(key), " \t" + key[:20] + " " + key[20:40] + "\r\n" + key[40:],
		string(keyGroups(text).Bytes()),
	} {
		id, err := Recovery(secret(typed))
		if err != nil || id.Recipient() != recipient {
			t.Errorf("%q: %v", typed, err)
		}
	}
	for name, typed := range map[string]string{
		"nothing":         "",
		"one letter off":  key[:30] + string(bech32Alphabet[(strings.IndexByte(bech32Alphabet, key[30]|0x20)+1)%32]&^0x20) + key[31:],
		"two swapped":     key[:30] + key[31:32] + "7" + key[32:],
		"cut off":         key[:70],
		"mixed case":      strings.ToLower(key[:40]) + key[40:],
		"a public key":    recipient,
		"another length":  strings.ToUpper(string(encodeBech32(prefixSecretKey, make([]byte, 31)))),
		"another program": strings.ToUpper(string(encodeBech32("age-plugin-x-", make([]byte, 32)))),
	} {
		_, err := Recovery(secret(typed))
		wants(t, name, err, ErrMistyped)
	}
}

// TestMistypedSaysNothing wants no part of a key in an error.
func TestMistypedSaysNothing(t *testing.T) {
	text, _, err := NewRecoveryKey()
	if err != nil {
		t.Fatal(err)
	}
	typed := bytes.Replace(bytes.Clone(text.Bytes()), []byte("1"), []byte("1B"), 1)
	_, err = Recovery(oath.CopySecret(typed))
	for i := 17; i+8 < len(typed); i++ {
		if strings.Contains(strings.ToUpper(err.Error()), string(typed[i:i+8])) {
			t.Fatalf("%v", err)
		}
	}
}

func TestMalformedX25519(t *testing.T) {
	k := newSecretKey()
	recipient, err := k.recipient()
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	good, err := r.Wrap(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]*age.Stanza{
		"no arguments":     {Type: "X25519", Body: good[0].Body},
		"a short body":     {Type: "X25519", Args: good[0].Args, Body: good[0].Body[1:]},
		"a short share":    {Type: "X25519", Args: []string{"AAAA"}, Body: good[0].Body},
		"a share of order": {Type: "X25519", Args: []string{strings.Repeat("A", 43)}, Body: good[0].Body},
	} {
		if _, err := k.Unwrap([]*age.Stanza{bad}); err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k.scalar.Wipe()
	if _, err := k.Unwrap(good); err == nil {
		t.Error("a wiped key opens")
	}
	if _, err := k.recipient(); err == nil {
		t.Error("a wiped key has a public half")
	}
}

// TestForget fails when crypto/ecdh keeps its copy where forget does not look.
func TestForget(t *testing.T) {
	scalar := bytes.Repeat([]byte{0x5a}, scalarLen)
	private, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	pair{private}.forget()
	if got := private.Bytes(); !bytes.Equal(got, make([]byte, scalarLen)) {
		t.Errorf("left: %x", got)
	}
	fields := reflect.TypeOf(*private)
	if fields.NumField() != 5 {
		t.Errorf("ecdh.PrivateKey has %d fields: look whether another one keeps the key", fields.NumField())
	}
}
