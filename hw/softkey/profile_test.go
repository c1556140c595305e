package softkey

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
)

// TestProfile compares with what was measured on a real YubiKey 5.4.3; faults and chains have no
// delays of their own.
func TestProfile(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		_, c := open(t, Options{Personality: "yubikey-5.4", Profile: "yubikey-5.4.3"})
		tests := []struct {
			name     string
			do       func() answer
			min, max time.Duration
		}{
			{"SELECT", c.selectOATH, 1800 * time.Microsecond, 1900 * time.Microsecond},
			{"LIST of nothing", func() answer { return c.send(insList, 0, 0) }, 900 * time.Microsecond, 1100 * time.Microsecond},
			{"PUT", func() answer { return c.put(totp("a")) }, 10 * ms, 14 * ms},
			{"PUT", func() answer { return c.put(newCredential{name: "b", kind: 0x22}) }, 10 * ms, 14 * ms},
			{"PUT of HOTP", func() answer { return c.put(newCredential{name: "h", kind: 0x11}) }, 10 * ms, 14 * ms},
			{"LIST of three", func() answer { return c.send(insList, 0, 0) }, 1900 * time.Microsecond, 2100 * time.Microsecond},
			{"TOTP", func() answer { return c.calculate(1, "a", challengeOf(1)) }, 1900 * time.Microsecond, 2100 * time.Microsecond},
			{"TOTP with SHA-256", func() answer { return c.calculate(1, "b", challengeOf(1)) }, 70 * ms, 80 * ms},
			{"HOTP", func() answer { return c.calculate(1, "h", nil) }, 6 * ms, 10 * ms},
			{"PUT", func() answer { return c.put(newCredential{name: "c", kind: 0x23}) }, 10 * ms, 14 * ms},
			{"CALCULATE ALL", func() answer { return c.calculateAll(1, 1) }, 147 * ms, 150 * ms},
			{"RENAME", func() answer { return c.rename("c", "d") }, 9 * ms, 14 * ms},
			{"DELETE", func() answer { return c.delete("d") }, 9 * ms, 9 * ms},
			{"SET CODE", func() answer { return c.setCode(0x21, secretCode) }, 9 * ms, 11 * ms},
			{"RESET", func() answer { return c.send(insReset, 0xde, 0xad) }, 340 * ms, 380 * ms},
		}
		for _, tt := range tests {
			started := time.Now()
			c.ok(tt.do())
			if took := time.Since(started); took < tt.min || took > tt.max {
				t.Errorf("%s takes %s, want %s to %s", tt.name, took, tt.min, tt.max)
			}
		}
		c.ok(c.setCode(0x21, secretCode))
		selected := c.ok(c.selectOATH())
		started := time.Now()
		c.ok(c.unlock(selected, secretCode))
		if took := time.Since(started); took != 2500*time.Microsecond {
			t.Errorf("VALIDATE takes %s", took)
		}
	})
}

func TestProfilesAreNamed(t *testing.T) {
	for _, name := range append(Profiles(), "") {
		if _, err := lookupProfile(name); err != nil {
			t.Error(err)
		}
	}
}

// TestNoProfile takes no time at all.
func TestNoProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := open(t, Options{Personality: "yubikey-5.4"})
		started := time.Now()
		c.ok(c.put(totp("a")))
		c.ok(c.send(insReset, 0xde, 0xad))
		if took := time.Since(started); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

// TestPacer: what one delay was too long is taken off the next, and no more than that.
func TestPacer(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		p := &power{ended: make(chan struct{})}
		tests := []struct{ late, busy, delay, want time.Duration }{
			{0, 0, 5 * ms, 5 * ms},
			{1 * ms, 0, 5 * ms, 4 * ms},
			{0, 2 * ms, 5 * ms, 3 * ms}, // the work itself is part of the delay
			{0, 9 * ms, 5 * ms, 0},
			{0, 50 * ms, 5 * ms, 0}, // the process was stopped
			{0, 0, 0, 0},
		}
		for _, tt := range tests {
			pace := pacer{late: tt.late}
			started := time.Now()
			time.Sleep(tt.busy)
			if err := pace.wait(p, started, tt.delay); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(started) - tt.busy; got != tt.want {
				t.Errorf("%+v: waited %s", tt, got)
			}
			if want := min(max(tt.busy-tt.delay, 0), maxLate); tt.delay > 0 && pace.late != want {
				t.Errorf("%+v: %s are carried over, want %s", tt, pace.late, want)
			}
		}
	})
}

// TestRemovedDuringDelay: the command was executed, its answer is lost.
func TestRemovedDuringDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, c := open(t, Options{Personality: "yubikey-5.4", Profile: "yubikey-5.4.3"})
		time.AfterFunc(5*time.Millisecond, func() { k.Power(false) })
		if _, err := k.Transmit(append([]byte{0, insPut, 0, 0, byte(len(totp("x").encode()))}, totp("x").encode()...)); !errors.Is(err, hw.ErrRemoved) {
			t.Fatalf("error %v", err)
		}
		k.Power(true)
		c.ok(c.selectOATH())
		if got := c.names(); len(got) != 1 {
			t.Errorf("credentials %q", got)
		}
	})
}
