package piv_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
)

func look(t *testing.T, card hw.Card) piv.State {
	t.Helper()
	state, err := piv.Look(card)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestLookAtNewKeys(t *testing.T) {
	tests := map[string]struct {
		version  string
		serial   uint32
		defaults piv.Answer
		free     int
	}{
		"yubikey-5.7": {"5.7.1", 7, piv.Yes, 20},
		"yubikey-5.4": {"5.4.3", 7, piv.Yes, 20},
		"yubikey-4.3": {"4.3.4", 0, piv.Unknown, 20},
		"neo":         {"1.0.4", 0, piv.Unknown, 0},
	}
	for personality, want := range tests {
		t.Run(personality, func(t *testing.T) {
			s := look(t, newKey(t, softkey.Options{Personality: personality, Serial: 7}))
			if s.Version.String() != want.version || s.Serial != want.serial || s.Tries != 3 {
				t.Errorf("version %s, serial %d, %d tries", s.Version, s.Serial, s.Tries)
			}
			if s.DefaultPIN != want.defaults || s.DefaultManagementKey != want.defaults || s.ProtectedManagementKey || s.TouchForManagement {
				t.Errorf("%+v", s)
			}
			if len(s.Free) != want.free || len(s.Escrow)+len(s.Bare) != 0 {
				t.Errorf("free %x, escrow %v, bare %x", s.Free, s.Escrow, s.Bare)
			}
		})
	}
	if s := look(t, newKey(t, softkey.Options{Serial: 7, HideSerial: true})); s.Serial != 0 {
		t.Errorf("a hidden serial number: %d", s.Serial)
	}
}

func TestLookAtSlots(t *testing.T) {
	for _, personality := range withSlots {
		t.Run(personality, func(t *testing.T) {
			k, slot := newEscrow(t, softkey.Options{Personality: personality})
			hwtest.EscrowSlot(t, k, 0x82, "somebody else")
			// A set-up that the touch broke off leaves a key without a certificate.
			hwtest.EscrowSlot(t, k, 0x84)
			link := hw.Link{Card: k, MoreINS: 0xc0}
			if _, err := link.Exchange(hw.Command{INS: 0xdb, P1: 0x3f, P2: 0xff, Data: []byte{0x5c, 3, 0x5f, 0xc1, 0x0f, 0x53, 0}}); err != nil {
				t.Fatal(err)
			}
			wrongPINs(t, k, 1)
			s := look(t, k)
			if len(s.Escrow) != 1 || s.Escrow[0].ID != slot.ID || s.Escrow[0].Name != "made by a test" ||
				s.Escrow[0].PIN != piv.PINAlways || s.Escrow[0].Touch != piv.TouchAlways {
				t.Errorf("escrow %+v", s.Escrow)
			}
			if !slices.Equal(s.Bare, []byte{0x84}) || len(s.Free) != 17 || s.Free[0] != 0x85 {
				t.Errorf("bare %x, free %x", s.Bare, s.Free)
			}
			if s.Tries != 2 {
				t.Errorf("%d tries", s.Tries)
			}
		})
	}
}

func TestLookEveryAPDU(t *testing.T) {
	k := newKey(t, softkey.Options{})
	look(t, k)
	commands := len(k.APDUs())
	for n := range commands {
		k.Fail(softkey.Fault{Kind: softkey.FaultPulled, After: n})
		if _, err := piv.Look(k); err == nil {
			t.Errorf("pulled at command %d of %d, and no error", n, commands)
		} else {
			wantError(t, err, hw.ErrRemoved)
		}
		k.Power(true)
	}
}

func TestPlan(t *testing.T) {
	v5 := piv.Version{Major: 5, Minor: 7, Patch: 1}
	weak := piv.Slot{ID: 0x82, Name: "weak", PIN: piv.PINNever, Touch: piv.TouchCached}
	strong := piv.Slot{ID: 0x90, Name: "strong", PIN: piv.PINOnce, Touch: piv.TouchAlways}
	tests := []struct {
		name     string
		state    piv.State
		want     error
		slot     byte
		reuse    bool
		warnings []string
	}{
		{"new", piv.State{Version: v5, Tries: 3, Free: []byte{0x82, 0x83}}, nil, 0x82, false, nil},
		{"factory's secrets", piv.State{Version: v5, Tries: 3, Free: []byte{0x82}, DefaultPIN: piv.Yes, DefaultManagementKey: piv.Yes}, nil, 0x82, false,
			[]string{"123456", "management key"}},
		{"unfinished", piv.State{Version: v5, Tries: 3, Unfinished: []byte{0x84}, Free: []byte{0x82}}, nil, 0x84, false, nil},
		{"full but for one unfinished", piv.State{Version: v5, Tries: 3, Unfinished: []byte{0x84}}, nil, 0x84, false, nil},
		{"verified just now", piv.State{Version: v5, Tries: -1, Free: []byte{0x82}}, nil, 0x82, false, nil},
		{"bare", piv.State{Version: v5, Tries: 3, Bare: []byte{0x82}, Free: []byte{0x83}}, nil, 0x83, false, []string{"slot 82"}},
		{"there already", piv.State{Version: v5, Tries: 0, Escrow: []piv.Slot{weak, strong}}, nil, 0x90, true, nil},
		{"there, and weak", piv.State{Version: v5, Tries: 3, Escrow: []piv.Slot{weak}}, nil, 0x82, true, []string{"touch", "no PIN"}},
		{"too old", piv.State{Version: piv.Version{Major: 1, Patch: 4}, Tries: 3}, piv.ErrTooOld, 0, false, nil},
		{"full", piv.State{Version: v5, Tries: 3}, piv.ErrFull, 0, false, nil},
		{"blocked", piv.State{Version: v5, Free: []byte{0x82}}, piv.ErrPINBlocked, 0, false, nil},
		{"last try", piv.State{Version: v5, Tries: 1, Free: []byte{0x82}}, piv.ErrLastTry, 0, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.state.Plan(piv.Wish{})
			if wantError(t, err, tt.want); err != nil {
				if hw.Hint(err) == "" {
					t.Error("no hint")
				}
				return
			}
			if p.Slot != tt.slot || (p.Reuse != nil) != tt.reuse || len(p.Steps) == 0 || len(p.Warnings) != len(tt.warnings) {
				t.Fatalf("%+v", p)
			}
			for i, words := range tt.warnings {
				if !strings.Contains(p.Warnings[i], words) {
					t.Errorf("warning %q, want one of %s", p.Warnings[i], words)
				}
			}
		})
	}
}

// TestPlanChanges: what was asked for is said, and what was not is said to stay.
func TestPlanChanges(t *testing.T) {
	slot := piv.Slot{ID: 0x82, PIN: piv.PINAlways, Touch: piv.TouchAlways}
	factory := piv.State{Version: piv.Version{Major: 5, Minor: 7}, Tries: 3, Free: []byte{0x82}, DefaultPIN: piv.Yes, DefaultPUK: piv.Yes, DefaultManagementKey: piv.Yes}
	enrolled, protected, blocked := factory, factory, factory
	enrolled.Escrow = []piv.Slot{slot}
	protected.ProtectedManagementKey, protected.DefaultManagementKey = true, piv.No
	blocked.Escrow, blocked.Tries = enrolled.Escrow, 0
	all := piv.Wish{PIN: true, PUK: true, Protect: true}
	for name, test := range map[string]struct {
		state    piv.State
		wish     piv.Wish
		changes  piv.Wish
		steps    string
		warnings int
	}{
		"nothing":           {factory, piv.Wish{}, piv.Wish{}, "leave PUK, PIN, management key, all other slots as they are", 2},
		"all":               {factory, all, all, "leave all other slots as they are", 0},
		"the PIN alone":     {factory, piv.Wish{PIN: true}, piv.Wish{PIN: true}, "leave PUK, management key, all other slots as they are", 2},
		"enrolled":          {enrolled, all, all, "use slot 82 as it is", 0},
		"protected already": {protected, all, piv.Wish{PIN: true, PUK: true}, "leave management key, all other slots as they are", 0},
		"blocked, reused":   {blocked, piv.Wish{}, piv.Wish{}, "use slot 82 as it is", 2},
	} {
		p, err := test.state.Plan(test.wish)
		said := strings.Join(p.Steps, "\n")
		if err != nil || p.Changes != test.changes || !strings.Contains(said, test.steps) || len(p.Warnings) != test.warnings {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		for _, change := range []struct {
			asked bool
			words string
		}{{test.changes.PIN, "replace the PIN"}, {test.changes.PUK, "replace the PUK"}, {test.changes.Protect, "behind the PIN"}} {
			if strings.Contains(said, change.words) != change.asked {
				t.Errorf("%s: it says %q", name, said)
			}
		}
	}
	_, err := blocked.Plan(piv.Wish{PUK: true})
	wantError(t, err, piv.ErrPINBlocked)
}

func TestAttest(t *testing.T) {
	for _, personality := range withSlots {
		t.Run(personality, func(t *testing.T) {
			k, slot := newEscrow(t, softkey.Options{Personality: personality, Serial: 4711})
			chain := attest(t, k, slot.ID)
			roots := x509.NewCertPool()
			roots.AddCert(softkey.AttestationCA())
			a, err := piv.VerifyAttestation(chain, slot, roots)
			want := piv.Attestation{Version: look(t, k).Version, Serial: 4711, PIN: piv.PINAlways, Touch: piv.TouchAlways}
			if err != nil || a != want {
				t.Errorf("%+v, %v, want %+v", a, err, want)
			}
			refuted := map[string]func() error{
				"Yubico": func() error { _, err := piv.VerifyAttestation(chain, slot, nil); return err },
				"another key": func() error {
					_, err := piv.VerifyAttestation(chain, hwtest.EscrowSlot(t, k, 0x95), roots)
					return err
				},
				"one certificate": func() error { _, err := piv.VerifyAttestation(chain[:1], slot, roots); return err },
				"garbage":         func() error { _, err := piv.VerifyAttestation([][]byte{chain[0], {0x30}}, slot, roots); return err },
				"more garbage":    func() error { _, err := piv.VerifyAttestation([][]byte{{0x30}, chain[1]}, slot, roots); return err },
			}
			for name, verify := range refuted {
				if verify() == nil {
					t.Errorf("%s: verified", name)
				}
			}
		})
	}
}

func attest(t *testing.T, card hw.Card, id byte) [][]byte {
	t.Helper()
	s, err := piv.Select(card)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := s.Attest(id)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func TestAttestRefuses(t *testing.T) {
	for personality, want := range map[string]error{"yubikey-5.7": piv.ErrRejected, "neo": piv.ErrNotSupported} {
		s, err := piv.Select(newKey(t, softkey.Options{Personality: personality}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Attest(0x82)
		wantError(t, err, want)
	}
}
