package ykoath_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/tlv"
	"github.com/oathd/oathd/hw/ykoath"
	"github.com/oathd/oathd/oath"
)

// The HMAC of RFC 4226's seed for step 1, and what is made of it.
const (
	mac1       = "75a48a19d4cbe100644e8ac1397eea747a2d33ab"
	truncated1 = 0x41397eea
)

// TestCalculateBytes compares with what yubikit/oath.py sends.
func TestCalculateBytes(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a20000 18 710c4769744875623a616c696365 74080000000000000001 00", answer: "7515 06" + mac1 + "9000"},
		step{command: "00a20001 18 710c4769744875623a616c696365 74080000000000000001 00", answer: "7605 06 41397eea 9000"},
		step{command: "00a20001 0a 710645783a626f62 7400 00", answer: "7605 06 00046162 9000"},
		step{command: "00a40000 0a 74080000000000000001 00", answer: "9000"},
		step{command: "00a40001 0a 74080000000000000001 00", answer: "9000"},
	)
	r, err := session.Calculate("GitHub:alice", oath.Challenge(1))
	if err != nil || r.Digits != 6 || r.Truncated != truncated1 || !bytes.Equal(r.MAC, unhex(t, mac1)) {
		t.Errorf("full: %+v, %v", r, err)
	}
	r, err = session.CalculateTruncated("GitHub:alice", oath.Challenge(1))
	if err != nil || r.Digits != 6 || r.Truncated != truncated1 || r.MAC != nil {
		t.Errorf("truncated: %+v, %v", r, err)
	}
	if r, err = session.CalculateTruncated("Ex:bob", nil); err != nil || r.Truncated != 0x46162 {
		t.Errorf("HOTP: %+v, %v", r, err)
	}
	for _, all := range []func([]byte) ([]ykoath.Answer, error){session.CalculateAll, session.CalculateAllTruncated} {
		if answers, err := all(oath.Challenge(1)); err != nil || len(answers) != 0 {
			t.Errorf("an empty key: %v, %v", answers, err)
		}
	}
}

func TestCalculateAnswers(t *testing.T) {
	for answer, want := range map[string]ykoath.Response{
		"7605 08 ffffffff 9000":               {Digits: 8, Truncated: 0x7fffffff},
		"990100 7605 07 00000001 9000":        {Digits: 7, Truncated: 1}, // an unknown tag before it
		"7605 04 00000001 9000":               {Digits: 4, Truncated: 1}, // CanoKey takes four
		"7521 06" + repeat("00", 32) + "9000": {Digits: 6, MAC: make([]byte, 32)},
		"7541 06" + repeat("00", 64) + "9000": {Digits: 6, MAC: make([]byte, 64)},
	} {
		session, _ := begin(t, nitrokey, step{command: "00a2*", answer: answer})
		got, err := session.Calculate("x", oath.Challenge(1)) // the full answer is asked for, whatever comes
		if err != nil || got.Digits != want.Digits || got.Truncated != want.Truncated || !bytes.Equal(got.MAC, want.MAC) {
			t.Errorf("%s: %+v, %v, want %+v", answer, got, err, want)
		}
	}
}

// malformedResponses are no responses to a CALCULATE, and not in a CALCULATE ALL either.
var malformedResponses = []string{
	"7600", "7500", "7601 06", "7604 06 000000", "7606 06 0000000000", "7605 00 00000001", "7605 03 00000001", "7605 09 00000001",
	"7605 ff 00000001", "7514 06" + repeat("00", 19), "7516 06" + repeat("00", 21), "7515 00" + mac1, "7505 06 00000001", "76", "7605 06",
}

func TestCalculateMalformed(t *testing.T) {
	for _, answer := range append(malformedResponses, "", "7701 06", "7c01 06", "990100") {
		session, _ := begin(t, yk5, step{command: "00a2*", answer: answer + "9000"})
		if r, err := session.Calculate("x", nil); !errors.Is(err, hw.ErrMalformed) {
			t.Errorf("%s: %+v, %v", answer, r, err)
		}
	}
}

func TestCalculateAll(t *testing.T) {
	session, _ := begin(t, yk5,
		step{command: "00a40000*", answer: "" +
			"7101 61 7515 06" + mac1 +
			"7101 62 7605 08 00000001" + // truncated, though the full one was asked for
			"7101 63 7701 06" +
			"7101 64 7c01 07 61ff"},
		step{command: "00a5000000", answer: "" +
			"7101 65 9901 00" + // a kind of response of the future
			"7101 66 7700" + // Nitrokey tells no digits
			"7101 67 9901 00 7c00" +
			"7100 7605 06 00000002" + // pico-fido takes empty names
			"9000"})
	got, err := session.CalculateAll(oath.Challenge(1))
	if err != nil {
		t.Fatal(err)
	}
	want := []ykoath.Answer{
		{ID: "a", Response: ykoath.Response{Digits: 6, Truncated: truncated1, MAC: unhex(t, mac1)}},
		{ID: "b", Response: ykoath.Response{Digits: 8, Truncated: 1}},
		{ID: "c", HOTP: true, Response: ykoath.Response{Digits: 6}},
		{ID: "d", Touch: true, Response: ykoath.Response{Digits: 7}},
		{ID: "f", HOTP: true},
		{ID: "g", Touch: true},
		{ID: "", Response: ykoath.Response{Digits: 6, Truncated: 2}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.ID != w.ID || g.HOTP != w.HOTP || g.Touch != w.Touch || g.Digits != w.Digits || g.Truncated != w.Truncated || !bytes.Equal(g.MAC, w.MAC) {
			t.Errorf("answer %d: %+v, want %+v", i, g, w)
		}
	}
}

func TestCalculateAllMalformed(t *testing.T) {
	for _, answer := range []string{"7605 06 00000001", "7101 61 7605 06 00000001 7605 06 00000001", "7101"} {
		session, _ := begin(t, yk5, step{command: "00a4*", answer: answer + "9000"})
		if got, err := session.CalculateAll(oath.Challenge(1)); !errors.Is(err, hw.ErrMalformed) || got != nil {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
}

func TestTenDigitsAreExplained(t *testing.T) {
	session, _ := begin(t, yk5, step{command: "00a2*", answer: "7605 0a 00000001 9000"})
	if _, err := session.Calculate("a", oath.Challenge(1)); !errors.Is(err, hw.ErrMalformed) || !strings.Contains(hw.Hint(err), "10 digits") {
		t.Errorf("%v, hint %q", err, hw.Hint(err))
	}
}

// One credential that another program wrote with ten digits must not make a key useless.
func TestCalculateAllLeavesOutWhatMakesNoSense(t *testing.T) {
	for _, response := range append([]string{"7701 00", "7c01 ff", "7605 0a 00000001"}, malformedResponses...) {
		if _, err := tlv.Parse(unhex(t, response)); err != nil {
			continue
		}
		session, _ := begin(t, yk5, step{command: "00a4*", answer: "7101 61" + response + "7101 62 7605 06 00000001 9000"})
		if got, err := session.CalculateAll(oath.Challenge(1)); err != nil || len(got) != 1 || got[0].ID != "b" || got[0].Truncated != 1 {
			t.Errorf("%s: %+v, %v", response, got, err)
		}
	}
}

// TestCalculateFallsBack is about keys that know no full answer: Nitrokey, and those that nobody has heard of.
func TestCalculateFallsBack(t *testing.T) {
	session, _ := begin(t, nitrokey, step{command: "00a20001*", answer: "7605 06 00000001 9000"})
	if r, err := session.Calculate("x", oath.Challenge(1)); err != nil || r.Truncated != 1 {
		t.Errorf("Nitrokey: %+v, %v", r, err)
	}
	session, _ = begin(t, pico, step{command: "00a20000*", answer: "6d00"}, step{command: "00a20001*", answer: "7605 06 00000001 9000"})
	if r, err := session.Calculate("x", oath.Challenge(1)); err != nil || r.Truncated != 1 || r.MAC != nil {
		t.Errorf("another key: %+v, %v", r, err)
	}
	session, _ = begin(t, pico, step{command: "00a20001*", answer: "6d00"})
	if _, err := session.CalculateTruncated("x", oath.Challenge(1)); !errors.Is(err, ykoath.ErrNotSupported) {
		t.Errorf("a key without CALCULATE: %v", err)
	}
}

// TestErrorText holds the form of what people read.
func TestErrorText(t *testing.T) {
	session, _ := begin(t, yk5, step{command: "00a2*", answer: "6982"})
	_, err := session.Calculate("GitHub:alice", oath.Challenge(1))
	if want := `cannot calculate "GitHub:alice": the key was not touched in time (status word 6982)`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
