package escrow

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/oath"
)

func TestMain(m *testing.M) {
	WorkFactor = 2
	os.Exit(m.Run())
}

// slot is a PIV slot whose private key lies open.
type slot struct {
	private *ecdh.PrivateKey
	asked   int
	err     error
	answer  []byte
}

func newSlot(t testing.TB) *slot {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &slot{private: private}
}

func (s *slot) SharedSecret(point []byte) ([]byte, error) {
	s.asked++
	if s.err != nil || s.answer != nil {
		return s.answer, s.err
	}
	public, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return s.private.ECDH(public)
}

func (s *slot) recipient(t testing.TB) string {
	t.Helper()
	r, err := PIVRecipient(s.private.PublicKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *slot) identity(t testing.TB) *Identity {
	t.Helper()
	return must(t)(PIV(s.recipient(t), s))
}

// must returns a function that fails the test for an error.
func must(t testing.TB) func(*Identity, error) *Identity {
	return func(id *Identity, err error) *Identity {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
}

var (
	noon   = time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)
	github = Entry{Kind: Seed, ID: "aaaaaaaaaa", Touch: true,
		Account: oath.Account{Issuer: "GitHub", Name: "alice", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}}
	bank = Entry{Kind: Seed, ID: "bbbbbbbbbb", Counter: 7,
		Account: oath.Account{Name: "bob", Type: oath.HOTP, Algorithm: oath.SHA512, Digits: 8}}
	notes = Entry{Kind: Runbook, ID: "aaaaaaaaaa"}
)

func secret(s string) *oath.Secret { return oath.CopySecret([]byte(s)) }

// safe is a vault with one recipient of each kind, and what opens it.
type safe struct {
	*Vault
	slot  *slot
	paper *oath.Secret
	pass  *oath.Secret
	rows  []Row
}

func newSafe(t testing.TB) *safe {
	t.Helper()
	s := &safe{slot: newSlot(t), pass: secret("correct horse")}
	paper, public, err := NewRecoveryKey()
	if err != nil {
		t.Fatal(err)
	}
	s.paper = paper
	s.Vault, err = Create(noon, []Recipient{
		{Public: s.slot.recipient(t), Key: "kkkkkkkkkk", Serial: 12345678, Slot: 0x82, Name: "blue key", Added: noon},
		{Public: public, Name: "paper in the safe", Added: noon},
		{Public: PassphraseRecipient, Added: noon},
	}, s.pass)
	if err != nil {
		t.Fatal(err)
	}
	s.rows = []Row{s.seal(t, github, "12345678901234567890"), s.seal(t, bank, "seed of the bank"), s.seal(t, notes, "Call +41 …\nCodes: drawer")}
	return s
}

func (s *safe) seal(t testing.TB, e Entry, content string) Row {
	t.Helper()
	row, err := s.Seal(e, secret(content))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func (s *safe) recovery(t testing.TB) *Identity {
	t.Helper()
	return must(t)(Recovery(s.paper))
}

// unlock opens a vault, with the recovery key unless told otherwise, until the test ends.
func (s *safe) unlock(t testing.TB, v *Vault, with ...*Identity) *Open {
	t.Helper()
	o, err := v.Unlock("test", append(with, s.recovery(t))[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

// holds wants the rows to have what newSafe put into them.
func holds(t testing.TB, o *Open, rows []Row) {
	t.Helper()
	for i, want := range []string{"12345678901234567890", "seed of the bank", "Call +41 …\nCodes: drawer"} {
		got, err := o.Get(rows[i])
		if err != nil || string(got.Bytes()) != want {
			t.Errorf("row %d: %q, %v", i, got.Bytes(), err)
		}
	}
}

// wants wants an error that wraps one of several.
func wants(t testing.TB, what string, err error, anyOf ...error) {
	t.Helper()
	for _, want := range anyOf {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("%s: error %v, want one of %q", what, err, anyOf)
}

// flip returns b with one bit of one byte changed.
func flip(b []byte, i int) []byte {
	bad := bytes.Clone(b)
	bad[i] ^= 1 << (i % 8)
	return bad
}

// run runs a program in a directory and returns what it printed.
func run(t *testing.T, dir, stdin string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}
