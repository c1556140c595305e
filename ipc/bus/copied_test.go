package bus

import (
	"strings"
	"testing"
	"time"

	"github.com/oathd/oathd/ipc/api"
)

// TestLockedWhileTouched has the screen locked while the key waits for a finger: the touch gives no code any more.
func TestLockedWhileTouched(t *testing.T) {
	key, person := touchKey(t)
	d := newDesk(t, Search{}, key)
	result := d.one(d.touchAccount(person), "bank")
	done := d.Object(api.BusName, api.BusSearch).Go(shellName+".ActivateResult", 0, nil, result, []string{"bank"}, uint32(0))
	d.client.await("TouchWanted", waits(1))
	eventually(t, "the key to blink", key.Blinking)
	d.screen.locked.Store(true)
	key.Touch()
	wantError(t, next(t, done.Done).Err, api.BusError(api.CodeForbidden), "the session is locked")
	if len(d.screen.copied) > 0 {
		t.Errorf("copied %v", <-d.screen.copied)
	}
}

// TestCopiedFor has people told for how long what is copied can be used: it may be of the next step, or of one that ended before
// the key was touched, or counted.
func TestCopiedFor(t *testing.T) {
	now := time.Unix(1000, 0)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for want, test := range map[string]struct {
		code  api.Code
		until time.Time
	}{
		"Valid for 20 s.":              {api.Code{ValidFrom: at(-10), ValidUntil: at(20)}, at(20)},
		"Valid in 3 s, for 30 s.":      {api.Code{ValidFrom: at(3), ValidUntil: at(33)}, at(33)},
		"Its time is over. If":         {api.Code{ValidFrom: at(-34), ValidUntil: at(-4)}, at(minLife)},
		"In the clipboard for 30 s. I": {api.Code{}, now.Add(countedLife)},
	} {
		text, until := copiedFor(test.code, now)
		if !strings.HasPrefix(text, want) || !until.Equal(test.until) {
			t.Errorf("%+v: %q until %v, want %q until %v", test.code, text, until, want, test.until)
		}
	}
}
