package softkey

import (
	"fmt"
	"sync"
	"time"
)

// defaultTouchTimeout is how long a YubiKey blinks before it answers 6982.
const defaultTouchTimeout = 15 * time.Second

// TouchMode says when a blinking key is touched: after that much time, or at a special moment.
type TouchMode time.Duration

const (
	// TouchInstant touches the key at once.
	TouchInstant TouchMode = 0
	// TouchManual leaves it to Key.Touch.
	TouchManual TouchMode = -1
	// TouchNever lets each touch time out, Key.Touch or not.
	TouchNever TouchMode = -2
)

// ParseTouchMode reads "instant", "manual", "never" or a positive duration such as "2s".
func ParseTouchMode(s string) (TouchMode, error) {
	for _, m := range []TouchMode{TouchInstant, TouchManual, TouchNever} {
		if s == m.String() {
			return m, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("unknown touch mode %q: it is instant, manual, never or a duration such as 2s", s)
	}
	return TouchMode(d), nil
}

// String returns what ParseTouchMode reads.
func (m TouchMode) String() string {
	switch m {
	case TouchInstant:
		return "instant"
	case TouchManual:
		return "manual"
	case TouchNever:
		return "never"
	}
	return time.Duration(m).String()
}

// finger is the person at the key.
type finger struct {
	mode    TouchMode
	timeout time.Duration

	mu       sync.Mutex
	blinking chan struct{} // not nil while the key waits; a touch closes it
}

// Touch touches the key now. That counts only while the key blinks, and never in the mode TouchNever.
func (k *Key) Touch() {
	f := &k.finger
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blinking != nil {
		close(f.blinking)
		f.blinking = nil
	}
}

// Blinking reports whether the key waits for a touch.
func (k *Key) Blinking() bool {
	k.finger.mu.Lock()
	defer k.finger.mu.Unlock()
	return k.finger.blinking != nil
}

// blink begins or ends the blinking; the channel that it returns is closed by a touch.
func (f *finger) blink(on bool) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blinking = nil
	if on {
		f.blinking = make(chan struct{})
	}
	return f.blinking
}

// wait blinks until the key is touched, the time is up or the power goes; it reports whether the
// key was touched.
func (f *finger) wait(k *Key, v visit) bool {
	touched := f.blink(true)
	defer f.blink(false)
	if k.options.OnBlink != nil {
		k.options.OnBlink(k, true)
		defer k.options.OnBlink(k, false)
	}
	mode := v.hit.touchMode(f.mode)
	var later <-chan time.Time
	switch {
	case mode == TouchInstant:
		return true
	case mode == TouchNever:
		touched = nil
	case mode > 0:
		later = time.After(time.Duration(mode))
	}
	select {
	case <-touched:
		return true
	case <-later:
		return true
	case <-time.After(f.timeout):
	case <-v.power.ended:
	}
	return false
}
