package softkey

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oathd/oathd/hw"
)

// touchKey makes a key with a touch credential "p" on it.
func touchKey(t *testing.T, o Options) (*Key, client) {
	t.Helper()
	k, c := open(t, o)
	n := totp("p")
	n.property = propTouch
	c.ok(c.put(n))
	return k, c
}

// touchCode is an answer to CALCULATE that arrives in the background, with the time that it took.
type touchCode struct {
	answer []byte
	err    error
	took   time.Duration
}

func calculateTouch(k *Key) <-chan touchCode {
	done := make(chan touchCode, 1)
	go func() {
		started := time.Now()
		b, err := k.Transmit(unhex("00a200010d7101707408000000000000000000"))
		done <- touchCode{b, err, time.Since(started)}
	}()
	return done
}

func TestParseTouchMode(t *testing.T) {
	for _, s := range []string{"instant", "manual", "never", "2s", "1m0s"} {
		m, err := ParseTouchMode(s)
		if err != nil || m.String() != s {
			t.Errorf("%q: %q, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "0s", "-1s", "soon"} {
		if m, err := ParseTouchMode(s); err == nil {
			t.Errorf("%q is taken as %q", s, m)
		}
	}
}

func TestTouchModes(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		touch   time.Duration // when Touch is called; 0 never
		want    hw.Status
		took    time.Duration
	}{
		{name: "instant", want: hw.StatusOK},
		{name: "after", options: Options{Touch: TouchMode(3 * time.Second)}, want: hw.StatusOK, took: 3 * time.Second},
		{name: "touched earlier", options: Options{Touch: TouchMode(3 * time.Second)}, touch: time.Second, want: hw.StatusOK, took: time.Second},
		{name: "manual", options: Options{Touch: TouchManual}, touch: 4 * time.Second, want: hw.StatusOK, took: 4 * time.Second},
		{name: "manual, nobody there", options: Options{Touch: TouchManual}, want: hw.StatusAuthRequired, took: 15 * time.Second},
		{name: "too late", options: Options{Touch: TouchMode(time.Minute)}, want: hw.StatusAuthRequired, took: 15 * time.Second},
		{name: "never", options: Options{Touch: TouchNever}, touch: time.Second, want: hw.StatusAuthRequired, took: 15 * time.Second},
		{name: "short patience", options: Options{Touch: TouchNever, TouchTimeout: time.Second}, want: hw.StatusAuthRequired, took: time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.options.Personality = "yubikey-5.4"
				k, _ := touchKey(t, tt.options)
				k.Touch() // does not count: nothing blinks
				if tt.touch > 0 {
					time.AfterFunc(tt.touch, k.Touch)
				}
				got := <-calculateTouch(k)
				if got.err != nil || len(got.answer) < 2 {
					t.Fatal(got.err)
				}
				end := len(got.answer) - 2
				if s := hw.Status(got.answer[end])<<8 | hw.Status(got.answer[end+1]); s != tt.want || got.took != tt.took {
					t.Errorf("%04X after %s, want %04X after %s", uint16(s), got.took, uint16(tt.want), tt.took)
				}
				if k.Blinking() {
					t.Error("it blinks on")
				}
			})
		})
	}
}

// TestTouchPerCalculation: one touch is one code.
func TestTouchPerCalculation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchMode(time.Second)})
		for range 3 {
			if got := <-calculateTouch(k); got.took != time.Second {
				t.Errorf("a code after %s", got.took)
			}
		}
	})
}

func TestOnBlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var blinks []bool
		touch := func(k *Key, on bool) {
			blinks = append(blinks, on)
			if on != k.Blinking() {
				t.Errorf("blinking %v, reported %v", k.Blinking(), on)
			}
			if on {
				k.Touch()
			}
		}
		k, c := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchManual, OnBlink: touch})
		if len(blinks) != 0 {
			t.Error("it blinked for a PUT")
		}
		if got := <-calculateTouch(k); got.took != 0 {
			t.Errorf("it took %s", got.took)
		}
		c.ok(c.put(totp("x")))
		c.ok(c.calculate(1, "x", challengeOf(1)))
		if !slices.Equal(blinks, []bool{true, false}) {
			t.Errorf("blinks %v", blinks)
		}
	})
}

// TestWhatWantsTouch: no touch is asked for what fails anyway, nor by those who know none.
func TestWhatWantsTouch(t *testing.T) {
	tests := []struct {
		name, personality string
		do                func(client) answer
		want              hw.Status // with TouchNever
	}{
		{"calculate", "yubikey-5.4", func(c client) answer { return c.calculate(1, "p", challengeOf(1)) }, hw.StatusAuthRequired},
		{"full answer", "yubikey-5.4", func(c client) answer { return c.calculate(0, "p", challengeOf(1)) }, hw.StatusAuthRequired},
		{"another credential", "yubikey-5.4", func(c client) answer { return c.calculate(1, "x", challengeOf(1)) }, hw.StatusDataInvalid},
		{"calculate all", "yubikey-5.4", func(c client) answer { return c.calculateAll(1, 1) }, hw.StatusOK},
		{"delete", "yubikey-5.4", func(c client) answer { return c.delete("p") }, hw.StatusOK},
		{"reset", "yubikey-5.4", func(c client) answer { return c.send(insReset, 0xde, 0xad) }, hw.StatusOK},
		{"reset, Nitrokey", "nitrokey-3", func(c client) answer { return c.send(insReset, 0xde, 0xad) }, hw.StatusAuthRequired},
		{"put without touch, Nitrokey", "nitrokey-3", func(c client) answer { return c.put(totp("y")) }, hw.StatusOK},
		{"calculate, Nitrokey", "nitrokey-3", func(c client) answer { return c.calculate(1, "p", challengeOf(1)) }, hw.StatusAuthRequired},
		{"NEO", "neo", func(c client) answer { return c.calculate(1, "p", challengeOf(1)) }, hw.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, c := touchKey(t, Options{Personality: tt.personality})
				k.finger.mode = TouchNever
				c.want(tt.do(c), tt.want)
			})
		})
	}
}

// TestNitrokeyPut waits for a touch before it stores a touch credential.
func TestNitrokeyPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := open(t, Options{Personality: "nitrokey-3", Touch: TouchNever})
		n := totp("p")
		n.property = propTouch
		c.want(c.put(n), hw.StatusAuthRequired)
		if got := c.names(); len(got) != 0 {
			t.Errorf("it is stored without a touch: %q", got)
		}
	})
}

// TestLockedWantsNoTouch: a locked key says so at once.
func TestLockedWantsNoTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, c := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchNever})
		c.ok(c.setCode(0x21, secretCode))
		c.ok(c.selectOATH())
		if got := <-calculateTouch(k); got.took != 0 {
			t.Errorf("it blinked for %s", got.took)
		}
	})
}

// TestPowerEndsTouch: the key is pulled out, or reset, while it blinks.
func TestPowerEndsTouch(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(*Key)
		want    error
	}{
		"removed":     {func(k *Key) { k.Power(false) }, hw.ErrRemoved},
		"power cycle": {func(k *Key) { k.Power(true) }, hw.ErrRemoved},
		"reset":       {func(k *Key) { k.repower(hw.ErrReset, true) }, hw.ErrReset},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, _ := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchManual})
				done := calculateTouch(k)
				synctest.Wait()
				if !k.Blinking() {
					t.Fatal("it does not blink")
				}
				time.Sleep(2 * time.Second)
				tt.happens(k)
				if got := <-done; !errors.Is(got.err, tt.want) || got.took != 2*time.Second {
					t.Errorf("%v after %s", got.err, got.took)
				}
				if k.Blinking() {
					t.Error("it blinks on")
				}
			})
		})
	}
}

// TestPowerEndsWaiting: one who waits for his turn is told as well.
func TestPowerEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := touchKey(t, Options{Personality: "yubikey-5.4", Touch: TouchManual})
		first, second := calculateTouch(k), calculateTouch(k)
		synctest.Wait()
		k.Power(false)
		for _, done := range []<-chan touchCode{first, second} {
			if got := <-done; !errors.Is(got.err, hw.ErrRemoved) {
				t.Errorf("%v", got.err)
			}
		}
		if _, err := k.Transmit(unhex("00a1000000")); !errors.Is(err, hw.ErrRemoved) {
			t.Errorf("%v without power", err)
		}
		k.Power(true)
		if _, err := k.Transmit(unhex("00a1000000")); err != nil {
			t.Errorf("%v with power", err)
		}
	})
}
