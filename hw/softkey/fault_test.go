package softkey

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
)

var putX = append([]byte{0, insPut, 0, 0, byte(len(totp("x").encode()))}, totp("x").encode()...)

func TestFaultPulled(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultPulled, After: 1})
	c.ok(c.send(insList, 0, 0))
	if _, err := k.Transmit(putX); !errors.Is(err, hw.ErrRemoved) {
		t.Fatalf("error %v", err)
	}
	if _, err := k.Transmit(putX); !errors.Is(err, hw.ErrRemoved) {
		t.Errorf("it came back by itself: %v", err)
	}
	k.Power(true)
	c.ok(c.selectOATH())
	if got := c.names(); len(got) != 0 {
		t.Errorf("the command was executed: %q", got)
	}
}

func TestFaultDies(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultDies, INS: insPut})
	c.ok(c.send(insList, 0, 0))
	if _, err := k.Transmit(putX); !errors.Is(err, hw.ErrRemoved) {
		t.Fatalf("error %v", err)
	}
	k.Power(true)
	c.ok(c.selectOATH())
	if got := c.names(); len(got) != 1 {
		t.Errorf("the command was not executed: %q", got)
	}
}

func TestFaultReset(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultReset, INS: insPut})
	if _, err := k.Transmit(putX); !errors.Is(err, hw.ErrReset) {
		t.Fatalf("error %v", err)
	}
	c.want(c.send(insList, 0, 0), hw.StatusInsUnknown) // nothing is selected any more
	c.ok(c.selectOATH())
	if got := c.names(); len(got) != 0 {
		t.Errorf("the command was executed: %q", got)
	}
}

func TestFaultStatus(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultStatus, INS: insPut, Times: 2, Status: hw.StatusMemory})
	for range 2 {
		c.want(c.transmit(putX), hw.StatusMemory)
	}
	if got := c.names(); len(got) != 0 {
		t.Errorf("the command was executed: %q", got)
	}
	c.ok(c.transmit(putX))
}

func TestFaultFull(t *testing.T) {
	for _, name := range Personalities() {
		k, c := open(t, Options{Personality: name})
		k.Fail(Fault{Kind: FaultFull, Times: Always})
		for range 3 {
			c.want(c.transmit(putX), k.personality.full)
		}
		if got := c.names(); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
		k.Heal()
		c.ok(c.transmit(putX))
	}
}

func TestFaultTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, c := touchKey(t, Options{Personality: "yubikey-5.4"})
		k.Fail(Fault{Kind: FaultTouch, Touch: TouchNever})
		k.Fail(Fault{Kind: FaultTouch, Touch: TouchMode(4 * time.Second), After: 1})
		c.ok(c.send(insList, 0, 0)) // needs no touch, does not count
		for _, want := range []time.Duration{15 * time.Second, 4 * time.Second, 0} {
			if got := <-calculateTouch(k); got.took != want || got.err != nil {
				t.Errorf("after %s: %v, want %s", got.took, got.err, want)
			}
		}
	})
}

func TestFaultAnswer(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	c.ok(c.transmit(putX))
	whole := c.ok(c.send(insList, 0, 0))
	for name, f := range map[string]func([]byte) []byte{
		"nothing":   func([]byte) []byte { return nil },
		"one byte":  func(b []byte) []byte { return b[:1] },
		"torn":      func(b []byte) []byte { return append(b[:3], 0x90, 0) },
		"over-long": func(b []byte) []byte { return append(make([]byte, 70000), b...) },
		"flipped":   func(b []byte) []byte { b[0] ^= 1; return b },
	} {
		k.Fail(Fault{Kind: FaultAnswer, INS: insList, Answer: f})
		got, err := k.Transmit(unhex("00a1000000"))
		if want := f(append(bytes.Clone(whole), 0x90, 0)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		if again := c.ok(c.send(insList, 0, 0)); !bytes.Equal(again, whole) {
			t.Errorf("%s: the fault stayed: %x", name, again)
		}
	}
}

// TestFaultAtCalculateAll: SELECT has the same instruction, and is not meant.
func TestFaultAtCalculateAll(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultStatus, INS: insCalculateAll, Status: hw.StatusMemory})
	c.ok(c.selectOATH())
	c.want(c.calculateAll(1, 1), hw.StatusMemory)
}

// TestFaultsTogether: each fault counts for itself.
func TestFaultsTogether(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	k.Fail(Fault{Kind: FaultStatus, After: 1, Status: hw.StatusMemory})
	k.Fail(Fault{Kind: FaultAnswer, Answer: func([]byte) []byte { return []byte{0x6f, 0x00} }})
	c.want(c.send(insList, 0, 0), 0x6f00)
	c.want(c.send(insList, 0, 0), hw.StatusMemory)
	c.ok(c.send(insList, 0, 0))
	if len(k.faults) != 0 {
		t.Errorf("%d faults are left", len(k.faults))
	}
}

func TestTrace(t *testing.T) {
	k, c := open(t, Options{Personality: "yubikey-5.4"})
	c.ok(c.transmit(putX))
	want := []APDU{{0, insSelect, p1SelectByName, 0}, {0, insPut, 0, 0}}
	got := k.APDUs()
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("trace %v, want %v", got, want)
	}
	k.ForgetAPDUs()
	k.SelectElsewhere(aidManagement) // nobody of ours
	if got := k.APDUs(); len(got) != 0 {
		t.Errorf("trace %v", got)
	}
	for range 3 * maxTrace {
		c.transmit(unhex("00a50000"))
	}
	if n := len(k.APDUs()); n < maxTrace/2 || n > maxTrace {
		t.Errorf("%d commands are remembered", n)
	}
}
