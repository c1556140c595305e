package ykoath_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// step is one command that a scripted card expects and what it answers, in hexadecimal; spaces are for the
// reader. A command that ends in "*" is a beginning. If reply is set, it makes the answer out of the command.
type step struct {
	command, answer string
	reply           func(command []byte) string
}

// script is a card that plays steps in their order and fails the test at anything else.
type script struct {
	t     *testing.T
	steps []step
	sent  [][]byte
}

// play returns a card with those steps; all must have been played when the test ends.
func play(t *testing.T, steps ...step) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		if len(s.steps) > 0 && !t.Failed() {
			t.Errorf("%d commands were not sent, the first is %s", len(s.steps), s.steps[0].command)
		}
	})
	return s
}

func (s *script) Transmit(command []byte) ([]byte, error) {
	s.t.Helper()
	s.sent = append(s.sent, command)
	if len(s.steps) == 0 {
		s.t.Fatalf("one command too many: %x", command)
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	want, beginning := strings.CutSuffix(compact(next.command), "*")
	got := hex.EncodeToString(command)
	if got != want && !(beginning && strings.HasPrefix(got, want)) {
		s.t.Fatalf("command %s, want %s", got, next.command)
	}
	if next.reply != nil {
		return unhex(s.t, next.reply(command)), nil
	}
	return unhex(s.t, next.answer), nil
}

func compact(s string) string { return strings.ReplaceAll(s, " ", "") }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(compact(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// selectCommand is the SELECT of the OATH application.
const selectCommand = "00a4040007 a0000005272101 00"

// selectWhole is the SELECT that follows where there is none of that name.
const selectWhole = "00a4040008 a000000527210101 00"

// Answers to SELECT.
const (
	yk5      = "7903050403 7108 0011223344556677 9000"
	yk57     = "7903050700 7108 0011223344556677 9000"
	yk434    = "7903040304 7108 0011223344556677 9000"
	yk426    = "7903040206 7108 0011223344556677 9000"
	neo      = "7903030403 7108 0011223344556677 9000"
	nitrokey = "7903040b00 7108 0011223344556677 8f04 00bc614e 9000"
	cano     = "7903060000 7108 0011223344556677 9000"
	pico     = "7903080000 7108 0011223344556677 7b0101 9000"
	locked   = "7903050403 7108 0011223344556677 7408 a1a2a3a4a5a6a7a8 7b0101 9000"
)

// begin selects on a scripted card and returns the session.
func begin(t *testing.T, selected string, steps ...step) (*ykoath.Session, *script) {
	t.Helper()
	card := play(t, append([]step{{command: selectCommand, answer: selected}}, steps...)...)
	session, err := ykoath.Select(card)
	if err != nil {
		t.Fatal(err)
	}
	return session, card
}

// account is "GitHub:alice" with the usual properties.
func account() oath.Account {
	return oath.Account{Issuer: "GitHub", Name: "alice", Type: oath.TOTP, Algorithm: oath.SHA1, Digits: 6, Period: 30}
}

func seed(s string) *oath.Secret { return oath.CopySecret([]byte(s)) }

const rfcSeed = "12345678901234567890"

func wiped(b []byte) bool { return bytes.Equal(b, make([]byte, len(b))) }

func repeat(s string, n int) string { return strings.Repeat(s, n) }
