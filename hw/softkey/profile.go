package softkey

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile says how long a key takes for each command.
type Profile struct {
	Name string
	// Base is the time of a command by its instruction, Other that of any other instruction.
	Base  map[byte]time.Duration
	Other time.Duration
	// Hash is the time of one HMAC by the number of its algorithm, Counter that of writing an HOTP
	// counter, Entry that of one entry of LIST.
	Hash    [4]time.Duration
	Counter time.Duration
	Entry   time.Duration
}

var profiles = []Profile{
	{Name: "none"},
	{
		// Measured on a real YubiKey 5.4.3 over USB.
		Name: "yubikey-5.4.3",
		Base: map[byte]time.Duration{
			insPut:      12 * time.Millisecond, // 10 to 14
			insDelete:   9 * time.Millisecond,
			insRename:   12 * time.Millisecond,
			insSetCode:  9 * time.Millisecond, // and one HMAC
			insReset:    355 * time.Millisecond,
			insValidate: 500 * time.Microsecond, // and two HMACs
		},
		Other:   time.Millisecond,
		Hash:    [4]time.Duration{algSHA1: time.Millisecond, algSHA256: 73 * time.Millisecond, algSHA512: 73 * time.Millisecond},
		Counter: 6 * time.Millisecond,
		Entry:   300 * time.Microsecond,
	},
}

// selectTime is what the real key takes for a SELECT. It shares its instruction's number with
// CALCULATE ALL, so it has no place in Base.
const selectTime = 1800 * time.Microsecond

// Profiles returns the names of the delay profiles.
func Profiles() []string {
	names := make([]string, len(profiles))
	for i := range profiles {
		names[i] = profiles[i].Name
	}
	return names
}

func lookupProfile(name string) (*Profile, error) {
	if name == "" {
		return &profiles[0], nil
	}
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
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
func (p *Profile) cost(apdu []byte, w work) time.Duration {
	if p.Other == 0 || len(apdu) < 4 {
		return 0
	}
	base, ok := p.Base[apdu[1]]
	switch {
	case apdu[1] == insSelect && apdu[2] == p1SelectByName:
		return selectTime
	case !ok:
		base = p.Other
	}
	for alg, n := range w.hashes {
		base += time.Duration(n) * p.Hash[alg]
	}
	return base + time.Duration(w.counters)*p.Counter + time.Duration(w.entries)*p.Entry
}

// pacer makes a key's delays right on average: what the scheduler wakes up too late is taken off
// the next delay, so that a thousand commands do not take a thousand latenesses more.
type pacer struct{ late time.Duration }

// maxLate bounds what is carried over, lest a stopped process make the key fast for a while.
const maxLate = 2 * time.Millisecond

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
