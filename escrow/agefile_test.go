package escrow

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

type badRecipient struct{}

var errBad = errors.New("no")

func (badRecipient) Wrap([]byte) ([]*age.Stanza, error) { return nil, errBad }

// TestFilesAreAge has age open what is encrypted here, at the sizes around a chunk's.
func TestFilesAreAge(t *testing.T) {
	theirs, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Recovery(secret(theirs.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 63, 64, 65, 1000, maxPlaintext} {
		want := strings.Repeat("x", n)
		file, err := encrypt(secret(want), theirs.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(file), theirs)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%d bytes: age reads %d, %v", n, len(got), err)
		}
		if got, err := decrypt(file, ours.key); err != nil || string(got.Bytes()) != want {
			t.Errorf("%d bytes: read as %d, %v", n, got.Len(), err)
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	if _, err := encrypt(secret(strings.Repeat("x", maxPlaintext+1)), badRecipient{}); err == nil || errors.Is(err, errBad) {
		t.Errorf("more than a chunk: %v", err)
	}
	_, err := encrypt(secret("x"), badRecipient{})
	wants(t, "a recipient that fails", err, errBad)
}

// TestFlippedFile flips a bit of every byte of an age file for two recipients.
func TestFlippedFile(t *testing.T) {
	s := newSafe(t)
	k := s.recovery(t).key
	for i := range s.Wrapped {
		got, err := decrypt(flip(s.Wrapped, i), k)
		if err == nil {
			t.Fatalf("byte %d: %q", i, got.Bytes())
		}
		wants(t, "flipped", err, ErrDamaged, age.ErrIncorrectIdentity)
	}
	for n := range s.Wrapped {
		_, err := decrypt(s.Wrapped[:n], k)
		wants(t, "cut off", err, ErrDamaged)
	}
	_, err := decrypt(append(bytes.Clone(s.Wrapped), 0), k)
	wants(t, "one byte more", err, ErrDamaged)
}

func TestTwoChunks(t *testing.T) {
	k := newSecretKey()
	recipient, err := k.recipient()
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	_, err = decrypt(ageFile(t, strings.Repeat("x", maxPlaintext+1), r), k)
	wants(t, "two chunks", err, ErrDamaged)
}

// FuzzWrapped opens anything as a wrapped file, with each kind of identity.
func FuzzWrapped(f *testing.F) {
	s := newSafe(f)
	f.Add(s.Wrapped)
	f.Add(s.Passphrase)
	f.Add([]byte("age-encryption.org/v1\n-> piv-p256 e2SWhQ AuXWo0GaigX07s5MpZ3O7W0LepaRgaQRZ8hcFzQyGPc5\n"))
	ids := []*Identity{s.recovery(f), s.slot.identity(f)}
	f.Fuzz(func(t *testing.T, file []byte) {
		v := *s.Vault
		v.Wrapped = file
		for _, id := range ids {
			o, err := v.Unlock("fuzz", id)
			if err != nil {
				continue
			}
			if !bytes.Equal(file, s.Wrapped) {
				t.Errorf("opened with %s: %q", o.By.Public, file)
			}
			o.Close()
		}
	})
}
