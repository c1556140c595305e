package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

func TestWithFlag(t *testing.T) {
	for value, want := range map[string]api.Opener{
		"piv":        {By: api.OpenPIV},
		"piv:red":    {By: api.OpenPIV, Key: "red"},
		"recovery":   {By: api.OpenRecovery},
		"passphrase": {By: api.OpenPassphrase},
	} {
		if got, err := (&withFlag{value}).parse(); err != nil || got != want {
			t.Errorf("%s: %+v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "piv:", "recovery:x", "passphrase:horse", "magic"} {
		if got, err := (&withFlag{value}).parse(); exitStatus(err) != exitUsage {
			t.Errorf("%s: %+v, %v", value, got, err)
		}
	}
}

// TestPrompts gives the lines of standard input one after the other, and none twice.
func TestPrompts(t *testing.T) {
	term, _, _ := fakeTerminal()
	term.in = strings.NewReader("first\r\nsecond")
	p := &prompts{a: &app{term: term}}
	defer p.close()
	for _, want := range []string{"first", "second"} {
		got, err := p.secret(t.Context(), "Secret")
		if err != nil || string(got.Bytes()) != want {
			t.Errorf("%q, %v; want %q", got.Bytes(), err, want)
		}
		got.Wipe()
	}
	if _, err := p.secret(t.Context(), "Secret"); exitStatus(err) != exitUsage {
		t.Errorf("a third: %v", err)
	}
}

// TestEnrollSecrets reads what the flags need, in the order of the help, and no more.
func TestEnrollSecrets(t *testing.T) {
	for name, test := range map[string]struct {
		options enrollOptions
		input   string
		want    []string
	}{
		"the PIN alone": {enrollOptions{}, "123456\n12345678\n", []string{"123456", "", "", "", ""}},
		"everything": {enrollOptions{givenKey: true, newPIN: true, newPUK: true, protect: true}, "123456\n616263\n246810\n12345678\n13579111\n",
			[]string{"123456", "abc", "246810", "12345678", "13579111"}},
		"no hexadecimal": {enrollOptions{givenKey: true}, "123456\n61626\n", nil},
		"a letter":       {enrollOptions{givenKey: true}, "123456\n6162zz\n", nil},
		"one is missing": {enrollOptions{newPUK: true}, "123456\n12345678\n", nil},
		"nothing at all": {enrollOptions{}, "", nil},
	} {
		term, _, _ := fakeTerminal()
		term.in = strings.NewReader(test.input)
		p := &prompts{a: &app{term: term}}
		got, err := p.enrollSecrets(t.Context(), test.options, "red")
		if test.want == nil {
			if exitStatus(err) != exitUsage || strings.Contains(err.Error(), "zz") {
				t.Errorf("%s: %v", name, err)
			}
		} else {
			for i, s := range []*oath.Secret{got.PIN, got.ManagementKey, got.NewPIN, got.PUK, got.NewPUK} {
				if string(s.Bytes()) != test.want[i] || err != nil {
					t.Errorf("%s: secret %d is %q, %v", name, i, s.Bytes(), err)
				}
			}
		}
		got.Wipe()
		p.close()
	}
}

func TestOpenersOf(t *testing.T) {
	e := api.Escrow{Recipients: []api.Recipient{
		{By: api.OpenRecovery, Name: "safe"},
		{By: api.OpenPIV, Name: "red", Key: "abc", Serial: 7, Slot: 0x82, Present: true},
		{By: api.OpenPIV, Name: "foreign", Serial: 8, Slot: 0x83},
		{By: api.OpenRecovery, Name: "bank"},
		{By: api.OpenPassphrase, Name: "the passphrase"},
	}}
	openers, words := openersOf(e)
	want := []api.Opener{{By: api.OpenRecovery}, {By: api.OpenPIV, Key: "abc"}, {By: api.OpenPIV, Key: "8"}, {By: api.OpenPassphrase}}
	if !slices.Equal(openers, want) {
		t.Errorf("%+v", openers)
	}
	if got := strings.Join(words, "|"); got != "safe  (recovery key)|red  (security key 7, slot 82, plugged in)|foreign  (security key 8, slot 83, not plugged in)|the passphrase" {
		t.Error(got)
	}
}

// A backup can be opened by what is plugged in, as far as anybody knows.
func TestOpenersOfAny(t *testing.T) {
	keys := []api.Key{{ID: "a", Label: "red", Present: true}, {ID: "b", Label: "away"}, {ID: "c", Label: "blue", Present: true, Soft: true}}
	for want, keys := range map[string][]api.Key{
		"the recovery key|the passphrase|red|blue (soft)": keys,
		"the recovery key|the passphrase|a security key":  keys[1:2],
	} {
		openers, words := openersOfAny(keys)
		if got := strings.Join(words, "|"); got != want || len(openers) != len(words) {
			t.Errorf("%q, %+v; want %q", got, openers, want)
		}
		if last := openers[len(openers)-1]; last.By != api.OpenPIV || (last.Key == "c") != (len(keys) == 3) {
			t.Errorf("%+v", last)
		}
	}
}

func TestEscrowWords(t *testing.T) {
	now := time.Now()
	e := api.Escrow{
		Exists: true, Created: now, Seeds: 1, Pending: 2, Runbooks: 1, Warnings: []string{"beware"},
		Recipients: []api.Recipient{{By: api.OpenRecovery, Name: "safe", Added: now}},
		Without:    []api.Candidate{{ID: "a", Label: "Corp:bob"}},
	}
	said := strings.Join(escrowWords(e, now), "\n")
	for _, want := range []string{"1 seed and 2 not proved by a key yet, 1 runbook;", "never tried", "  Corp:bob", "beware"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	said = strings.Join(escrowWords(api.Escrow{Exists: true, Trouble: "cannot use it", Hint: "do this"}, now), "\n")
	if !strings.Contains(said, "cannot use it") || !strings.Contains(said, "do this") {
		t.Error(said)
	}
}

func TestDrillWords(t *testing.T) {
	d := api.EscrowDrill{
		Recipient: api.Recipient{Name: "safe"}, Seeds: 2, Proved: 1, Untried: []string{"bank"},
		Faults: []api.EscrowFault{{Label: "Corp:bob", Error: &api.Error{Message: "damaged", Hint: "go back"}}},
	}
	said := strings.Join(drillWords(d), "\n")
	for _, want := range []string{"safe opens the escrow: 2 seeds, 1 of them", "Corp:bob: damaged", "go back", "bank"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	for want, faults := range map[string][]api.EscrowFault{"it is empty": nil, "0 seeds": d.Faults} {
		if said := drillWords(api.EscrowDrill{Faults: faults})[0]; !strings.Contains(said, want) {
			t.Errorf("with %d faults: %q, want %q", len(faults), said, want)
		}
	}
}
