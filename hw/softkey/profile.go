package softkey

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// profile says how long a key takes for each command.
type profile struct {
	name string
	// selecting is the time of a SELECT, base that of a command by its instruction, other that of any
	// other instruction.
	selecting time.Duration
	base      map[byte]time.Duration
	other     time.Duration
	// hash is the time of one HMAC by the number of its algorithm, counter that of writing an HOTP
	// counter, entry that of one entry of LIST.
	hash    [4]time.Duration
	counter time.Duration
	entry   time.Duration
}

var profiles = []profile{
	{name: "none"},
	{
		// Measured on a real YubiKey 5.4.3 over USB.
		name:      "yubikey-5.4.3",
		selecting: 1800 * time.Microsecond,
		base: map[byte]time.Duration{
			insPut:      12 * time.Millisecond, // 10 to 14
			insDelete:   9 * time.Millisecond,
			insRename:   12 * time.Millisecond,
			insSetCode:  9 * time.Millisecond, // and one HMAC
			insReset:    355 * time.Millisecond,
			insValidate: 500 * time.Microsecond, // and two HMACs
		},
		other:   time.Millisecond,
		hash:    [4]time.Duration{algSHA1: time.Millisecond, algSHA256: 73 * time.Millisecond, algSHA512: 73 * time.Millisecond},
		counter: 6 * time.Millisecond,
		entry:   300 * time.Microsecond,
	},
}

// Profiles returns the names of the delay profiles.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i := range profiles {
		names[i] = profiles[i].name
	}
	return names
}

func lookupProfile(name string) (*profile, error) {
	if name == "" {
		return &profiles[0], nil
	}
	i := slices.IndexFunc(profiles, func(p profile) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("unknown delay profile %q: it is one of %s", name, strings.Join(Profiles(), ", "))
	}
	return &profiles[i], nil
}

// work counts what a command did that takes time.
type work struct {
	hashes            [4]int // by the number of the algorithm
	counters, entries int
}

func (w *work) hash(kind byte) { w.hashes[kind&maskAlg]++ }

// cost returns how long the command takes.
func (p *profile) cost(apdu []byte, w work) time.Duration {
	if p.other == 0 || len(apdu) < 4 {
		return 0
	}
	if selects(apdu) {
		return p.selecting
	}
	base, ok := p.base[apdu[1]]
	if !ok {
		base = p.other
	}
	for alg, n := range w.hashes {
		base += time.Duration(n) * p.hash[alg]
	}
	return base + time.Duration(w.counters)*p.counter + time.Duration(w.entries)*p.entry
}

// pacer makes a key's delays right on average: what the scheduler wakes up too late is taken off
// the next delay, so that a thousand commands do not take a thousand latenesses more.
type pacer struct{ late time.Duration }

// maxLate bounds what is carried over, lest a stopped process make the key fast for a while.
const maxLate = 10 * time.Millisecond

// wait returns when the command that started then has taken its time, or when the power goes.
func (t *pacer) wait(p *power, started time.Time, d time.Duration) error {
	if d == 0 {
		return nil
	}
	due := started.Add(d - t.late)
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		t.late = min(max(time.Since(due), 0), maxLate)
		return nil
	case <-p.ended:
		return p.cause
	}
}
