package piv_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/hwtest"
	"github.com/oathd/oathd/hw/piv"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/oath"
)

// all changes everything about a new key.
func all(t *testing.T) piv.Changes {
	t.Helper()
	return piv.Changes{
		PIN: pin(t), NewPIN: secret(t, "246810"), PUK: secret(t, hwtest.FactoryPUK), NewPUK: secret(t, "13579111"), Protect: true,
	}
}

// TestSecure has ykman, the referee, find what was changed.
func TestSecure(t *testing.T) {
	b := newBench(t, len(withSlots))
	for i, personality := range withSlots {
		k := newKey(t, softkey.Options{Personality: personality, Serial: uint32(1 + i)})
		hwtest.EscrowSlot(t, k, escrowID)
		s := b.plug(t, k)
		if err := piv.Secure(s.card, all(t)); err != nil {
			t.Fatalf("%s: %v", personality, err)
		}
		wantClosed(t, s.card, 3)
		state := look(t, s.card)
		if !state.ProtectedManagementKey || state.DefaultPIN == piv.Yes || state.DefaultPUK == piv.Yes || state.DefaultManagementKey == piv.Yes || len(state.Escrow) != 1 {
			t.Errorf("%s: %+v", personality, state)
		}
		// It finds the management key behind the new PIN by itself, and needs it for this.
		s.ykman("piv", "certificates", "delete", "-P", "246810", fmt.Sprintf("%x", escrowID))
		if state := look(t, s.card); len(state.Escrow) != 0 {
			t.Errorf("%s: ykman deleted nothing", personality)
		}
		s.ykman("piv", "access", "unblock-pin", "-p", "13579111", "-n", "111111")
		again := piv.Changes{PIN: secret(t, "111111"), Protect: true}
		if err := piv.Secure(s.card, again); err != nil {
			t.Errorf("%s: once more: %v", personality, err)
		}
	}
}

func TestSecureManagementKeys(t *testing.T) {
	b := newBench(t, 1)
	k := newKey(t, softkey.Options{})
	s := b.plug(t, k)
	own := bytes.Repeat([]byte{0xa5, 0x5a}, 16)
	s.ykman("piv", "access", "change-management-key", "--algorithm", "AES256", "-P", hwtest.FactoryPIN,
		"-m", fmt.Sprintf("%x", hwtest.FactoryManagement), "-n", fmt.Sprintf("%x", own), "--force")
	c := piv.Changes{PIN: pin(t), Protect: true}
	err := piv.Secure(s.card, c)
	wantError(t, err, piv.ErrManagementKey)
	c.ManagementKey = oath.NewSecret(32)
	defer c.ManagementKey.Wipe()
	err = piv.Secure(s.card, c)
	wantError(t, err, piv.ErrManagementKey)
	if hw.Hint(err) == "" || look(t, s.card).ProtectedManagementKey {
		t.Errorf("%v, and %+v", err, look(t, s.card))
	}
	copy(c.ManagementKey.Bytes(), own)
	if err := piv.Secure(s.card, c); err != nil {
		t.Fatal(err)
	}
	s.ykman("piv", "certificates", "generate", "-P", hwtest.FactoryPIN, "-s", "CN=x", "9a", publicKey(t, s))
}

// publicKey has ykman make a key in slot 9a, for which it takes the management key from behind the PIN, and returns a file with
// its public half.
func publicKey(t *testing.T, s seat) string {
	t.Helper()
	file := t.TempDir() + "/public.pem"
	s.ykman("piv", "keys", "generate", "-P", hwtest.FactoryPIN, "-a", "ECCP256", "9a", file)
	return file
}

func TestSecureRefuses(t *testing.T) {
	short := secret(t, "12345")
	for name, test := range map[string]struct {
		change  func(*piv.Changes)
		prepare func(*testing.T, *softkey.Key)
		want    error
		tries   int
	}{
		"no PIN":             {change: func(c *piv.Changes) { c.PIN = nil }, want: piv.ErrPINForm},
		"a short new PIN":    {change: func(c *piv.Changes) { c.NewPIN = short }, want: piv.ErrPINForm},
		"a short new PUK":    {change: func(c *piv.Changes) { c.NewPUK = short }, want: piv.ErrPINForm},
		"no PUK":             {change: func(c *piv.Changes) { c.PUK = nil }, want: piv.ErrPINForm},
		"an odd key":         {change: func(c *piv.Changes) { c.ManagementKey = short }, want: piv.ErrManagementKey},
		"a wrong PIN":        {change: func(c *piv.Changes) { c.PIN = secret(t, "000000") }, want: piv.ErrWrongPIN, tries: 2},
		"one try left":       {prepare: func(t *testing.T, k *softkey.Key) { wrongPINs(t, k, 2) }, want: piv.ErrLastTry, tries: 1},
		"a blocked PIN":      {prepare: func(t *testing.T, k *softkey.Key) { wrongPINs(t, k, 3) }, want: piv.ErrPINBlocked},
		"a wrong PUK":        {change: func(c *piv.Changes) { c.PUK = secret(t, "00000000") }, want: piv.ErrWrongPUK, tries: 2},
		"one try of the PUK": {prepare: wrongPUKs(2), want: piv.ErrLastPUKTry, tries: 1},
		"a blocked PUK":      {prepare: wrongPUKs(3), want: piv.ErrPUKBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			k, slot := newEscrow(t, softkey.Options{})
			c := all(t)
			if test.change != nil {
				test.change(&c)
			}
			if test.prepare != nil {
				test.prepare(t, k)
			}
			before := look(t, k)
			err := piv.Secure(k, c)
			wantError(t, err, test.want)
			if p, ok := errors.AsType[*piv.PINError](err); ok && p.Tries != test.tries {
				t.Errorf("%v, want %d tries", err, test.tries)
			}
			after := look(t, k)
			if after.DefaultPIN != before.DefaultPIN || after.DefaultPUK != piv.Yes || after.DefaultManagementKey != piv.Yes || after.ProtectedManagementKey || after.Escrow[0].ID != slot.ID {
				t.Errorf("it changed something: %+v", after)
			}
		})
	}
}

// wrongPUKs uses up tries of the PUK.
func wrongPUKs(n int) func(*testing.T, *softkey.Key) {
	return func(t *testing.T, k *softkey.Key) {
		t.Helper()
		link := hw.Link{Card: k, MoreINS: 0xc0}
		if _, err := link.Exchange(hw.SelectCommand(piv.AID)); err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := link.Exchange(hw.Command{INS: 0x24, P2: 0x81, Data: []byte("0000000012345678")}); err == nil {
				t.Fatal("a wrong PUK was taken")
			}
		}
	}
}

// TestSecureEveryAPDU: broken off at any command, the key still takes one of two PINs, and doing it again with that one goes well.
func TestSecureEveryAPDU(t *testing.T) {
	probe := newKey(t, softkey.Options{})
	if err := piv.Secure(probe, all(t)); err != nil {
		t.Fatal(err)
	}
	commands := len(probe.APDUs()) - 1 // the last only has the PIN forgotten
	for n := range commands {
		for _, kind := range []softkey.FaultKind{softkey.FaultPulled, softkey.FaultDies} {
			k := newKey(t, softkey.Options{})
			k.Fail(softkey.Fault{Kind: kind, After: n})
			wantError(t, piv.Secure(k, all(t)), hw.ErrRemoved)
			k.Heal()
			k.Power(true)
			if err := secureAgain(t, k); err != nil {
				t.Errorf("after command %d of %d: %v", n, commands, err)
			}
			if s := look(t, k); !s.ProtectedManagementKey || s.DefaultManagementKey != piv.No || s.DefaultPIN != piv.No || s.DefaultPUK != piv.No || s.Tries != 3 {
				t.Errorf("after command %d of %d: %+v", n, commands, s)
			}
		}
	}
}

// secureAgain does what is left, with the PIN and PUK that the key has now.
func secureAgain(t *testing.T, k *softkey.Key) error {
	t.Helper()
	c, s := all(t), look(t, k)
	if s.DefaultPIN == piv.No {
		c.PIN, c.NewPIN = c.NewPIN, nil
	}
	if s.DefaultPUK == piv.No {
		c.PUK, c.NewPUK = nil, nil
	}
	return piv.Secure(k, c)
}

// TestSecureLeavesOthers: what another program keeps where the management key would go stays.
func TestSecureLeavesOthers(t *testing.T) {
	k := newKey(t, softkey.Options{})
	hwtest.EscrowSlot(t, k, escrowID) // which shows the management key
	for object, content := range map[string]string{"\x5f\xc1\x09": "\x01\x02hi", "\x5f\xff\x00": "\x80\x06\x81\x01\x01\x83\x01\x07"} {
		data := append([]byte{0x5c, 3}, object...)
		data = append(append(data, 0x53, byte(len(content))), content...)
		if _, err := (hw.Link{Card: k}).Exchange(hw.Command{INS: 0xdb, P1: 0x3f, P2: 0xff, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	k.Power(true)
	c := piv.Changes{PIN: pin(t), Protect: true}
	err := piv.Secure(k, c)
	wantError(t, err, piv.ErrPrinted)
	if s := look(t, k); s.DefaultManagementKey != piv.Yes || s.ProtectedManagementKey {
		t.Errorf("%+v", s)
	}
	hwtest.EscrowSlot(t, k, 0x90)
	if _, err := (hw.Link{Card: k}).Exchange(hw.Command{INS: 0xdb, P1: 0x3f, P2: 0xff, Data: []byte("\x5c\x03\x5f\xc1\x09\x53\x00")}); err != nil {
		t.Fatal(err)
	}
	k.Power(true)
	if err := piv.Secure(k, c); err != nil {
		t.Fatal(err)
	}
	link := hw.Link{Card: k, MoreINS: 0xc0}
	if _, err := link.Exchange(hw.SelectCommand(piv.AID)); err != nil {
		t.Fatal(err)
	}
	manager, err := link.Exchange(hw.Command{INS: 0xcb, P1: 0x3f, P2: 0xff, Data: []byte("\x5c\x03\x5f\xff\x00")})
	if err != nil || !bytes.Equal(manager, []byte("\x53\x08\x80\x06\x81\x01\x03\x83\x01\x07")) {
		t.Errorf("yubikey-manager's object is %x, %v", manager, err)
	}
}
